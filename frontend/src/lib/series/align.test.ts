import { expect, it } from "vitest";
import { align } from "./align";

it("curves with steps of their own share one axis", () => {
  const train = { x: [1, 2, 3], y: [3, 2, 1] };
  const validation = { x: [2, 4], y: [2.5, 1.5] };
  expect(align([train, validation])).toEqual({
    x: [1, 2, 3, 4],
    ys: [
      [3, 2, 1, null],
      [null, 2.5, null, 1.5],
    ],
  });
});

it("one curve stays as it is, and no curve is an empty chart", () => {
  expect(align([{ x: [1], y: [2] }])).toEqual({ x: [1], ys: [[2]] });
  expect(align([])).toEqual({ x: [], ys: [] });
});
