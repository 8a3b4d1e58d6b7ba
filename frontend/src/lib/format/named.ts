import { formatBytes } from "./bytes";
import { formatCount, formatFigure } from "./number";
import { formatDuration } from "./time";

/** A figure in the unit that its name ends with: bytes, seconds, per second; others as a count or with four places. */
export function formatNamed(name: string, value: number | null): string {
  if (name.endsWith("_bytes")) return formatBytes(value);
  if (name.endsWith("_per_second")) return formatCount(value);
  if (name.endsWith("_seconds")) return formatDuration(value);
  return value !== null && Number.isInteger(value) ? formatCount(value) : formatFigure(value);
}

/** A figure's name in words, without what its value says already. */
export function labelOf(name: string): string {
  return name.replace(/^num_/, "").replace(/_bytes$/, "").replaceAll("_", " ");
}
