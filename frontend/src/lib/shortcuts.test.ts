import { expect, it } from "vitest";
import { press } from "./shortcuts";

it("two keys go to a page, one key acts", () => {
  expect(press([], "g")).toEqual({ command: null, pending: ["g"] });
  expect(press(["g"], "j")).toEqual({ command: { go: "/jobs/" }, pending: [] });
  expect(press([], "n")).toEqual({ command: { go: "/jobs/new/" }, pending: [] });
});

it("a key that does not go on counts for itself", () => {
  expect(press(["g"], "?")).toEqual({ command: { do: "help" }, pending: [] });
  expect(press(["g"], "x")).toEqual({ command: null, pending: [] });
  expect(press([], "x")).toEqual({ command: null, pending: [] });
});
