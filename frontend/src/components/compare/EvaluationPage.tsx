"use client";

import { FileQuestion } from "lucide-react";
import { useRouter, useSearchParams } from "next/navigation";
import { useState } from "react";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Pager } from "@/components/ui/Pager";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { useStanding } from "@/hooks/useStanding";
import { call } from "@/lib/api/client";
import { answerText } from "@/lib/compare/answerText";
import { allowingOverlap } from "@/lib/compare/asking";
import { placeOf } from "@/lib/compare/rows";
import { formatNoun } from "@/lib/format/number";
import { evaluationHref } from "@/lib/places";
import { AnswerBox } from "./ComparisonRows";
import { Conditions, OverlapNotice } from "./Conditions";
import { MetricTable } from "./MetricTable";
import { PromptView } from "./PromptView";
import { SlicePanels } from "./SlicePanels";
import { Standing, StandingActions } from "./Standing";
import { WordDiff } from "./WordDiff";

const PAGE_SIZE = 25;

/** The page of the evaluation that the address names. */
export function EvaluationPage() {
  const id = useSearchParams().get("id");
  return id ? <EvaluationView key={id} id={id} /> : <UnknownEvaluation />;
}

function UnknownEvaluation() {
  return (
    <Panel>
      <Empty isPage icon={FileQuestion} title="There is no such evaluation" actions={<ButtonLink href="/compare/">All evaluations</ButtonLink>} />
    </Panel>
  );
}

function EvaluationView({ id }: { id: string }) {
  const router = useRouter();
  const path = { job_id: id };
  const { data, problem, reload } = useStanding(`evaluation ${id}`, (signal) => call("get", "/api/evaluations/{job_id}", { path, signal }));
  if (problem?.status === 404) return <UnknownEvaluation />;
  if (!data) return problem ? <Problem problem={problem} retry={reload} /> : <Loading label="Loading the evaluation" />;
  return (
    <>
      <PageHead
        back={{ href: "/compare/", label: "Compare" }}
        title={data.model}
        lead={
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <StatusBadge status={data.status} />
            {data.figures ? formatNoun(data.figures.num_examples, data.turns === "all" ? "answer" : "row") : null}
          </span>
        }
        actions={
          <StandingActions
            entry={data}
            onCancel={async () => {
              await call("post", "/api/evaluations/{job_id}/cancel", { path });
              reload();
            }}
            onDelete={async () => {
              await call("delete", "/api/evaluations/{job_id}", { path });
              router.push("/compare/");
            }}
          />
        }
      />
      <div className="grid gap-4">
        <Standing
          entry={data}
          onAllow={async () => {
            const body = { ...allowingOverlap(data), model: data.model, file_id: data.file_id };
            router.push(evaluationHref((await call("post", "/api/evaluations", { body })).id));
          }}
        />
        <OverlapNotice overlap={data.figures?.overlap} />
        {data.figures ? (
          <Panel title="Metrics" hint="In brackets 95 % intervals.">
            <MetricTable figures={data.figures} />
            <Conditions study={data} />
          </Panel>
        ) : null}
        <SlicePanels slices={data.figures?.slices} />
        {data.status === "SUCCESS" ? <EvaluationRows id={id} /> : null}
      </div>
    </>
  );
}

function EvaluationRows({ id }: { id: string }) {
  const [page, setPage] = useState(0);
  const { data, problem, isLoading, reload } = useResource(`rows ${id} ${page}`, (signal) =>
    call("get", "/api/evaluations/{job_id}/rows", { path: { job_id: id }, query: { page, page_size: PAGE_SIZE }, signal }),
  );
  return (
    <Panel
      title="Rows"
      hint="Marked is what the answer has in place of the expected words."
      actions={<Pager offset={page * PAGE_SIZE} size={PAGE_SIZE} total={data?.total ?? 0} onChange={(offset) => setPage(Math.floor(offset / PAGE_SIZE))} noun="rows" />}
    >
      {problem ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {isLoading ? <Loading label="Reading answers" /> : null}
      <ul className="divide-y">
        {data?.data.map((row) => (
          <li key={placeOf(row)} className="px-4 py-3">
            <p className="figures mb-1 text-[0.8125rem] text-ink-soft">{placeOf(row)}</p>
            <PromptView messages={row.prompt} />
            <div className="mt-2">
              <AnswerBox label="Answer" answer={row.answer}>
                <WordDiff from={answerText({ text: row.references[0] ?? "", tool_calls: row.reference_tool_calls })} to={answerText(row.answer)} />
              </AnswerBox>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
