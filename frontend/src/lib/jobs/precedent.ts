import { call } from "@/lib/api/client";

/** What the last training of a base model took on this machine; null where that is not known. */
export interface Precedent {
  peakMemoryBytes: number | null;
  tokensPerSecond: number | null;
}

export const NO_PRECEDENT: Precedent = { peakMemoryBytes: null, tokensPerSecond: null };

/** The figures of the newest training of a base model that succeeded. */
export async function findPrecedent(model: string): Promise<Precedent> {
  const query = { model, status: "SUCCESS", page_size: 1 };
  const [last] = (await call("get", "/v1/fine_tuning/jobs", { query })).data;
  if (!last) return NO_PRECEDENT;
  const { metrics } = await call("get", "/api/runs/{run_id}", { path: { run_id: last.id } });
  return { peakMemoryBytes: metrics.peak_memory_bytes ?? null, tokensPerSecond: metrics.tokens_per_second ?? null };
}

/** How long so many tokens take at the speed of a precedent, in seconds. */
export function secondsFor(tokens: number | null, { tokensPerSecond }: Precedent): number | null {
  return tokens !== null && tokensPerSecond ? tokens / tokensPerSecond : null;
}
