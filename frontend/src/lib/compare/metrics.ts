import type { Comparison, Evaluation } from "@/lib/api/types";

type Figures = NonNullable<Evaluation["figures"]>;

/** A metric of one model with its 95 % interval, if it is a mean over rows. */
export interface MetricLine {
  name: string;
  value: number;
  interval: { low: number; high: number } | null;
}

export type Verdict = "higher" | "lower" | "no clear difference";

/** Figures beside the scores, as `mistraltune eval` names them. */
const LABELS: Record<string, string> = {
  average_length: "Length in words",
  average_length_tokens: "Length in tokens",
  share_cut: "Share cut at the token limit",
  tokens_per_second: "Tokens per second",
};

/** A metric's name in words. */
export function labelOf(name: string): string {
  const words = LABELS[name] ?? name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A metric of both models. */
export interface DifferenceLine {
  name: string;
  base: MetricLine;
  tuned: MetricLine;
  difference: { value: number; low: number; high: number } | null;
  /** Whether the interval of the difference leaves zero out, and on which side. */
  verdict: Verdict | null;
  /** Whether higher is better: lengths and speeds are told, not judged. */
  isScore: boolean;
}

/** The metrics of a model, those with an interval first. */
export function metricsOf(figures: Figures): MetricLine[] {
  const lines = Object.entries(figures.metrics).map(([name, value]) => ({ name, value, interval: figures.intervals[name] ?? null }));
  return lines.sort((a, b) => Number(b.interval !== null) - Number(a.interval !== null));
}

/** The metrics that both models have, side by side. */
export function differencesOf(figures: NonNullable<Comparison["figures"]>): DifferenceLine[] {
  const { base, fine_tuned: tuned, differences } = figures;
  const tunedByName = new Map(metricsOf(tuned).map((line) => [line.name, line]));
  return metricsOf(base).flatMap((line) => {
    const other = tunedByName.get(line.name);
    if (!other) return [];
    const found = differences[line.name];
    const difference = found ? { value: found.value, low: found.interval.low, high: found.interval.high } : null;
    return [{ name: line.name, base: line, tuned: other, difference, verdict: difference ? verdictOf(difference) : null, isScore: !(line.name in LABELS) }];
  });
}

function verdictOf({ low, high }: { low: number; high: number }): Verdict {
  if (low > 0) return "higher";
  return high < 0 ? "lower" : "no clear difference";
}
