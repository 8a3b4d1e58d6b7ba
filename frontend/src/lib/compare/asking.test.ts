import { describe, expect, it } from "vitest";
import { allowingOverlap, comparisonOf, missingIn, NO_COMPARISON, promptsIn } from "./asking";

describe("a comparison that is filled in", () => {
  const draft = { ...NO_COMPARISON, base: "m", tuned: "ft:m", fileId: "f1" };

  it("is on a file, or on prompts that lines of dashes separate", () => {
    expect(comparisonOf(draft, { limit: 10, max_new_tokens: 32 })).toEqual({ base_model: "m", fine_tuned_model: "ft:m", file_id: "f1", limit: 10, max_new_tokens: 32 });
    const prompts = "One\nstill one\n---\n\nTwo - or --- not\n-----\n";
    expect(promptsIn(prompts)).toEqual(["One\nstill one", "Two - or --- not"]);
    expect(comparisonOf({ ...draft, on: "prompts", prompts }, { limit: 10 })).toEqual({
      base_model: "m",
      fine_tuned_model: "ft:m",
      prompts: ["One\nstill one", "Two - or --- not"],
    });
  });

  it("is asked once more as it was, the usual metrics by leaving them out", () => {
    const study = { max_new_tokens: 32, limit: null, evaluator: "text", metrics: [], language: "en", turns: "last", by: ["tag"] } as unknown as Parameters<typeof allowingOverlap>[0];
    expect(allowingOverlap(study)).toEqual({ max_new_tokens: 32, limit: null, evaluator: "text", language: "en", turns: "last", by: ["tag"], allow_overlap: true });
    expect(allowingOverlap({ ...study, metrics: ["chrf"] })).toMatchObject({ metrics: ["chrf"] });
  });

  it("names what is missing", () => {
    expect(missingIn(draft)).toEqual({});
    expect(Object.keys(missingIn(NO_COMPARISON))).toEqual(["base", "tuned", "fileId"]);
    expect(missingIn({ ...draft, tuned: "m" }).tuned).toBe("is the base model itself");
    expect(missingIn({ ...draft, on: "prompts", prompts: " \n---\n" }).prompts).toBeDefined();
  });
});
