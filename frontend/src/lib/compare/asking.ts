import type { ComparisonRequest } from "@/lib/api/types";

/** What is to be compared, as it is filled in. */
export interface ComparisonDraft {
  base: string;
  tuned: string;
  on: "file" | "prompts";
  fileId: string;
  /** Questions, separated by a line of dashes. */
  prompts: string;
  entries: Record<string, string>;
}

export const NO_COMPARISON: ComparisonDraft = { base: "", tuned: "", on: "file", fileId: "", prompts: "", entries: {} };

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
  if (draft.on === "prompts" && promptsIn(draft.prompts).length === 0) missing.prompts = "write at least one prompt";
  return missing;
}

/** The request that a draft stands for. */
export function comparisonOf(draft: ComparisonDraft, options: Record<string, number | string>): ComparisonRequest {
  const { limit, ...others } = options;
  const shared = { base_model: draft.base, fine_tuned_model: draft.tuned, ...others };
  if (draft.on === "prompts") return { ...shared, prompts: promptsIn(draft.prompts) };
  return { ...shared, file_id: draft.fileId, ...(limit === undefined ? {} : { limit: Number(limit) }) };
}
