import type { JobEvent } from "@/lib/events/stream";
import type { Series } from "@/lib/series/thin";

/** A line of a job's log: what happened, or what its process printed. */
export interface LogLine {
  seq: number;
  at: number;
  kind: "status" | "phase" | "note" | "error" | "log" | "checkpoint" | "data" | "model";
  text: string;
}

/** The newest figures of a training. */
export interface Figures {
  step: number;
  loss: number | null;
  valLoss: number | null;
  learningRate: number | null;
  tokensPerSecond: number | null;
  /** Seconds that the steps took so far, without validation and saving. */
  seconds: number | null;
}

/** A training as its events tell it. */
export interface Progress {
  status: string | null;
  numSteps: number;
  figures: Figures;
  loss: Series;
  valLoss: Series;
  learningRate: Series;
  speed: Series;
  /** Steps of the checkpoints, as they were saved. */
  checkpoints: { step: number; at: number }[];
  log: LogLine[];
  /** How far the preparation of the data is, while it lasts. */
  preparation: { done: number; total: number } | null;
}

const series = (): Series => ({ x: [], y: [] });

/** What is known before the first event. */
export function noProgress(): Progress {
  return {
    status: null,
    numSteps: 0,
    figures: { step: 0, loss: null, valLoss: null, learningRate: null, tokensPerSecond: null, seconds: null },
    loss: series(),
    valLoss: series(),
    learningRate: series(),
    speed: series(),
    checkpoints: [],
    log: [],
    preparation: null,
  };
}

/** Takes one event in. Changes `progress`: a long training has very many events. */
export function follow(progress: Progress, event: JobEvent): void {
  const { data } = event;
  switch (event.name) {
    case "begin":
      progress.numSteps = numberOf(data.num_steps) ?? progress.numSteps;
      rewind(progress, numberOf(data.step) ?? 0);
      progress.preparation = null;
      return;
    case "step":
      return followStep(progress, data);
    case "validation":
      return followValidation(progress, data);
    case "progress":
      progress.preparation = { done: numberOf(data.done) ?? 0, total: numberOf(data.total) ?? 0 };
      return;
    case "checkpoint":
      progress.checkpoints.push({ step: numberOf(data.step) ?? 0, at: event.created_at });
      break;
    case "status-updated":
      progress.status = textOf(data.status);
      break;
  }
  const line = lineOf(event);
  if (line) progress.log.push(line);
}

/** Seconds until the last step at the pace of the steps so far; null before there is a pace. */
export function secondsLeft({ figures, numSteps }: Progress): number | null {
  if (!figures.seconds || figures.step <= 0 || numSteps <= 0) return null;
  return (figures.seconds / figures.step) * Math.max(0, numSteps - figures.step);
}

/** How much of a training is done, 0 to 1; null before that is known. */
export function shareDone({ figures, numSteps }: Progress): number | null {
  return numSteps > 0 ? Math.min(1, figures.step / numSteps) : null;
}

function followStep(progress: Progress, data: Record<string, unknown>): void {
  const step = numberOf(data.step);
  if (step === null) return;
  const { figures } = progress;
  figures.step = step;
  figures.loss = numberOf(data.loss);
  figures.learningRate = numberOf(data.learning_rate);
  figures.tokensPerSecond = numberOf(data.tokens_per_second);
  figures.seconds = numberOf(data.seconds);
  append(progress.loss, step, figures.loss);
  append(progress.learningRate, step, figures.learningRate);
  append(progress.speed, step, figures.tokensPerSecond);
}

function followValidation(progress: Progress, data: Record<string, unknown>): void {
  const step = numberOf(data.step);
  if (step === null) return;
  progress.figures.valLoss = numberOf(data.val_loss);
  append(progress.valLoss, step, progress.figures.valLoss);
}

/** A training that goes on from an earlier step tells the steps behind it again: what was there is dropped. */
function rewind(progress: Progress, step: number): void {
  for (const each of [progress.loss, progress.valLoss, progress.learningRate, progress.speed]) {
    while (each.x.length > 0 && each.x[each.x.length - 1]! > step) {
      each.x.pop();
      each.y.pop();
    }
  }
  progress.checkpoints = progress.checkpoints.filter((checkpoint) => checkpoint.step <= step);
  progress.figures.step = step;
}

function append(to: Series, x: number, y: number | null): void {
  const last = to.x.length - 1;
  if (last >= 0 && to.x[last]! >= x) {
    if (to.x[last] === x) to.y[last] = y;
    return;
  }
  to.x.push(x);
  to.y.push(y);
}

function lineOf({ seq, created_at: at, name, data }: JobEvent): LogLine | null {
  switch (name) {
    case "status-updated":
      return { seq, at, kind: "status", text: textOf(data.status) };
    case "checkpoint":
      return { seq, at, kind: "checkpoint", text: `checkpoint saved at step ${textOf(data.step)}` };
    case "error":
      return { seq, at, kind: "error", text: textOf(data.message) };
    case "note":
    case "phase":
    case "log":
      return { seq, at, kind: name, text: textOf(data.text) };
    case "data":
      return { seq, at, kind: "data", text: `${textOf(data.name)} data: ${factsOf(data, ["num_rows", "num_tokens", "num_trained_tokens"])}` };
    case "model":
      return { seq, at, kind: "model", text: `model: ${factsOf(data, ["num_adapters", "num_trainable", "dtype", "device"])}` };
    default:
      return null;
  }
}

function factsOf(data: Record<string, unknown>, names: string[]): string {
  return names
    .filter((name) => name in data)
    .map((name) => `${name.replace(/^num_/, "").replaceAll("_", " ")} ${typeof data[name] === "number" ? data[name].toLocaleString("en") : textOf(data[name])}`)
    .join(", ");
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}
