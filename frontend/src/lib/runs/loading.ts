import { call } from "@/lib/api/client";
import type { Run, RunSeries } from "@/lib/api/types";
import type { Series } from "@/lib/series/thin";

const PAGE_SIZE = 1000; // the most that the server gives at a time

/** Every run that the server knows, newest first. */
export async function loadRuns(signal: AbortSignal): Promise<Run[]> {
  const runs = new Map<string, Run>();
  for (let page = 0; ; page += 1) {
    const { runs: found } = await call("get", "/api/runs", { query: { page, page_size: PAGE_SIZE }, signal });
    found.forEach((run) => runs.set(run.id, run));
    if (found.length < PAGE_SIZE) return [...runs.values()];
  }
}

/** The curves of a run. */
export async function loadSeries(id: string, signal: AbortSignal): Promise<RunSeries> {
  return call("get", "/api/runs/{run_id}/metrics", { path: { run_id: id }, query: { max_points: 100_000 }, signal });
}

/** What can be drawn of a run. */
export const FIGURES = {
  loss: "Loss",
  val_loss: "Validation loss",
  val_accuracy: "Validation accuracy",
  learning_rate: "Learning rate",
  tokens_per_second: "Tokens per second",
} as const;

export type FigureName = keyof typeof FIGURES;

/** One figure of a run by step. */
export function seriesOf(found: RunSeries, figure: FigureName): Series {
  if (figure === "val_loss" || figure === "val_accuracy") {
    return { x: found.validation.map((point) => point.step), y: found.validation.map((point) => point[figure]) };
  }
  return { x: found.steps.map((point) => point.step), y: found.steps.map((point) => point[figure]) };
}
