import Link from "next/link";
import { memo } from "react";
import { formatFigure, formatNoun } from "@/lib/format/number";
import { formatAgo } from "@/lib/format/time";
import { jobHref } from "@/lib/places";
import type { Job, Run } from "@/lib/api/types";
import { StatusBadge } from "./StatusBadge";

/** One job of a list: 60 pixels high wherever it stands. */
export const JobRow = memo(function JobRow({ job, now, run }: {
  job: Job;
  now: number | null;
  /** Its run directory, whose figures are shown. */
  run?: Run;
}) {
  const { training_steps: steps } = job.hyperparameters;
  return (
    <Link
      prefetch={false}
      href={jobHref(job.id)}
      className="grid h-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-4 hover:bg-sunken focus-visible:-outline-offset-2 md:grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,1fr)_8rem]"
    >
      <div className="min-w-0">
        <div className="truncate font-medium">{job.suffix || job.model}</div>
        <div className="truncate text-[0.8125rem] text-ink-soft">
          {job.suffix ? `${job.model} · ` : ""}
          <span className="font-mono text-xs">{job.id.slice(0, 8)}</span>
          <span className="md:hidden">{now ? ` · ${formatAgo(job.created_at, now)}` : ""}</span>
        </div>
      </div>
      <div className="figures hidden min-w-0 truncate text-ink-soft md:block">{steps ? formatNoun(steps, "step") : "–"}</div>
      <div className="figures hidden min-w-0 truncate text-ink-soft md:block">
        {run && run.train_loss !== null ? figuresOf(run) : now ? formatAgo(job.created_at, now) : ""}
      </div>
      <div className="justify-self-end">
        <StatusBadge status={job.status} />
      </div>
    </Link>
  );
});

function figuresOf({ train_loss: loss, val_loss: valLoss }: Run): string {
  return [`loss ${formatFigure(loss, 3)}`, valLoss === null ? "" : `val ${formatFigure(valLoss, 3)}`].filter(Boolean).join(" · ");
}
