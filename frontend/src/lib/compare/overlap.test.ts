import { expect, it } from "vitest";
import { overlapText } from "./overlap";

it("rows that a model was trained on are counted, the first ones named", () => {
  const overlap = { train_file: "train.jsonl", problem: "", rows: [1, 2, 3, 5, 8, 13] };
  expect(overlapText({ ...overlap, num_exact: 1200, num_near: 2 })).toBe("Evaluated rows are in the model’s training data, train.jsonl: 1,200 exactly and 2 nearly (rows 1, 2, 3, 5, 8 …).");
  expect(overlapText({ ...overlap, num_exact: 0, num_near: 1, rows: [4] })).toBe("Evaluated rows are in the model’s training data, train.jsonl: 1 nearly (row 4).");
  expect(overlapText({ ...overlap, part: "validation", num_exact: 3 })).toContain("the model’s validation data");
  expect(overlapText({ ...overlap, num_exact: 0, num_near: 0, rows: [] })).toBe("");
});
