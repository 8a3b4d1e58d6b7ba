import { describe, expect, it } from "vitest";
import { formatBytes } from "./bytes";
import { formatCount, formatFigure, formatNoun, formatRate, formatShare, formatSigned } from "./number";
import { formatAgo, formatDuration, formatTime } from "./time";

describe("what a person reads", () => {
  it("of sizes", () => {
    const sizes = [0, 1, 999, 1000, 1500, 9_949_999, 24_000_000, 999_500, 536_870_912, 5e15];
    const words = ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "1.5 kB", "9.9 MB", "24 MB", "1.0 MB", "537 MB", "5000 TB"];
    expect(sizes.map(formatBytes)).toEqual(words);
  });

  it("of durations, never 60 of a unit", () => {
    const seconds = [0, 0.04, 0.42, 5, 9.96, 59.6, 119.6, 185, 3599.6, 7440, 86_399, 270_000];
    const words = ["0 s", "0 s", "0.4 s", "5 s", "10 s", "1 min", "2 min", "3 min 5 s", "1 h", "2 h 4 min", "1 d", "3 d 3 h"];
    expect(seconds.map(formatDuration)).toEqual(words);
    expect([null, undefined, NaN, -1, Infinity].map(formatDuration)).toEqual(["–", "–", "–", "–", "–"]);
  });

  it("of times", () => {
    expect([100, 40, -60, -5000, -200_000].map((at) => formatAgo(at, 100))).toEqual([
      "just now",
      "1 min ago",
      "3 min ago",
      "1 h ago",
      "2 d ago",
    ]);
    expect(formatTime(new Date(2026, 10, 26, 14, 3, 9).getTime() / 1000)).toBe("2026-11-26 14:03:09");
  });

  it("of figures", () => {
    expect(formatCount(1234567)).toBe("1,234,567");
    expect(formatCount(null)).toBe("–");
    expect([formatNoun(1, "row"), formatNoun(2, "row"), formatNoun(0, "entry", "entries")]).toEqual(["1 row", "2 rows", "0 entries"]);
    expect(formatFigure(1.23456)).toBe("1.2346");
    expect(formatFigure(NaN)).toBe("–");
    expect([formatRate(1e-4), formatRate(0), formatRate(undefined)]).toEqual(["1.00e-4", "0", "–"]);
    expect(formatShare(0.2563)).toBe("25.6 %");
    expect([formatSigned(0.5, 2), formatSigned(-0.5, 2), formatSigned(-0.0001, 2)]).toEqual(["+0.50", "−0.50", "0.00"]);
  });
});
