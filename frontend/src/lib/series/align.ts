import type { Series } from "./thin";

/** Several curves on one axis: all x that occur, and each curve's y on them, null where it has none. */
export interface Aligned {
  x: number[];
  ys: (number | null)[][];
}

/** Curves over one another, as a chart with one axis wants them. */
export function align(curves: Series[]): Aligned {
  const [only] = curves;
  if (curves.length === 1 && only) return { x: only.x, ys: [only.y] };
  const x = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const place = new Map(x.map((value, index) => [value, index]));
  const ys = curves.map((curve) => {
    const y = new Array<number | null>(x.length).fill(null);
    curve.x.forEach((value, index) => (y[place.get(value)!] = curve.y[index] ?? null));
    return y;
  });
  return { x, ys };
}
