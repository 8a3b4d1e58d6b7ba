"use client";

import { FolderOpen } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { VirtualRows } from "@/components/ui/VirtualRows";
import { useResource } from "@/hooks/useResource";
import type { Run } from "@/lib/api/types";
import { formatFigure, formatNoun } from "@/lib/format/number";
import { runHref } from "@/lib/places";
import { loadRuns } from "@/lib/runs/loading";
import { RunBadge } from "./RunBadge";
import { RunCurves } from "./RunCurves";

const MAX_CURVES = 6;

/** Every run directory, and the curves of those that are chosen. */
export function RunList() {
  const { data: runs, problem, reload } = useResource("runs", loadRuns, { every: 15_000 });
  const [chosen, setChosen] = useState<string[]>([]);
  const toggle = (id: string) => setChosen((all) => (all.includes(id) ? all.filter((each) => each !== id) : [...all, id].slice(-MAX_CURVES)));
  const compared = chosen.flatMap((id) => (runs ?? []).find((run) => run.id === id) ?? []);
  return (
    <>
      <PageHead
        title="Runs"
        lead={runs && runs.length > 0 ? `${formatNoun(runs.length, "run directory", "run directories")}; choose some to see their curves over one another.` : null}
        actions={chosen.length > 0 ? <Button onClick={() => setChosen([])}>Choose none</Button> : null}
      />
      {compared.length > 0 ? (
        <div className="mb-4">
          <RunCurves runs={compared} nameOf={nameOf} />
        </div>
      ) : null}
      <Panel>
        {!runs ? (
          problem ? (
            <Problem problem={problem} retry={reload} className="m-4" />
          ) : (
            <Loading label="Reading run directories" />
          )
        ) : runs.length === 0 ? (
          <Empty icon={FolderOpen} title="No runs yet">
            Every training leaves a run directory: its configuration, its curves, its checkpoints and its adapter.
          </Empty>
        ) : (
          <VirtualRows
            rows={runs}
            rowHeight={64}
            keyOf={(run) => run.id}
            label="Runs"
            render={(run) => <RunRow run={run} isChosen={chosen.includes(run.id)} onToggle={() => toggle(run.id)} />}
          />
        )}
      </Panel>
    </>
  );
}

function RunRow({ run, isChosen, onToggle }: { run: Run; isChosen: boolean; onToggle: () => void }) {
  return (
    <div className="flex h-full items-center gap-1 pl-2">
      <label className="flex size-10 shrink-0 items-center justify-center">
        <input type="checkbox" className="size-4 accent-accent" checked={isChosen} onChange={onToggle} aria-label={`Curves of ${nameOf(run)}`} />
      </label>
      <Link
        prefetch={false}
        href={runHref(run.id)}
        className="grid h-full min-w-0 flex-1 grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 pr-4 pl-1 hover:bg-sunken focus-visible:-outline-offset-2 md:grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,1fr)_7rem]"
      >
        <div className="min-w-0">
          <div className="truncate font-medium">{run.model || nameOf(run)}</div>
          <div className="truncate text-[0.8125rem] text-ink-soft">
            <span className="font-mono text-xs">{nameOf(run)}</span>
            {run.started_at ? ` · ${run.started_at.slice(0, 16).replace("T", " ")}` : ""}
          </div>
        </div>
        {run.problem ? (
          <span className="hidden min-w-0 truncate text-bad md:col-span-2 md:block">{run.problem}</span>
        ) : (
          <>
            <span className="figures hidden text-ink-soft md:block">{run.num_steps === null ? "–" : formatNoun(run.num_steps, "step")}</span>
            <span className="figures hidden min-w-0 truncate text-ink-soft md:block">
              {run.train_loss === null ? "" : `loss ${formatFigure(run.train_loss, 3)}`}
              {run.val_loss === null ? "" : ` · val ${formatFigure(run.val_loss, 3)}`}
            </span>
          </>
        )}
        <span className="justify-self-end">
          <RunBadge status={run.status} />
        </span>
      </Link>
    </div>
  );
}

/** A run's short name: the beginning of a job's id, or the directory's own. */
export function nameOf(run: Pick<Run, "name" | "job_id">): string {
  return run.job_id ? run.job_id.slice(0, 8) : run.name;
}

