import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Job } from "@/lib/api/types";
import { fieldsOf } from "@/lib/forms/schema";
import { draftLike, NO_DRAFT, problemsOfDraft, refusalsByField, requestOf } from "./draft";

const fields = fieldsOf(JSON.parse(readFileSync("openapi.json", "utf8")).components.schemas.Hyperparameters);
const draft = { ...NO_DRAFT, model: "open-mistral-7b", trainingFile: "f1", hyperparameters: { learning_rate: "2e-4" } };

describe("a job that is filled in", () => {
  it("asks for what was entered, and leaves the rest to the server", () => {
    expect(requestOf(draft, fields)).toEqual({
      model: "open-mistral-7b",
      training_files: [{ file_id: "f1" }],
      validation_files: [],
      suffix: undefined,
      hyperparameters: { learning_rate: 2e-4 },
    });
  });

  it("names everything that is missing or wrong", () => {
    expect(problemsOfDraft(draft, fields)).toEqual({});
    expect(Object.keys(problemsOfDraft(NO_DRAFT, fields))).toEqual(["model", "trainingFile"]);
    const wrong = { ...draft, validationFile: "f1", suffix: "no spaces", hyperparameters: { epochs: "-1" } };
    expect(Object.keys(problemsOfDraft(wrong, fields)).sort()).toEqual(["epochs", "suffix", "validationFile"]);
  });

  it("can be like an earlier job, whose epochs followed from its steps", () => {
    const job = {
      model: "m",
      suffix: null,
      training_files: ["f1"],
      validation_files: ["f2"],
      hyperparameters: { training_steps: 20, epochs: 3.2, learning_rate: 1e-4, weight_decay: 0.1, warmup_fraction: 0.05, seq_len: null, fim_ratio: null },
    } as unknown as Job;
    expect(draftLike(job)).toMatchObject({
      validationFile: "f2",
      hyperparameters: { training_steps: "20", learning_rate: "0.0001", weight_decay: "0.1", warmup_fraction: "0.05" },
    });
    expect(draftLike(job).hyperparameters).not.toHaveProperty("epochs");
  });

  it("shows a refusal at its field", () => {
    const details = [
      { type: "x", loc: ["body", "hyperparameters", "epochs"], msg: "too many" },
      { type: "x", loc: ["body", "model"], msg: "unknown" },
    ];
    expect(refusalsByField(details)).toEqual({ epochs: "too many" });
  });
});
