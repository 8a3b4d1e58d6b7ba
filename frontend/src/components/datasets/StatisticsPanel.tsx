"use client";

import { Histogram } from "@/components/charts/Histogram";
import { Figure } from "@/components/ui/Facts";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { formatCount, formatNoun, formatShare } from "@/lib/format/number";
import { FindingTable } from "./FindingTable";

/** How many tokens a file has for a model, how long its rows are, and how much of them is trained. */
export function StatisticsPanel({ fileId, model }: { fileId: string; model: string }) {
  const { data, problem, isLoading, reload } = useResource(model ? `statistics ${fileId} ${model}` : null, (signal) =>
    call("get", "/api/files/{file_id}/statistics", { path: { file_id: fileId }, query: { model }, signal }),
  );
  return (
    <Panel title="Statistics" hint={data ? `As ${data.model} counts tokens.` : undefined}>
      {!model ? <p className="px-4 py-6 text-ink-soft">Choose a model above: tokens are counted as it counts them.</p> : null}
      {problem ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {isLoading ? <Loading label="Counting tokens" /> : null}
      {data ? (
        <>
          <dl className="grid grid-cols-2 gap-x-6 gap-y-3 px-4 py-3.5 sm:grid-cols-3 xl:grid-cols-6">
            <Figure label="Rows" value={formatCount(data.num_rows)} />
            <Figure label="Duplicates" value={formatCount(data.num_duplicates)} hint="Rows that stand in the file before" />
            <Figure label="Tokens" value={formatCount(data.num_tokens)} />
            <Figure label="Trained" value={formatShare(data.num_tokens ? data.num_trained_tokens / data.num_tokens : null)} hint={formatNoun(data.num_trained_tokens, "token")} />
            <Figure label="Longest row" value={formatCount(data.lengths.longest)} hint="tokens" />
            <Figure label={`Steps an epoch (${data.rows_per_step} rows each)`} value={formatCount(data.steps_per_epoch)} />
          </dl>
          <div className="grid items-end gap-6 border-t px-4 py-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
            <Histogram bins={data.lengths.bins} label="tokens a row" unit="tokens" />
            <dl className="figures grid grid-cols-3 gap-x-4 gap-y-1 text-[0.8125rem]">
              {Object.entries(data.lengths.percentiles).map(([name, value]) => (
                <div key={name} className="flex justify-between gap-2">
                  <dt className="text-ink-soft">{name}</dt>
                  <dd>{formatCount(value)}</dd>
                </div>
              ))}
            </dl>
          </div>
          {data.num_refused > 0 ? (
            <div className="border-t">
              <Notice tone="bad" className="m-4">
                {formatNoun(data.num_refused, "row")} cannot be trained with this model.
              </Notice>
              <FindingTable
                numHidden={data.num_refused - data.refused.length}
                findings={data.refused.map(({ line, rule, message, hint }) => ({ line, rule, message, hint, isError: true }))}
              />
            </div>
          ) : null}
        </>
      ) : null}
    </Panel>
  );
}
