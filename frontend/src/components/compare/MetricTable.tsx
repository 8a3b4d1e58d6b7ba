import { Badge } from "@/components/ui/Badge";
import type { Comparison, Evaluation } from "@/lib/api/types";
import { differencesOf, labelOf, metricsOf, type MetricLine, type Verdict } from "@/lib/compare/metrics";
import type { Tone } from "@/lib/jobs/status";
import { formatFigure, formatSigned } from "@/lib/format/number";

const TONES: Record<Verdict, Tone> = { higher: "good", lower: "bad", "no clear difference": "neutral" };

const HEAD = "px-3 py-1.5 font-medium first:pl-4 last:pr-4";
const CELL = "px-3 py-1.5 first:pl-4 last:pr-4";

/** Both models' metrics with 95 % intervals, and their differences, paired over the rows. */
export function DifferenceTable({ figures }: { figures: NonNullable<Comparison["figures"]> }) {
  return (
    <div className="relative overflow-x-auto focus-visible:-outline-offset-2" tabIndex={0} role="region" aria-label="Metrics">
      <table className="figures w-full text-left">
        <thead className="text-[0.8125rem] text-ink-soft">
          <tr>
            <th scope="col" className={HEAD}>Metric</th>
            <th scope="col" className={HEAD}>Base</th>
            <th scope="col" className={HEAD}>Fine-tuned</th>
            <th scope="col" className={HEAD}>Difference</th>
            <th scope="col" className={HEAD}>Reading</th>
          </tr>
        </thead>
        <tbody>
          {differencesOf(figures).map(({ name, base, tuned, difference, verdict, isScore }) => (
            <tr key={name} className="border-t">
              <th scope="row" className={`${CELL} font-medium`}>{labelOf(name)}</th>
              <td className={CELL}><Metric line={base} /></td>
              <td className={CELL}><Metric line={tuned} /></td>
              <td className={CELL}>
                {difference ? (
                  <>
                    {formatSigned(difference.value, 3)}{" "}
                    <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">[{formatSigned(difference.low, 3)}, {formatSigned(difference.high, 3)}]</span>
                  </>
                ) : (
                  <span className="text-ink-soft">–</span>
                )}
              </td>
              <td className={CELL}>{verdict ? <Badge tone={isScore ? TONES[verdict] : "neutral"}>{verdict}</Badge> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** One model's metrics with 95 % intervals. */
export function MetricTable({ figures }: { figures: NonNullable<Evaluation["figures"]> }) {
  return (
    <table className="figures w-full text-left">
      <thead className="text-[0.8125rem] text-ink-soft">
        <tr>
          <th scope="col" className={HEAD}>Metric</th>
          <th scope="col" className={HEAD}>Value</th>
        </tr>
      </thead>
      <tbody>
        {metricsOf(figures).map((line) => (
          <tr key={line.name} className="border-t">
            <th scope="row" className={`${CELL} font-medium`}>{labelOf(line.name)}</th>
            <td className={CELL}><Metric line={line} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Metric({ line }: { line: MetricLine }) {
  return (
    <>
      {formatFigure(line.value, 3)}
      {line.interval ? (
        <span className="text-[0.8125rem] whitespace-nowrap text-ink-soft">
          {" "}
          [{formatFigure(line.interval.low, 3)}, {formatFigure(line.interval.high, 3)}]
        </span>
      ) : null}
    </>
  );
}
