import type { JobStatus } from "@/lib/api/types";

/** How a status is coloured. */
export type Tone = "neutral" | "active" | "good" | "warn" | "bad";

interface Meaning {
  word: string;
  tone: Tone;
}

const MEANINGS: Record<JobStatus, Meaning> = {
  QUEUED: { word: "Queued", tone: "neutral" },
  VALIDATING: { word: "Checking data", tone: "active" },
  VALIDATED: { word: "Ready to start", tone: "warn" },
  RUNNING: { word: "Running", tone: "active" },
  CANCELLATION_REQUESTED: { word: "Stopping", tone: "warn" },
  SUCCESS: { word: "Succeeded", tone: "good" },
  FAILED: { word: "Failed", tone: "bad" },
  FAILED_VALIDATION: { word: "Data rejected", tone: "bad" },
  CANCELLED: { word: "Cancelled", tone: "neutral" },
};

export const STATUSES = Object.keys(MEANINGS) as JobStatus[];

/** What a status means to a person; one that is not known here is shown as it is. */
export function meaningOf(status: string): Meaning {
  return MEANINGS[status as JobStatus] ?? { word: status, tone: "neutral" };
}

const ENDED: string[] = ["SUCCESS", "FAILED", "FAILED_VALIDATION", "CANCELLED"];

export function hasEnded(status: string): boolean {
  return ENDED.includes(status);
}

/** Whether a job can still be cancelled. */
export function canCancel(status: string): boolean {
  return !hasEnded(status) && status !== "CANCELLATION_REQUESTED";
}

/** Whether a training can go on where it stopped. */
export function canResume(status: string): boolean {
  return status === "CANCELLED" || status === "FAILED";
}
