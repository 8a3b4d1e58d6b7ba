import { Badge } from "@/components/ui/Badge";
import { DataTable } from "@/components/ui/DataTable";
import type { Comparison, Evaluation } from "@/lib/api/types";
import { differencesOf, formatChange, formatMetric, formatProbability, isScore, labelOf, metricsOf, type Change, type MetricLine, type Verdict } from "@/lib/compare/metrics";
import type { Tone } from "@/lib/jobs/status";

const TONES: Record<Verdict, Tone> = { higher: "good", lower: "bad", "no clear difference": "neutral" };

/** Both models' metrics with 95 % intervals, and their differences, paired over the rows. */
export function DifferenceTable({ figures }: { figures: NonNullable<Comparison["figures"]> }) {
  const lines = differencesOf(figures);
  const hasP = lines.some((line) => hasProbability(line.change));
  return (
    <DataTable
      label="Metrics"
      heads={["Metric", "Base", "Fine-tuned", "Difference", ...(hasP ? ["McNemar’s p"] : []), "Reading"]}
      rows={lines.map(({ name, base, tuned, change }) => ({
        key: name,
        cells: [labelOf(name), <Metric key="base" {...base} />, <Metric key="tuned" {...tuned} />, ...changeCells(name, change, hasP)],
      }))}
    />
  );
}

/** One model's metrics with 95 % intervals. */
export function MetricTable({ figures }: { figures: NonNullable<Evaluation["figures"]> }) {
  return (
    <DataTable
      label="Metrics"
      heads={["Metric", "Value"]}
      rows={metricsOf(figures).map((line) => ({ key: line.name, cells: [labelOf(line.name), <Metric key="value" {...line} />] }))}
    />
  );
}

export function hasProbability(change: Change | null): boolean {
  return change !== null && change.pValue !== null;
}

/** A difference with its interval, McNemar's p where the table has it, and how to read it. */
export function changeCells(metric: string, change: Change | null, hasP: boolean) {
  const nothing = <span className="text-ink-soft">–</span>;
  return [
    change ? (
      <>
        {formatChange(metric, change.value)}{" "}
        <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">
          [{formatChange(metric, change.low)}, {formatChange(metric, change.high)}]
        </span>
      </>
    ) : (
      nothing
    ),
    ...(hasP ? [change && change.pValue !== null ? formatProbability(change.pValue) : nothing] : []),
    change ? <Badge tone={isScore(metric) ? TONES[change.verdict] : "neutral"}>{change.verdict}</Badge> : null,
  ];
}

/** A value with its interval, where it has one. */
export function Metric({ name, value, interval }: MetricLine) {
  return (
    <>
      {formatMetric(name, value)}
      {interval ? (
        <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">
          {" "}
          [{formatMetric(name, interval.low)}, {formatMetric(name, interval.high)}]
        </span>
      ) : null}
    </>
  );
}
