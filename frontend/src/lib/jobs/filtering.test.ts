import { expect, it } from "vitest";
import type { Job } from "@/lib/api/types";
import { filterJobs, NO_FILTERS } from "./filtering";

const job = (id: string, status: string, suffix: string | null = null) =>
  ({ id, status, suffix, model: "open-mistral-7b", fine_tuned_model: null }) as Job;

const jobs = [job("a1", "RUNNING", "Triage"), job("b2", "SUCCESS"), job("c3", "QUEUED")];
const ids = (filters: Partial<typeof NO_FILTERS>) => filterJobs(jobs, { ...NO_FILTERS, ...filters }).map((each) => each.id);

it("jobs are narrowed down by status, model and text", () => {
  expect(ids({})).toEqual(["a1", "b2", "c3"]);
  expect(ids({ status: "open" })).toEqual(["a1", "c3"]);
  expect(ids({ status: "SUCCESS" })).toEqual(["b2"]);
  expect(ids({ text: " triAGE " })).toEqual(["a1"]);
  expect(ids({ text: "b2", status: "open" })).toEqual([]);
  expect(ids({ model: "other" })).toEqual([]);
});
