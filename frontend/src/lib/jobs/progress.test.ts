import { describe, expect, it } from "vitest";
import type { JobEvent } from "@/lib/events/stream";
import { follow, noProgress, secondsLeft, shareDone, type Progress } from "./progress";

function told(...events: [string, Record<string, unknown>][]): Progress {
  const progress = noProgress();
  events.forEach(([name, data], index) => follow(progress, { seq: index + 1, created_at: 100 + index, name, data } satisfies JobEvent));
  return progress;
}

const step = (number: number, loss: number): [string, Record<string, unknown>] => [
  "step",
  { step: number, loss, learning_rate: 1e-4, tokens_per_second: 50, seconds: number * 2 },
];

describe("a training as its events tell it", () => {
  it("has its curves and newest figures", () => {
    const progress = told(["begin", { step: 0, num_steps: 10 }], step(1, 3), step(2, 2.5), ["validation", { step: 2, val_loss: 2.7 }]);
    expect(progress.loss).toEqual({ x: [1, 2], y: [3, 2.5] });
    expect(progress.valLoss).toEqual({ x: [2], y: [2.7] });
    expect(progress.figures).toMatchObject({ step: 2, loss: 2.5, valLoss: 2.7, tokensPerSecond: 50 });
    expect(secondsLeft(progress)).toBe(16);
    expect(shareDone(progress)).toBe(0.2);
  });

  it("drops the steps that are trained again after an interruption", () => {
    const progress = told(
      ["begin", { step: 0, num_steps: 6 }],
      step(1, 3),
      ["checkpoint", { step: 2 }],
      step(2, 2.5),
      step(3, 2.2),
      ["begin", { step: 2, num_steps: 6 }],
      step(3, 2.1),
    );
    expect(progress.loss).toEqual({ x: [1, 2, 3], y: [3, 2.5, 2.1] });
    expect(progress.checkpoints.map((each) => each.step)).toEqual([2]);
  });

  it("has a log of what happened, in words", () => {
    const progress = told(
      ["status-updated", { status: "RUNNING" }],
      ["phase", { phase: "load", text: "loading the model" }],
      ["log", { text: "a warning of a library" }],
      ["checkpoint", { step: 4 }],
      ["error", { message: "the data is gone" }],
      ["tick", { step: 5 }],
    );
    expect(progress.log.map((line) => `${line.kind}: ${line.text}`)).toEqual([
      "status: RUNNING",
      "phase: loading the model",
      "log: a warning of a library",
      "checkpoint: checkpoint saved at step 4",
      "error: the data is gone",
    ]);
    expect(progress.status).toBe("RUNNING");
  });

  it("knows no time left before there is a pace, and stands odd events", () => {
    expect(secondsLeft(noProgress())).toBeNull();
    expect(shareDone(noProgress())).toBeNull();
    const progress = told(["step", { loss: "NaN" }], ["step", { step: 1, loss: null }], ["validation", {}], ["status-updated", {}]);
    expect(progress.loss).toEqual({ x: [1], y: [null] });
  });
});
