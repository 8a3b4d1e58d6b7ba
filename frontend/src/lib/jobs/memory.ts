import { call } from "@/lib/api/client";

/** The most memory that the last training of a base model took, in bytes; null before there was one. */
export async function memoryOfLast(model: string): Promise<number | null> {
  const query = { model, status: "SUCCESS", page_size: 1 };
  const [last] = (await call("get", "/v1/fine_tuning/jobs", { query })).data;
  if (!last) return null;
  const run = await call("get", "/api/runs/{run_id}", { path: { run_id: last.id } });
  return run.metrics.peak_memory_bytes ?? null;
}
