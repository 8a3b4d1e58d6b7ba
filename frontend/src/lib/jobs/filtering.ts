import type { Job } from "@/lib/api/types";
import { hasEnded } from "./status";

/** What a list of jobs is narrowed down to; "" is anything. */
export interface Filters {
  /** A status, or "open" for all that have not ended. */
  status: string;
  model: string;
  /** Part of the id, of the model's name, or of the suffix. */
  text: string;
}

export const NO_FILTERS: Filters = { status: "", model: "", text: "" };

export function filterJobs(jobs: Job[], { status, model, text }: Filters): Job[] {
  const wanted = text.trim().toLowerCase();
  return jobs.filter(
    (job) =>
      (!status || (status === "open" ? !hasEnded(job.status) : job.status === status)) &&
      (!model || job.model === model) &&
      (!wanted || [job.id, job.model, job.suffix, job.fine_tuned_model].some((name) => name?.toLowerCase().includes(wanted))),
  );
}
