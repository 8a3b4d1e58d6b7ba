import { expect, it } from "vitest";
import type { RunSeries } from "@/lib/api/types";
import { seriesOf } from "./loading";

it("a run's figures become curves", () => {
  const found = {
    run_id: "r",
    last_step: 2,
    num_steps_logged: 2,
    steps: [
      { step: 1, loss: 2, learning_rate: 1e-4, tokens_per_second: null },
      { step: 2, loss: 1, learning_rate: 5e-5, tokens_per_second: 10 },
    ],
    validation: [{ step: 2, val_loss: 1.5, val_accuracy: 0.5 }],
  } satisfies RunSeries;
  expect(seriesOf(found, "loss")).toEqual({ x: [1, 2], y: [2, 1] });
  expect(seriesOf(found, "tokens_per_second").y).toEqual([null, 10]);
  expect(seriesOf(found, "val_loss")).toEqual({ x: [2], y: [1.5] });
});
