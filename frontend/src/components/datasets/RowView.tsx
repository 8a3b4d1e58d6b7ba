import { Notice } from "@/components/ui/Notice";
import type { Row } from "@/lib/api/types";
import { formatCount, formatShare } from "@/lib/format/number";

const ROLES: Record<string, string> = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" };

/** One row: its messages, or with a model the very text that it reads, what is trained in colour. */
export function RowView({ row }: { row: Row }) {
  return (
    <article className="px-4 py-3" aria-label={`Row ${row.row}`}>
      <h3 className="figures mb-2 text-[0.8125rem] font-medium text-ink-soft">
        Row {formatCount(row.row)}
        {row.line !== row.row ? `, line ${formatCount(row.line)}` : ""}
        {row.tools.length > 0 ? ` · ${formatCount(row.tools.length)} tools on offer` : ""}
      </h3>
      {row.problem ? (
        <Notice tone="bad" className="mb-2">
          {row.problem}
        </Notice>
      ) : null}
      {row.sequences ? <Sequences sequences={row.sequences} /> : <Messages row={row} />}
    </article>
  );
}

function Messages({ row }: { row: Row }) {
  return (
    <dl className="grid gap-2">
      {row.messages.map((message, index) => (
        <div key={index} className="grid gap-x-3 sm:grid-cols-[6rem_minmax(0,1fr)]">
          <dt className="text-[0.8125rem] text-ink-soft">
            {ROLES[message.role] ?? message.role}
            {message.name ? ` (${message.name})` : ""}
          </dt>
          <dd className="min-w-0">
            {message.content ? (
              <span className={`whitespace-pre-wrap break-words ${message.is_trained ? "rounded-sm bg-trained box-decoration-clone px-0.5 text-trained-ink" : ""}`}>{message.content}</span>
            ) : null}
            {message.tool_calls?.map((call) => (
              <code key={call.id} className="block rounded bg-sunken px-2 py-1 font-mono text-xs whitespace-pre-wrap break-all">
                {call.name}({call.arguments})
              </code>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Sequences({ sequences }: { sequences: NonNullable<Row["sequences"]> }) {
  return (
    <div className="grid gap-3">
      {sequences.map((sequence, index) => (
        <div key={index}>
          <p className="font-mono text-[0.8125rem] leading-6 whitespace-pre-wrap break-words">
            {sequence.segments.map((segment, place) =>
              segment.is_trained ? (
                <mark key={place} title={`${formatCount(segment.num_tokens)} trained tokens`} className="rounded-sm bg-trained box-decoration-clone px-0.5 text-trained-ink">
                  {segment.text}
                </mark>
              ) : (
                <span key={place} className="text-ink-soft" title={`${formatCount(segment.num_tokens)} tokens, not trained`}>
                  {segment.text}
                </span>
              ),
            )}
          </p>
          <p className="figures mt-1 text-xs text-ink-soft">
            {formatCount(sequence.num_trained_tokens)} of {formatCount(sequence.num_tokens)} tokens trained (
            {formatShare(sequence.num_tokens ? sequence.num_trained_tokens / sequence.num_tokens : null)})
          </p>
        </div>
      ))}
    </div>
  );
}
