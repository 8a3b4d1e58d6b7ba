"use client";

import { Download, FileQuestion, ListChecks } from "lucide-react";
import { useSearchParams } from "next/navigation";
import { ButtonLink, DownloadLink } from "@/components/ui/Button";
import { CopyButton } from "@/components/ui/CopyButton";
import { Empty } from "@/components/ui/Empty";
import { Facts } from "@/components/ui/Facts";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { fillPath } from "@/lib/api/url";
import type { RunDetails } from "@/lib/api/types";
import { labelOf as labelOfMetric } from "@/lib/compare/metrics";
import { formatBytes } from "@/lib/format/bytes";
import { formatNamed, labelOf } from "@/lib/format/named";
import { formatCount, formatFigure } from "@/lib/format/number";
import { jobHref } from "@/lib/places";
import { RunBadge } from "./RunBadge";
import { RunCurves } from "./RunCurves";
import { nameOf } from "./RunList";

/** The page of the run that the address names. */
export function RunPage() {
  const id = useSearchParams().get("id");
  return id ? <RunView key={id} id={id} /> : <UnknownRun />;
}

function UnknownRun() {
  return (
    <Panel>
      <Empty isPage icon={FileQuestion} title="There is no such run" actions={<ButtonLink href="/runs/">All runs</ButtonLink>} />
    </Panel>
  );
}

function RunView({ id }: { id: string }) {
  const { data: run, problem, reload } = useResource(`run ${id}`, (signal) => call("get", "/api/runs/{run_id}", { path: { run_id: id }, signal }));
  if (problem?.status === 404) return <UnknownRun />;
  if (!run) return problem ? <Problem problem={problem} retry={reload} /> : <Loading label="Reading the run" />;
  return (
    <>
      <PageHead
        back={{ href: "/runs/", label: "Runs" }}
        title={run.model || nameOf(run)}
        lead={
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <RunBadge status={run.status} />
            <span className="font-mono text-xs break-all">{run.folder}</span>
          </span>
        }
        actions={
          run.job_id ? (
            <ButtonLink href={jobHref(run.job_id)}>
              <ListChecks aria-hidden />
              Its job
            </ButtonLink>
          ) : null
        }
      />
      {run.problem ? (
        <Notice tone="bad" className="mb-4">
          {run.problem}
        </Notice>
      ) : null}
      <div className="grid gap-4">
        <RunCurves runs={[run]} nameOf={nameOf} />
        <div className="grid items-start gap-4 xl:grid-cols-2">
          <Metrics run={run} />
          <RunFiles run={run} />
        </div>
        <Evaluations run={run} />
        <div className="grid items-start gap-4 xl:grid-cols-2">
          <TextPanel title="Configuration" text={run.config} />
          <TextPanel title="Metadata" text={JSON.stringify(run.metadata, null, 2)} />
        </div>
      </div>
    </>
  );
}

function Metrics({ run }: { run: RunDetails }) {
  const figures = Object.entries(run.metrics);
  if (figures.length === 0) return <Panel title="Final figures"><p className="px-4 py-6 text-ink-soft">The run has not finished.</p></Panel>;
  return (
    <Panel title="Final figures">
      <Facts facts={figures.map(([name, value]) => [labelOf(name), formatNamed(name, value)])} />
    </Panel>
  );
}

function RunFiles({ run }: { run: RunDetails }) {
  return (
    <Panel title="Files">
      <ul className="max-h-96 divide-y overflow-auto focus-visible:-outline-offset-2" tabIndex={0} aria-label="Files of the run">
        {run.files.map((file) => (
          <li key={file.name} className="flex items-center gap-3 px-4 py-1.5">
            <span className="min-w-0 flex-1 truncate font-mono text-xs" title={file.name}>
              {file.name}
            </span>
            <span className="figures text-[0.8125rem] whitespace-nowrap text-ink-soft">{formatBytes(file.num_bytes)}</span>
            <DownloadLink look="quiet" size="icon" download href={fillPath("/api/runs/{run_id}/file", { run_id: run.id }, { name: file.name })} aria-label={`Download ${file.name}`}>
              <Download aria-hidden />
            </DownloadLink>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Evaluations({ run }: { run: RunDetails }) {
  if (run.evaluations.length === 0) return null;
  return (
    <Panel title="Evaluations">
      <ul className="divide-y">
        {run.evaluations.map((evaluation) => (
          <li key={evaluation.file} className="px-4 py-2.5">
            <div className="break-words">
              <span className="font-medium">{evaluation.eval_file || evaluation.file}</span>
              <span className="text-ink-soft"> · {formatCount(evaluation.num_examples)} rows · {evaluation.evaluator}</span>
            </div>
            <dl className="figures mt-1 flex flex-wrap gap-x-5 gap-y-0.5 text-[0.8125rem]">
              {Object.entries(evaluation.metrics).map(([name, value]) => (
                <div key={name} className="flex gap-1.5">
                  <dt className="text-ink-soft">{labelOfMetric(name)}</dt>
                  <dd>{formatFigure(value, 3)}</dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function TextPanel({ title, text }: { title: string; text: string }) {
  return (
    <Panel title={title} actions={<CopyButton label="Copy" text={text} />}>
      <pre tabIndex={0} role="region" aria-label={title} className="max-h-96 overflow-auto px-4 py-3 font-mono text-xs focus-visible:-outline-offset-2">
        {text || "Nothing is written down."}
      </pre>
    </Panel>
  );
}
