import { describe, expect, it } from "vitest";
import { rowsInSight } from "./window";

const list = { numRows: 5000, rowHeight: 40, height: 800 };

describe("a list of 5,000 rows", () => {
  it("draws what is in sight and a little around it", () => {
    expect(rowsInSight({ ...list, scrollTop: 0 })).toEqual({ start: 0, end: 28, offset: 0 });
    expect(rowsInSight({ ...list, scrollTop: 100_010 })).toEqual({ start: 2492, end: 2529, offset: 99_680 });
  });

  it("ends with its last row, also when it became shorter while scrolled down", () => {
    expect(rowsInSight({ ...list, scrollTop: 200_000 - 800 }).end).toBe(5000);
    expect(rowsInSight({ ...list, numRows: 3, scrollTop: 100_000 })).toEqual({ start: 3, end: 3, offset: 120 });
  });

  it("draws nothing of nothing, and stands rubber-band scrolling", () => {
    expect(rowsInSight({ ...list, numRows: 0, scrollTop: 0 }).end).toBe(0);
    expect(rowsInSight({ ...list, scrollTop: -50 }).start).toBe(0);
  });
});
