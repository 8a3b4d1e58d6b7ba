import { LoaderCircle } from "lucide-react";
import { classes } from "@/lib/classes";

/** Something is on its way. */
export function Loading({ label = "Loading", className }: { label?: string; className?: string }) {
  return (
    <div role="status" className={classes("flex items-center justify-center gap-2 px-6 py-12 text-ink-soft", className)}>
      <LoaderCircle className="size-4 animate-spin" aria-hidden />
      {label} …
    </div>
  );
}
