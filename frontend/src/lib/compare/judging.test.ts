import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { choicesOf, groupingsOf, judgingOf, numUnusual, toggled, USUAL_JUDGING } from "./judging";

describe("how answers are judged", () => {
  it("is sent where it is not the usual way", () => {
    expect(judgingOf(USUAL_JUDGING)).toEqual({});
    const asked = { ...USUAL_JUDGING, metrics: ["chrf" as const], by: ["tag"], allow_overlap: true };
    expect(judgingOf(asked)).toEqual({ metrics: ["chrf"], by: ["tag"], allow_overlap: true });
    expect(numUnusual(asked)).toBe(3);
  });

  it("is chosen from what the server's schema allows, in its order", () => {
    const document = JSON.parse(readFileSync("openapi.json", "utf8"));
    const metrics = choicesOf(document.components.schemas.EvaluationRequest, "metrics");
    expect(metrics.slice(0, 3)).toEqual(["exact_match", "f1", "rouge_l"]);
    expect(choicesOf(document.components.schemas.ComparisonRequest, "language")).toContain("fr");
    expect(choicesOf({}, "metrics")).toEqual([]);
    expect(toggled(["f1"], "exact_match", metrics)).toEqual(["exact_match", "f1"]);
    expect(toggled(["exact_match", "f1"], "exact_match", metrics)).toEqual(["f1"]);
  });

  it("is told apart by fields that make several groups of several rows", () => {
    const fields = [
      { name: "instruction", num_groups: 1 },
      { name: "tag", num_groups: 3 },
      { name: "input", num_groups: 12 },
    ];
    expect(groupingsOf({ file_id: "f", num_rows: 12, fields })).toEqual([{ name: "tag", num_groups: 3 }]);
  });
});
