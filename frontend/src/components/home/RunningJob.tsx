"use client";

import Link from "next/link";
import { LineState } from "@/components/jobs/LineState";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { Bar } from "@/components/ui/Bar";
import { useJobEvents } from "@/hooks/useJobEvents";
import type { Job } from "@/lib/api/types";
import { formatCount, formatFigure } from "@/lib/format/number";
import { formatDuration } from "@/lib/format/time";
import { secondsLeft, shareDone } from "@/lib/jobs/progress";
import { jobHref } from "@/lib/places";

/** A job that trains right now, as it goes. */
export function RunningJob({ job }: { job: Job }) {
  const { progress, state } = useJobEvents(job.id, 0);
  const { figures, numSteps } = progress;
  const left = secondsLeft(progress);
  return (
    <Link href={jobHref(job.id)} className="block px-4 py-3 hover:bg-sunken focus-visible:-outline-offset-2">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <span className="min-w-0 truncate font-medium">{job.suffix || job.model}</span>
        <span className="flex items-center gap-3">
          <LineState state={state} />
          <StatusBadge status={progress.status ?? job.status} />
        </span>
      </div>
      <div className="mt-2">
        <Bar value={shareDone(progress)} label="Steps done" />
      </div>
      <div className="figures mt-1.5 flex flex-wrap gap-x-5 text-[0.8125rem] text-ink-soft">
        <span>{numSteps ? `step ${formatCount(figures.step)} of ${formatCount(numSteps)}` : "preparing"}</span>
        {figures.loss !== null ? <span>loss {formatFigure(figures.loss)}</span> : null}
        {figures.valLoss !== null ? <span>validation {formatFigure(figures.valLoss)}</span> : null}
        {left !== null ? <span>{formatDuration(left)} left</span> : null}
      </div>
    </Link>
  );
}
