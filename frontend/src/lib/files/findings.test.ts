import { expect, it } from "vitest";
import { formatBytes } from "@/lib/format/bytes";
import { findingsOf, whyNotSend } from "./findings";

it("a refused upload says line, rule and what to do", () => {
  const details = [
    { type: "no_assistant", loc: ["body", "file", 3], msg: "no answer to train", ctx: { hint: "add an assistant message" } },
    { type: "value_error", loc: ["body"], msg: "no file" },
  ];
  expect(findingsOf(details)).toEqual([
    { line: 3, rule: "no_assistant", message: "no answer to train", hint: "add an assistant message", isError: true },
    { line: null, rule: "value_error", message: "no file", hint: "", isError: true },
  ]);
});

it("a file that is empty or too big is not sent", () => {
  expect(whyNotSend({ name: "a", size: 0 }, 100, formatBytes)).toBe("The file is empty.");
  expect(whyNotSend({ name: "a", size: 2000 }, 1000, formatBytes)).toContain("2.0 kB; this server takes up to 1.0 kB");
  expect(whyNotSend({ name: "a", size: 2000 }, undefined, formatBytes)).toBeNull();
});
