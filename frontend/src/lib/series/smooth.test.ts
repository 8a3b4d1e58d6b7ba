import { expect, it } from "vitest";
import { smooth } from "./smooth";

it("a constant curve stays as it is from its first point on", () => {
  const { y } = smooth({ x: [1, 2, 3], y: [2, 2, 2] }, 0.9);
  y.forEach((value) => expect(value).toBeCloseTo(2, 12));
});

it("weight 0 changes nothing, and gaps stay gaps", () => {
  expect(smooth({ x: [1, 2, 3], y: [3, null, 1] }, 0).y).toEqual([3, null, 1]);
});

it("a step is followed slowly", () => {
  const { y } = smooth({ x: [1, 2], y: [0, 1] }, 0.5);
  expect(y[1]).toBeCloseTo(2 / 3, 12); // (0.5 * 0 * 0.5 + 0.5 * 1) / 0.75
});
