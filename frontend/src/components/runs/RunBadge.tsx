import { Badge } from "@/components/ui/Badge";
import type { Tone } from "@/lib/jobs/status";

const TONES: Record<string, Tone> = { finished: "good", running: "active", failed: "bad", unreadable: "bad", interrupted: "warn" };

/** How a run directory stands, in its own word. */
export function RunBadge({ status }: { status: string }) {
  return <Badge tone={TONES[status] ?? "neutral"}>{status}</Badge>;
}
