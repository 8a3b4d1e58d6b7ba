import { call } from "@/lib/api/client";
import type { Job } from "@/lib/api/types";

const PAGE_SIZE = 1000; // the most that the server gives at a time

/** Every job, newest first, each once, whatever is added while the pages are read. */
export async function loadJobs(signal: AbortSignal): Promise<Job[]> {
  const jobs = new Map<string, Job>();
  for (let page = 0; ; page += 1) {
    const { data } = await call("get", "/v1/fine_tuning/jobs", { query: { page, page_size: PAGE_SIZE }, signal });
    data.forEach((job) => jobs.set(job.id, job));
    if (data.length < PAGE_SIZE) return [...jobs.values()];
  }
}
