import { describe, expect, it } from "vitest";
import { indexAtOrAfter, thin, type Series } from "./thin";

function wave(length: number): Series {
  const x = Array.from({ length }, (_, index) => index + 1);
  return { x, y: x.map((step) => 2 + Math.sin(step / 700) + ((step * 7919) % 13) / 100) };
}

describe("a thinned curve", () => {
  it("of 100,000 points has at most four a pixel column", () => {
    const thinned = thin(wave(100_000), 800);
    expect(thinned.x.length).toBeLessThanOrEqual(4 * 801);
    expect(thinned.x.length).toBeGreaterThan(800);
  });

  it("keeps each column's lowest and highest value, and both ends", () => {
    const curve = wave(100_000);
    curve.y[43_210] = 99;
    curve.y[76_543] = -99;
    const thinned = thin(curve, 500);
    expect(thinned.y).toContain(99);
    expect(thinned.y).toContain(-99);
    expect(thinned.x[0]).toBe(1);
    expect(thinned.x.at(-1)).toBe(100_000);
    const width = (100_000 - 1) / 500;
    for (let column = 0; column < 500; column += 1) {
      const inColumn = (step: number) => Math.floor((step - 1) / width) === column;
      const all = curve.y.filter((_, index) => inColumn(curve.x[index]!)) as number[];
      const kept = thinned.y.filter((_, index) => inColumn(thinned.x[index]!)) as number[];
      expect(Math.min(...kept)).toBe(Math.min(...all));
      expect(Math.max(...kept)).toBe(Math.max(...all));
    }
  });

  it("keeps the order of steps", () => {
    const { x } = thin(wave(20_000), 300);
    expect(x.every((step, index) => index === 0 || step > x[index - 1]!)).toBe(true);
  });

  it("is the curve itself where that is short", () => {
    const curve = wave(50);
    expect(thin(curve, 800)).toEqual(curve);
  });

  it("of a zoomed range reaches one point beyond it", () => {
    const { x } = thin(wave(1000), 400, 100, 200);
    expect(x[0]).toBe(99);
    expect(x.at(-1)).toBe(201);
  });

  it("keeps gaps, and nothing of nothing", () => {
    const x = Array.from({ length: 10_000 }, (_, index) => index);
    const y = x.map((step) => (step < 5000 ? null : 1));
    const thinned = thin({ x, y }, 100);
    expect(thinned.y[0]).toBeNull();
    expect(thinned.y.at(-1)).toBe(1);
    expect(thin({ x: [], y: [] }, 100)).toEqual({ x: [], y: [] });
  });

  it("finds a step by halving", () => {
    expect([0, 1, 2, 5, 9].map((value) => indexAtOrAfter([1, 2, 5], value))).toEqual([0, 0, 1, 2, 3]);
  });
});
