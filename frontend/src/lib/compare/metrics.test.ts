import { expect, it } from "vitest";
import { byField, changeOf, differencesOf, formatChange, formatMetric, formatProbability, isScore, labelOf, metricsOf } from "./metrics";

const side = (exact: number) => ({
  evaluator: "text",
  eval_sha256: "",
  num_examples: 10,
  metrics: { tokens_per_second: 50, exact_match: exact },
  intervals: { exact_match: { low: exact - 0.1, high: exact + 0.1 } },
  sampling: {},
});

it("scores come first", () => {
  expect(metricsOf(side(0.5)).map((line) => line.name)).toEqual(["exact_match", "tokens_per_second"]);
});

it("a difference is higher or lower only where its interval leaves zero out", () => {
  const verdict = (low: number, high: number) =>
    differencesOf({ base: side(0.4), fine_tuned: side(0.6), differences: { exact_match: { value: 0.2, interval: { low, high } } }, wins: 1, ties: 0, losses: 0 }).map(
      (line) => line.change?.verdict ?? null,
    );
  expect(verdict(0.1, 0.3)).toEqual(["higher", null]);
  expect(verdict(-0.3, -0.1)).toEqual(["lower", null]);
  expect(verdict(-0.1, 0.3)).toEqual(["no clear difference", null]);
});

it("lengths and speeds are no scores", () => {
  expect(["exact_match", "tokens_per_second", "share_cut", "of_a_plugin"].map((name) => [labelOf(name), isScore(name)])).toEqual([
    ["Exact match", true],
    ["Tokens per second", false],
    ["Answers cut at the limit", false],
    ["Of a plugin", true],
  ]);
});

it("McNemar's p stands beside a difference of shares", () => {
  const interval = { low: 0.1, high: 0.3 };
  expect(changeOf({ value: 0.2, interval, p_value: 0.0001 })?.pValue).toBe(0.0001);
  expect(changeOf({ value: 0.2, interval })?.pValue).toBeNull();
  expect(changeOf(undefined)).toBeNull();
  expect([0.0001, 0.0314, 1].map(formatProbability)).toEqual(["< 0.001", "0.031", "1.000"]);
});

it("groups of rows stand by their field", () => {
  const slices = ["tag", "tag", "language"].map((field, index) => ({ field, value: String(index) }));
  expect(byField(slices).map(([field, found]) => [field, found.length])).toEqual([
    ["tag", 2],
    ["language", 1],
  ]);
  expect(byField(undefined)).toEqual([]);
});

it("shares have three places, lengths and speeds one", () => {
  expect([formatMetric("f1", 0.75468), formatMetric("average_length", 8.509), formatMetric("share_cut", undefined)]).toEqual(["0.755", "8.5", "–"]);
  expect([formatChange("chrf", 0.6), formatChange("average_length_tokens", -7.464)]).toEqual(["+0.600", "−7.5"]);
});
