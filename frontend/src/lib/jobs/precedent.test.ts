import { expect, it } from "vitest";
import { NO_PRECEDENT, secondsFor } from "./precedent";

it("a job takes as long as its tokens at the speed of the last one", () => {
  expect(secondsFor(30_000, { peakMemoryBytes: null, tokensPerSecond: 2000 })).toBe(15);
  expect(secondsFor(30_000, NO_PRECEDENT)).toBeNull();
  expect(secondsFor(null, { peakMemoryBytes: null, tokensPerSecond: 2000 })).toBeNull();
});
