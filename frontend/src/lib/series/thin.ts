/** Points of a curve: `x` rises, a `y` that is not known is null. */
export interface Series {
  x: number[];
  y: (number | null)[];
}

/**
 * A curve of at most about four points a pixel column, drawn alike: of each column the first and last point and the
 * lowest and highest, in their order. No peak is lost, and what is drawn no longer depends on how long a training was.
 */
export function thin({ x, y }: Series, columns: number, from = x[0] ?? 0, to = x[x.length - 1] ?? 0): Series {
  const width = (to - from) / Math.max(1, columns);
  const begin = Math.max(0, indexAtOrAfter(x, from) - 1); // a point on each side, so that lines reach the edges
  const end = Math.min(x.length, indexAtOrAfter(x, to) + 2);
  if (end - begin <= 4 * columns || width <= 0) return { x: x.slice(begin, end), y: y.slice(begin, end) };
  const thinned: Series = { x: [], y: [] };
  let start = begin;
  while (start < end) {
    const column = Math.floor((x[start]! - from) / width);
    let stop = start + 1;
    while (stop < end && Math.floor((x[stop]! - from) / width) === column) stop += 1;
    for (const index of outline(y, start, stop)) {
      thinned.x.push(x[index]!);
      thinned.y.push(y[index]!);
    }
    start = stop;
  }
  return thinned;
}

/** First, lowest, highest and last known point of a stretch, in order and each once. */
function outline(y: (number | null)[], start: number, stop: number): number[] {
  let low = -1;
  let high = -1;
  let first = -1;
  let last = -1;
  for (let index = start; index < stop; index += 1) {
    const value = y[index];
    if (value === null || value === undefined) continue;
    if (first < 0) first = low = high = index;
    if (value < y[low]!) low = index;
    if (value > y[high]!) high = index;
    last = index;
  }
  if (first < 0) return [start]; // nothing known: one point keeps the gap
  return [...new Set([first, low, high, last])].sort((a, b) => a - b);
}

/** The first index whose x is at least `value`; the length where there is none. */
export function indexAtOrAfter(x: number[], value: number): number {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
