import { Radio, WifiOff } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { Notice } from "@/components/ui/Notice";
import type { StreamState } from "@/lib/events/stream";

/** Whether what is shown is live. */
export function LineState({ state }: { state: StreamState }) {
  if (state === "live") {
    return (
      <span className="inline-flex items-center gap-1.5 text-[0.8125rem] text-good">
        <Radio className="size-3.5" aria-hidden />
        Live
      </span>
    );
  }
  if (state === "lost") {
    return (
      <span className="inline-flex items-center gap-1.5 text-[0.8125rem] text-warn">
        <WifiOff className="size-3.5" aria-hidden />
        Not live
      </span>
    );
  }
  return state === "connecting" ? <span className="text-[0.8125rem] text-ink-soft">Connecting …</span> : null;
}

/** What a lost connection means, and what happens next. */
export function LostLine({ state, retryNow }: { state: StreamState; retryNow: () => void }) {
  if (state !== "lost") return null;
  return (
    <Notice tone="warn" className="mb-4" actions={<Button size="small" onClick={retryNow}>Connect now</Button>}>
      The connection to the job is lost. The job goes on; what happens meanwhile is shown once the connection is back.
    </Notice>
  );
}
