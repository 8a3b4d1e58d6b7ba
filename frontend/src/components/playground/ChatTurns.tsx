import { classes } from "@/lib/classes";
import type { Turn } from "@/lib/chat/conversation";
import { formatCount } from "@/lib/format/number";
import { formatDuration } from "@/lib/format/time";

const ENDS: Record<string, string> = { length: "cut at the longest length", stopped: "stopped", broken: "broken off" };

/** The messages of a chat, as text. */
export function ChatTurns({ turns, model }: { turns: Turn[]; model: string }) {
  return (
    <ol className="grid gap-3 p-4" aria-label={`Chat with ${model || "no model"}`}>
      {turns.map((turn, index) => (
        <li key={index} className={classes("min-w-0", turn.role === "user" && "justify-self-end max-w-[88%]")}>
          <div
            className={classes(
              "rounded-lg px-3 py-2 whitespace-pre-wrap break-words",
              turn.role === "user" ? "bg-accent-soft text-accent-soft-ink" : "bg-sunken",
            )}
          >
            <span className="sr-only">{turn.role === "user" ? "You: " : "Model: "}</span>
            {turn.content || (turn.finishReason ? <em className="text-ink-soft">an empty answer</em> : <span className="animate-pulse text-ink-soft">…</span>)}
          </div>
          {turn.role === "assistant" && turn.finishReason ? (
            <div className="figures mt-1 px-1 text-xs text-ink-soft">
              {[
                turn.numTokens ? `${formatCount(turn.numTokens)} tokens` : "",
                turn.seconds ? formatDuration(turn.seconds) : "",
                turn.numTokens && turn.seconds ? `${formatCount(turn.numTokens / turn.seconds)} tokens/s` : "",
                ENDS[turn.finishReason] ?? "",
              ]
                .filter(Boolean)
                .join(" · ")}
            </div>
          ) : null}
        </li>
      ))}
    </ol>
  );
}
