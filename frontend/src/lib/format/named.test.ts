import { expect, it } from "vitest";
import { formatNamed, labelOf } from "./named";

it("a figure is written in the unit of its name", () => {
  expect(formatNamed("peak_memory_bytes", 1_551_757_312)).toBe("1.6 GB");
  expect(formatNamed("tokens_per_second", 2082.45)).toBe("2,082");
  expect(formatNamed("train_seconds", 185)).toBe("3 min 5 s");
  expect(formatNamed("num_steps", 4000)).toBe("4,000");
  expect(formatNamed("train_loss", 1.23456)).toBe("1.2346");
  expect(formatNamed("val_loss", null)).toBe("–");
  expect([labelOf("num_steps"), labelOf("peak_memory_bytes")]).toEqual(["steps", "peak memory"]);
});
