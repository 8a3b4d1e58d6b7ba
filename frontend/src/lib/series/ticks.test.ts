import { expect, it } from "vitest";
import { shortened } from "./ticks";

it("an axis has no places that tell nothing", () => {
  expect(shortened(["10.0000", "7.5000", "0.0000"])).toEqual(["10.0", "7.5", "0.0"]);
  expect(shortened(["10.0000", "5.0000"])).toEqual(["10", "5"]);
  expect(shortened(["1.00e-2", "5.00e-3", "0"])).toEqual(["1.00e-2", "5.00e-3", "0"]);
  expect(shortened(["2,000", "1,000"])).toEqual(["2,000", "1,000"]);
  expect([shortened([]), shortened([""]), shortened(["", "1.50"])]).toEqual([[], [""], ["", "1.5"]]);
});
