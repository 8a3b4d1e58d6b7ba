import type { ComparisonRequest, EvaluationRequest } from "@/lib/api/types";
import { judgingOf, USUAL_JUDGING, type Judging } from "./judging";
import type { Study } from "./loading";

/** What is to be compared, as it is filled in. */
export interface ComparisonDraft {
  base: string;
  tuned: string;
  on: "file" | "prompts";
  fileId: string;
  /** Questions, separated by a line of dashes. */
  prompts: string;
  entries: Record<string, string>;
  judging: Judging;
}

/** The numbers that both forms ask for. */
export const ANSWER_FIELDS = ["max_new_tokens", "limit"];

export const NO_COMPARISON: ComparisonDraft = { base: "", tuned: "", on: "file", fileId: "", prompts: "", entries: {}, judging: USUAL_JUDGING };

/** The prompts in a text, separated by lines of three dashes or more. */
export function promptsIn(text: string): string[] {
  return text
    .split(/^\s*-{3,}\s*$/m)
    .map((prompt) => prompt.trim())
    .filter(Boolean);
}

/** What is missing from a draft, by place. */
export function missingIn(draft: ComparisonDraft): Record<string, string> {
  const missing: Record<string, string> = {};
  if (!draft.base) missing.base = "choose a model";
  if (!draft.tuned) missing.tuned = "choose a model";
  if (draft.base && draft.base === draft.tuned) missing.tuned = "is the base model itself";
  if (draft.on === "file" && !draft.fileId) missing.fileId = "choose a data set";
  if (draft.on === "file" && draft.judging.metrics.length === 0) missing.metrics = "choose at least one";
  if (draft.on === "prompts" && promptsIn(draft.prompts).length === 0) missing.prompts = "write at least one prompt";
  return missing;
}

/** The request that a draft stands for. */
export function comparisonOf(draft: ComparisonDraft, options: Record<string, number | string>): ComparisonRequest {
  const { limit, ...others } = options;
  const shared = { base_model: draft.base, fine_tuned_model: draft.tuned, ...others };
  if (draft.on === "prompts") return { ...shared, prompts: promptsIn(draft.prompts) };
  return { ...shared, ...judgingOf(draft.judging), file_id: draft.fileId, ...(limit === undefined ? {} : { limit: Number(limit) }) };
}

/** What is to be evaluated, as it is filled in. */
export type EvaluationDraft = Pick<ComparisonDraft, "fileId" | "entries" | "judging"> & { model: string };

export const NO_EVALUATION: EvaluationDraft = { model: "", fileId: "", entries: {}, judging: USUAL_JUDGING };

/** What is missing from a draft, by place. */
export function missingInEvaluation({ model, fileId, judging }: EvaluationDraft): Record<string, string> {
  const missing: Record<string, string> = {};
  if (!model) missing.model = "choose a model";
  if (!fileId) missing.fileId = "choose a data set";
  if (judging.metrics.length === 0) missing.metrics = "choose at least one";
  return missing;
}

/** The request that a draft stands for. */
export function evaluationOf({ model, fileId, judging }: EvaluationDraft, options: Record<string, number | string>): EvaluationRequest {
  return { model, file_id: fileId, ...options, ...judgingOf(judging) };
}

/** How a comparison or an evaluation was asked for, for asking once more with rows allowed that were trained on. */
export function allowingOverlap({ max_new_tokens, limit, evaluator, metrics, language, turns, by }: Study) {
  const asked = { max_new_tokens, limit, evaluator, language, turns, by, allow_overlap: true };
  return metrics.length > 0 ? { ...asked, metrics } : asked; // the usual ones are told as none, and left out when asked for
}
