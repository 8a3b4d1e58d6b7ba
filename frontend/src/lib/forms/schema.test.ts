import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fieldsOf, limitsOf, problemOf, problemsOf, valuesOf } from "./schema";

const document = JSON.parse(readFileSync("openapi.json", "utf8"));
const fields = fieldsOf(document.components.schemas.Hyperparameters);
const field = (name: string) => fields.find((each) => each.name === name)!;

describe("the form of the server's hyperparameters", () => {
  it("has a field for each, with the schema's help and default", () => {
    expect(fields.map((each) => each.name)).toContain("learning_rate");
    expect(field("learning_rate")).toMatchObject({ label: "Learning rate", help: "Peak learning rate.", placeholder: "0.0001" });
    expect(field("training_steps")).toMatchObject({ type: "integer", placeholder: "" });
    expect(fieldsOf(document.components.schemas.Hyperparameters, ["fim_ratio"]).map((each) => each.name)).not.toContain("fim_ratio");
  });

  it("speaks words where the schema speaks of fields", () => {
    expect(field("epochs").help).toBe("Passes over the training rows; training steps decides where both are given.");
    expect(field("seq_len").label).toBe("Sequence length");
  });

  it("refuses what the server would refuse", () => {
    expect(problemOf(field("learning_rate"), "2e-4")).toBeNull();
    expect(problemOf(field("learning_rate"), "2")).toBe("must be 1e-8 to 1");
    expect(problemOf(field("learning_rate"), "fast")).toBe("is no number");
    expect(problemOf(field("learning_rate"), "0x10")).toBe("is no number");
    expect(problemOf(field("learning_rate"), "1e999")).toBe("is no number");
    expect(problemOf(field("training_steps"), "1.5")).toBe("must be a whole number");
    expect(problemOf(field("training_steps"), "0")).toBe("must be 1 to 100,000");
    expect(problemOf(field("epochs"), "0")).toBe("must be more than 0, at most 10,000");
    expect(problemOf(field("warmup_fraction"), "1")).toBe("must be at least 0, less than 1");
  });

  it("sends what was entered and nothing else", () => {
    expect(valuesOf(fields, { learning_rate: " 2e-4 ", training_steps: "", epochs: "3" })).toEqual({ learning_rate: 2e-4, epochs: 3 });
    expect(problemsOf(fields, { learning_rate: "2", epochs: "" })).toEqual({ learning_rate: "must be 1e-8 to 1" });
  });

  it("knows limits of texts", () => {
    const [suffix] = fieldsOf({ properties: { suffix: { anyOf: [{ type: "string", maxLength: 4, pattern: "^[a-z-]*$" }, { type: "null" }] } } });
    expect(problemOf(suffix!, "ab-c")).toBeNull();
    expect(problemOf(suffix!, "abcde")).toBe("has 5 characters; at most 4 are allowed");
    expect(problemOf(suffix!, "a b")).toBe("holds a character that is not allowed here");
    expect(limitsOf({})).toBe("");
    expect(limitsOf({ minimum: 1, maximum: 1e9 })).toBe("at least 1");
  });
});
