import { call } from "@/lib/api/client";
import type { DryRun, Job, JobRequest } from "@/lib/api/types";

/** Let a job run that waits for it. */
export async function startJob(id: string): Promise<void> {
  await call("post", "/v1/fine_tuning/jobs/{job_id}/start", { path: { job_id: id } });
}

/** Stop a job; a running one saves a checkpoint first. */
export async function cancelJob(id: string): Promise<void> {
  await call("post", "/v1/fine_tuning/jobs/{job_id}/cancel", { path: { job_id: id } });
}

/** Let a stopped training go on from its last checkpoint. */
export async function resumeJob(id: string): Promise<void> {
  await call("post", "/api/jobs/{job_id}/resume", { path: { job_id: id } });
}

/** Make a job that starts as soon as its data is checked. */
export async function createJob(request: JobRequest): Promise<Job> {
  const body = { ...request, auto_start: true };
  return (await call("post", "/v1/fine_tuning/jobs", { body })) as Job;
}

/** What a job would do; none is made. */
export async function measureJob(request: JobRequest, signal?: AbortSignal): Promise<DryRun> {
  return (await call("post", "/v1/fine_tuning/jobs", { body: request, query: { dry_run: true }, signal })) as DryRun;
}
