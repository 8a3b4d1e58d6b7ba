import type { Series } from "./thin";

/**
 * A curve's exponential moving average, without the pull towards its first value.
 *
 * Source of the correction: Kingma and Ba 2015, "Adam", section 3.
 *
 * @param weight How much of the past each point keeps, 0 to below 1.
 */
export function smooth({ x, y }: Series, weight: number): Series {
  let average = 0;
  let mass = 0;
  return {
    x,
    y: y.map((value) => {
      if (value === null) return null;
      average = weight * average + (1 - weight) * value;
      mass = weight * mass + (1 - weight);
      return average / mass;
    }),
  };
}
