import { expect, it } from "vitest";
import { jobHref, newJobHref, placeOf } from "./places";

it("every page belongs to a place of the navigation", () => {
  const paths = ["/", "/jobs/", "/jobs/new/", "/job/", "/dataset", "/comparison/", "/run/", "/signed-out/"];
  expect(paths.map(placeOf)).toEqual(["/", "/jobs/", "/jobs/", "/jobs/", "/datasets/", "/compare/", "/runs/", null]);
});

it("ids are escaped", () => {
  expect(jobHref("a&b=c")).toBe("/job/?id=a%26b%3Dc");
  expect(newJobHref({ from: "x y" })).toBe("/jobs/new/?from=x+y");
  expect(newJobHref()).toBe("/jobs/new/");
});
