import type { Job, JobRequest } from "@/lib/api/types";
import type { Detail } from "@/lib/api/problem";
import { problemsOf, valuesOf, type Field } from "@/lib/forms/schema";

/** A job that is being filled in. */
export interface Draft {
  model: string;
  trainingFile: string;
  validationFile: string;
  suffix: string;
  /** What was entered for each hyperparameter; "" leaves it to the server. */
  hyperparameters: Record<string, string>;
}

export const NO_DRAFT: Draft = { model: "", trainingFile: "", validationFile: "", suffix: "", hyperparameters: {} };

const SUFFIX = /^[A-Za-z0-9._-]{0,18}$/;

/** A draft that asks for what a job asked for. */
export function draftLike(job: Job): Draft {
  const { training_steps, epochs, ...others } = job.hyperparameters;
  const wanted = { ...others, training_steps, epochs: training_steps === null ? epochs : null }; // steps decide over epochs
  const entries = Object.entries(wanted).filter(([, value]) => value !== null);
  return {
    model: job.model,
    trainingFile: job.training_files[0] ?? "",
    validationFile: job.validation_files[0] ?? "",
    suffix: job.suffix ?? "",
    hyperparameters: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
  };
}

/** What is wrong with a draft or missing from it, by place. */
export function problemsOfDraft(draft: Draft, fields: Field[]): Record<string, string> {
  const problems = problemsOf(fields, draft.hyperparameters);
  if (!draft.model) problems.model = "choose a model";
  if (!draft.trainingFile) problems.trainingFile = "choose the training data";
  if (draft.trainingFile && draft.trainingFile === draft.validationFile) {
    problems.validationFile = "is the training data too; its loss would say nothing";
  }
  if (!SUFFIX.test(draft.suffix)) problems.suffix = "has up to 18 letters, digits, dots, dashes and underscores";
  return problems;
}

/** The request that a draft stands for. */
export function requestOf(draft: Draft, fields: Field[]): JobRequest {
  return {
    model: draft.model,
    training_files: [{ file_id: draft.trainingFile }],
    validation_files: draft.validationFile ? [draft.validationFile] : [],
    suffix: draft.suffix || undefined,
    hyperparameters: valuesOf(fields, draft.hyperparameters),
  };
}

/** What the server said of each hyperparameter. */
export function refusalsByField(details: Detail[]): Record<string, string> {
  const named = details.filter(({ loc }) => loc[1] === "hyperparameters" && typeof loc[2] === "string");
  return Object.fromEntries(named.map(({ loc, msg }) => [String(loc[2]), msg]));
}
