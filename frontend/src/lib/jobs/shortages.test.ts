import { expect, it } from "vitest";
import { shortagesOf } from "./shortages";

const FITTING = { memory_device: "gpu", memory_bytes: 8e9, memory_free_bytes: 8e9, disk_bytes: 2e8, disk_free_bytes: 5e10 } as const;

it("a job that fits brings no warning, nor does one of which too little is known", () => {
  expect(shortagesOf(FITTING)).toEqual([]);
  expect(shortagesOf({ ...FITTING, memory_bytes: null })).toEqual([]);
  expect(shortagesOf({ ...FITTING, memory_free_bytes: null })).toEqual([]);
});

it("memory that is too small is told with what is needed, what is free and where", () => {
  const [words, ...more] = shortagesOf({ ...FITTING, memory_bytes: 23.6e9 });
  expect(words).toContain("about 24 GB are needed and 8.0 GB on the GPU are free now");
  expect(more).toEqual([]);
  expect(shortagesOf({ ...FITTING, memory_device: "cpu", memory_bytes: 23.6e9 })[0]).toContain("8.0 GB of this machine's memory are free");
});

it("so is a disk that is too small", () => {
  expect(shortagesOf({ ...FITTING, disk_free_bytes: 1e8 })).toEqual([expect.stringContaining("take about 200 MB, and 100 MB are free")]);
});
