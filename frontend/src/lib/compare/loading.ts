import { call } from "@/lib/api/client";
import type { Comparison, Evaluation } from "@/lib/api/types";

/** A comparison or an evaluation. */
export type Study = Comparison | Evaluation;

/** The newest comparisons and evaluations, newest first. */
export async function loadStudies(signal: AbortSignal): Promise<Study[]> {
  const query = { page_size: 1000 };
  const [comparisons, evaluations] = await Promise.all([
    call("get", "/api/comparisons", { query, signal }),
    call("get", "/api/evaluations", { query, signal }),
  ]);
  return [...comparisons.data, ...evaluations.data].sort((a, b) => b.created_at - a.created_at);
}

/** What a study is about. */
export function titleOf(study: Study): string {
  return "base_model" in study ? `${study.base_model} → ${study.fine_tuned_model}` : study.model;
}
