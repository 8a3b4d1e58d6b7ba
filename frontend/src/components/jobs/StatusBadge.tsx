import { Badge } from "@/components/ui/Badge";
import { meaningOf } from "@/lib/jobs/status";

export function StatusBadge({ status }: { status: string }) {
  const { word, tone } = meaningOf(status);
  return (
    <Badge tone={tone}>
      {tone === "active" ? <span className="size-1.5 animate-pulse rounded-full bg-current" aria-hidden /> : null}
      {word}
    </Badge>
  );
}
