const GROUPED = new Intl.NumberFormat("en");

/** 12,345; a dash for what is not known. */
export function formatCount(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : GROUPED.format(Math.round(value));
}

/** A count and its noun: 1 row, 2 rows. */
export function formatNoun(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** A loss or a score with `digits` places; a dash for what is not known. */
export function formatFigure(value: number | null | undefined, digits = 4): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

/** A learning rate: 1.00e-4. */
export function formatRate(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return value === 0 ? "0" : value.toExponential(2).replace("e+", "e");
}

/** A share as a percentage: 0.256 is 25.6 %. */
export function formatShare(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : `${(100 * value).toFixed(digits)} %`;
}

/** A difference with its sign: +0.0123, −0.5. */
export function formatSigned(value: number, digits = 4): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}
