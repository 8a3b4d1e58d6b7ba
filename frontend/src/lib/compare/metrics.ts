import type { Comparison, Evaluation } from "@/lib/api/types";
import { formatFigure, formatSigned } from "@/lib/format/number";

type Figures = NonNullable<Evaluation["figures"]>;
type ComparisonFigures = NonNullable<Comparison["figures"]>;
type Difference = ComparisonFigures["differences"][string];

/** A metric of one model with its 95 % interval, if it is a mean over enough rows. */
export interface MetricLine {
  name: string;
  value: number;
  interval: { low: number; high: number } | null;
}

export type Verdict = "higher" | "lower" | "no clear difference";

/** Metrics as `mistraltune eval` and the report name them. */
const LABELS: Record<string, string> = {
  exact_match: "Exact match",
  f1: "F1",
  rouge_l: "ROUGE-L",
  chrf: "chrF",
  bleu: "BLEU",
  json_valid: "Valid JSON",
  edit_similarity: "Edit similarity",
  tool_call_match: "Tool calls matched",
  average_length: "Length in words",
  average_length_tokens: "Length in tokens",
  share_cut: "Answers cut at the limit",
  tokens_per_second: "Tokens per second",
};

/** Figures that are no shares. */
const COUNTS = ["average_length", "average_length_tokens", "tokens_per_second"];

/** Figures beside the scores: told, not judged. */
const BESIDE = [...COUNTS, "share_cut"];

/** A metric's name in words. */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whether a metric says how good answers are. */
export function isScore(name: string): boolean {
  return !BESIDE.includes(name);
}

/** Fine-tuned minus base. */
export interface Change {
  value: number;
  low: number;
  high: number;
  /** Of McNemar's test, where both are shares of the same independent rows. */
  pValue: number | null;
  /** Whether the interval leaves zero out, and on which side. */
  verdict: Verdict;
}

/** A metric of both models. */
export interface DifferenceLine {
  name: string;
  base: MetricLine;
  tuned: MetricLine;
  change: Change | null;
}

/** The metrics of a model, the scores first. */
export function metricsOf(figures: Figures): MetricLine[] {
  const lines = Object.entries(figures.metrics).map(([name, value]) => ({ name, value, interval: figures.intervals[name] ?? null }));
  return lines.sort((a, b) => Number(isScore(b.name)) - Number(isScore(a.name)));
}

/** The metrics that both models have, side by side. */
export function differencesOf(figures: ComparisonFigures): DifferenceLine[] {
  const { base, fine_tuned: tuned, differences } = figures;
  const tunedByName = new Map(metricsOf(tuned).map((line) => [line.name, line]));
  return metricsOf(base).flatMap((line) => {
    const other = tunedByName.get(line.name);
    if (!other) return [];
    return [{ name: line.name, base: line, tuned: other, change: changeOf(differences[line.name]) }];
  });
}

/** A difference as it is read. */
export function changeOf(difference: Difference | undefined): Change | null {
  if (!difference) return null;
  const { low, high } = difference.interval;
  const verdict = low > 0 ? "higher" : high < 0 ? "lower" : "no clear difference";
  return { value: difference.value, low, high, pValue: difference.p_value ?? null, verdict };
}

/** The groups of each field, in the order in which the fields were asked for. */
export function byField<T extends { field: string }>(slices: T[] | undefined): [string, T[]][] {
  const fields = new Map<string, T[]>();
  for (const slice of slices ?? []) fields.set(slice.field, [...(fields.get(slice.field) ?? []), slice]);
  return [...fields];
}

/** A metric's value: shares with three places, counts with one. */
export function formatMetric(name: string, value: number | null | undefined): string {
  return formatFigure(value, placesOf(name));
}

/** A difference of a metric, likewise. */
export function formatChange(name: string, value: number): string {
  return formatSigned(value, placesOf(name));
}

function placesOf(name: string): number {
  return COUNTS.includes(name) ? 1 : 3;
}

/** A probability: 0.031, or < 0.001. */
export function formatProbability(value: number): string {
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}
