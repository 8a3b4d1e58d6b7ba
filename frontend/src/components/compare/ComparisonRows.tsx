"use client";

import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Select } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { Pager } from "@/components/ui/Pager";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import type { Comparison, ComparisonRow, ModelAnswer } from "@/lib/api/types";
import { answerText } from "@/lib/compare/answerText";
import { labelOf } from "@/lib/compare/metrics";
import { placeOf } from "@/lib/compare/rows";
import { formatFigure } from "@/lib/format/number";
import { PromptView } from "./PromptView";
import { WordDiff } from "./WordDiff";

const PAGE_SIZE = 25;

const OUTCOMES = { win: { word: "better", tone: "good" }, tie: { word: "as good", tone: "neutral" }, loss: { word: "worse", tone: "bad" } } as const;

/** The rows with both answers, what changed most first, differences marked word by word. */
export function ComparisonRows({ comparison }: { comparison: Comparison }) {
  const [outcome, setOutcome] = useState("");
  const [page, setPage] = useState(0);
  const { data, problem, isLoading, reload } = useResource(`rows ${comparison.id} ${outcome} ${page}`, (signal) =>
    call("get", "/api/comparisons/{job_id}/rows", { path: { job_id: comparison.id }, query: { outcome, page, page_size: PAGE_SIZE }, signal }),
  );
  return (
    <Panel
      title="Rows"
      hint={comparison.file_id ? "What changed most comes first." : undefined}
      actions={
        <>
          <Pager offset={page * PAGE_SIZE} size={PAGE_SIZE} total={data?.total ?? 0} onChange={(offset) => setPage(Math.floor(offset / PAGE_SIZE))} noun="rows" />
          {comparison.file_id ? (
            <Select
              aria-label="Outcome"
              className="h-8 w-auto"
              value={outcome}
              onChange={(event) => {
                setOutcome(event.target.value);
                setPage(0);
              }}
            >
              <option value="">All rows</option>
              <option value="win">Fine-tuned is better</option>
              <option value="tie">As good</option>
              <option value="loss">Fine-tuned is worse</option>
            </Select>
          ) : null}
        </>
      }
    >
      {problem ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {isLoading ? <Loading label="Reading answers" /> : null}
      {data && data.total === 0 ? <p className="px-4 py-8 text-center text-ink-soft">No row is like that.</p> : null}
      <ul className="divide-y">
        {data?.data.map((row) => (
          <li key={placeOf(row)} className="px-4 py-3">
            <RowPair row={row} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function RowPair({ row }: { row: ComparisonRow }) {
  const base = answerText(row.base);
  const tuned = answerText(row.fine_tuned);
  const references = [...row.references, ...row.reference_tool_calls.map((each) => `${each.name}(${each.arguments})`)].filter(Boolean);
  const outcome = row.outcome ? OUTCOMES[row.outcome] : null;
  return (
    <article aria-label={placeOf(row)}>
      <div className="mb-1.5 flex items-center gap-2 text-[0.8125rem] text-ink-soft">
        <span className="figures">{placeOf(row)}</span>
        {outcome ? <Badge tone={outcome.tone}>{outcome.word}</Badge> : null}
      </div>
      <PromptView messages={row.prompt} />
      {references.length > 0 ? (
        <p className="mt-1.5 break-words whitespace-pre-wrap">
          <span className="mr-1.5 text-xs text-ink-soft">expected</span>
          {references.join(" / ")}
        </p>
      ) : null}
      <div className="mt-2 grid gap-3 md:grid-cols-2">
        <AnswerBox label="Base" answer={row.base}>
          <span className="whitespace-pre-wrap break-words">{base || <em className="text-ink-soft">an empty answer</em>}</span>
        </AnswerBox>
        <AnswerBox label="Fine-tuned" answer={row.fine_tuned}>
          {base === tuned ? <em className="text-ink-soft">the same</em> : <WordDiff from={base} to={tuned} />}
        </AnswerBox>
      </div>
    </article>
  );
}

export function AnswerBox({ label, answer, children }: { label: string; answer: ModelAnswer; children: React.ReactNode }) {
  const scores = Object.entries(answer.scores);
  return (
    <div className="min-w-0 rounded-md bg-sunken px-3 py-2">
      <div className="figures mb-1 flex flex-wrap gap-x-3 text-xs text-ink-soft">
        <span className="font-medium">{label}</span>
        {scores.map(([name, value]) => (
          <span key={name}>
            {labelOf(name)} {formatFigure(value, 2)}
          </span>
        ))}
        {answer.finish_reason === "length" ? <span className="text-warn">cut at the longest length</span> : null}
      </div>
      {children}
    </div>
  );
}
