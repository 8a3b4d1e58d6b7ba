"use client";

import { Scale } from "lucide-react";
import Link from "next/link";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { VirtualRows } from "@/components/ui/VirtualRows";
import { useNow } from "@/hooks/useNow";
import { useResource } from "@/hooks/useResource";
import { useSchema } from "@/hooks/useSchema";
import { call } from "@/lib/api/client";
import { loadStudies, titleOf, type Study } from "@/lib/compare/loading";
import { loadFiles } from "@/lib/files/loading";
import { formatMetric, labelOf, metricsOf } from "@/lib/compare/metrics";
import { formatNoun } from "@/lib/format/number";
import { formatAgo } from "@/lib/format/time";
import { comparisonHref, evaluationHref } from "@/lib/places";
import { NewComparison } from "./NewComparison";
import { NewEvaluation } from "./NewEvaluation";

/** Comparisons and evaluations: new ones, and those there were. */
export function Compare() {
  const now = useNow();
  const models = useResource("models", (signal) => call("get", "/v1/models", { signal }));
  const files = useResource("files", loadFiles);
  const found = useResource("comparisons and evaluations", loadStudies, { every: 4000 });
  const schema = useSchema("ComparisonRequest");
  const failed = [models, files, schema].find((each) => each.problem && !each.data);
  return (
    <>
      <PageHead title="Compare" lead="Whether a fine-tuned model is better, and on which rows." />
      {failed?.problem ? <Problem problem={failed.problem} retry={failed.reload} className="mb-4" /> : null}
      {files.data?.length === 0 ? (
        <Notice className="mb-4" actions={<ButtonLink size="small" href="/datasets/">Upload one</ButtonLink>}>
          There is no data set yet whose right answers could be compared with. Prompts that you write need none.
        </Notice>
      ) : null}
      {models.data && files.data && schema.data ? (
        <div className="mb-4 grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
          <NewComparison models={models.data.data} files={files.data} schema={schema.data} />
          <NewEvaluation models={models.data.data} files={files.data} schema={schema.data} />
        </div>
      ) : failed ? null : (
        <Loading label="Loading models" />
      )}
      <Panel title="Earlier">
        {!found.data ? (
          found.problem ? (
            <Problem problem={found.problem} retry={found.reload} className="m-4" />
          ) : (
            <Loading label="Loading comparisons" />
          )
        ) : found.data.length === 0 ? (
          <Empty icon={Scale} title="Nothing compared yet">
            Both models answer the same rows; you see the metrics with their intervals, and each row where they differ.
          </Empty>
        ) : (
          <VirtualRows rows={found.data} rowHeight={60} keyOf={(each) => each.id} label="Comparisons and evaluations" render={(each) => <Entry entry={each} now={now} />} />
        )}
      </Panel>
    </>
  );
}

function Entry({ entry, now }: { entry: Study; now: number | null }) {
  const isComparison = "base_model" in entry;
  return (
    <Link
      prefetch={false}
      href={isComparison ? comparisonHref(entry.id) : evaluationHref(entry.id)}
      className="grid h-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-4 hover:bg-sunken focus-visible:-outline-offset-2 sm:grid-cols-[minmax(0,3fr)_minmax(0,1fr)_7rem]"
    >
      <div className="min-w-0">
        <div className="truncate font-medium">{titleOf(entry)}</div>
        <div className="truncate text-[0.8125rem] text-ink-soft">
          {isComparison ? "comparison" : "evaluation"}
          {now ? ` · ${formatAgo(entry.created_at, now)}` : ""}
        </div>
      </div>
      <span className="figures hidden min-w-0 truncate text-ink-soft sm:block">{summaryOf(entry)}</span>
      <span className="justify-self-end">
        <StatusBadge status={entry.status} />
      </span>
    </Link>
  );
}

function summaryOf(entry: Study): string {
  if (!("base_model" in entry)) {
    const first = entry.figures ? metricsOf(entry.figures)[0] : undefined;
    return first ? `${labelOf(first.name)} ${formatMetric(first.name, first.value)}` : "";
  }
  if (!entry.file_id) return formatNoun(entry.num_prompts, "prompt");
  return entry.figures ? `${entry.figures.wins} wins, ${entry.figures.ties} ties, ${entry.figures.losses} losses` : "";
}
