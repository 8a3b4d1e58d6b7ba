import { Badge } from "@/components/ui/Badge";
import { DataTable } from "@/components/ui/DataTable";
import type { Comparison, Evaluation } from "@/lib/api/types";
import { differencesOf, formatProbability, labelOf, metricsOf, type Change, type MetricLine, type Verdict } from "@/lib/compare/metrics";
import type { Tone } from "@/lib/jobs/status";
import { formatFigure, formatSigned } from "@/lib/format/number";

const TONES: Record<Verdict, Tone> = { higher: "good", lower: "bad", "no clear difference": "neutral" };

/** Both models' metrics with 95 % intervals, and their differences, paired over the rows. */
export function DifferenceTable({ figures }: { figures: NonNullable<Comparison["figures"]> }) {
  const lines = differencesOf(figures);
  const hasP = lines.some((line) => hasProbability(line.change));
  return (
    <DataTable
      label="Metrics"
      heads={["Metric", "Base", "Fine-tuned", "Difference", ...(hasP ? ["McNemar’s p"] : []), "Reading"]}
      rows={lines.map(({ name, base, tuned, change, isScore }) => ({
        key: name,
        cells: [labelOf(name), <Metric key="base" {...base} />, <Metric key="tuned" {...tuned} />, ...changeCells(change, { hasP, isScore })],
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
export function changeCells(change: Change | null, { hasP, isScore }: { hasP: boolean; isScore: boolean }) {
  const nothing = <span className="text-ink-soft">–</span>;
  return [
    change ? (
      <>
        {formatSigned(change.value, 3)}{" "}
        <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">
          [{formatSigned(change.low, 3)}, {formatSigned(change.high, 3)}]
        </span>
      </>
    ) : (
      nothing
    ),
    ...(hasP ? [change && change.pValue !== null ? formatProbability(change.pValue) : nothing] : []),
    change ? <Badge tone={isScore ? TONES[change.verdict] : "neutral"}>{change.verdict}</Badge> : null,
  ];
}

/** A value with its interval, where it has one. */
export function Metric({ value, interval }: Pick<MetricLine, "value" | "interval">) {
  return (
    <>
      {formatFigure(value, 3)}
      {interval ? (
        <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">
          {" "}
          [{formatFigure(interval.low, 3)}, {formatFigure(interval.high, 3)}]
        </span>
      ) : null}
    </>
  );
}
