import Link from "next/link";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { Bar } from "@/components/ui/Bar";
import { titleOf, type Study } from "@/lib/compare/loading";
import { formatCount } from "@/lib/format/number";
import { comparisonHref, evaluationHref } from "@/lib/places";

/** A comparison or an evaluation that has not ended. */
export function RunningStudy({ study }: { study: Study }) {
  const { progress } = study;
  return (
    <Link href={"base_model" in study ? comparisonHref(study.id) : evaluationHref(study.id)} className="block px-4 py-3 hover:bg-sunken focus-visible:-outline-offset-2">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <span className="min-w-0 truncate font-medium">{titleOf(study)}</span>
        <StatusBadge status={study.status} />
      </div>
      {progress ? (
        <>
          <div className="mt-2">
            <Bar value={progress.num_total > 0 ? progress.num_done / progress.num_total : null} label="Progress" />
          </div>
          <p className="figures mt-1.5 text-[0.8125rem] text-ink-soft">
            {progress.text}
            {progress.num_total > 0 ? `, ${formatCount(progress.num_done)} of ${formatCount(progress.num_total)}` : ""}
          </p>
        </>
      ) : null}
    </Link>
  );
}
