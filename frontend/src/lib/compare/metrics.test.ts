import { expect, it } from "vitest";
import { differencesOf, labelOf, metricsOf } from "./metrics";

const side = (exact: number) => ({
  evaluator: "text",
  eval_sha256: "",
  num_examples: 10,
  metrics: { tokens_per_second: 50, exact_match: exact },
  intervals: { exact_match: { low: exact - 0.1, high: exact + 0.1 } },
  sampling: {},
});

it("metrics with an interval come first", () => {
  expect(metricsOf(side(0.5)).map((line) => line.name)).toEqual(["exact_match", "tokens_per_second"]);
});

it("a difference is higher or lower only where its interval leaves zero out", () => {
  const verdict = (low: number, high: number) =>
    differencesOf({ base: side(0.4), fine_tuned: side(0.6), differences: { exact_match: { value: 0.2, interval: { low, high } } }, wins: 1, ties: 0, losses: 0 }).map(
      (line) => line.verdict,
    );
  expect(verdict(0.1, 0.3)).toEqual(["higher", null]);
  expect(verdict(-0.3, -0.1)).toEqual(["lower", null]);
  expect(verdict(-0.1, 0.3)).toEqual(["no clear difference", null]);
});

it("lengths and speeds are no scores", () => {
  const lines = differencesOf({ base: side(0.4), fine_tuned: side(0.6), differences: {}, wins: 0, ties: 0, losses: 0 });
  expect(lines.map((line) => [labelOf(line.name), line.isScore])).toEqual([
    ["Exact match", true],
    ["Tokens per second", false],
  ]);
});
