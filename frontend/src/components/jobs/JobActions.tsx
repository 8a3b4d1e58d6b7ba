"use client";

import { CircleStop, CopyPlus, MessageSquare, Play, RotateCw } from "lucide-react";
import { useState } from "react";
import { Button, ButtonLink } from "@/components/ui/Button";
import { Modal } from "@/components/ui/Modal";
import { Problem } from "@/components/ui/Notice";
import { useAction } from "@/hooks/useAction";
import { cancelJob, resumeJob, startJob } from "@/lib/jobs/acting";
import { canCancel, canResume } from "@/lib/jobs/status";
import { newJobHref, playgroundHref } from "@/lib/places";
import type { JobDetails } from "@/lib/api/types";

/** What can be done with a job as it stands. */
export function JobActions({ job, onChange, onResume }: { job: JobDetails; onChange: () => void; onResume: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const start = useAction(async () => {
    await startJob(job.id);
    onChange();
  });
  const cancel = useAction(async () => {
    await cancelJob(job.id);
    setAsking(false);
    onChange();
  });
  const resume = useAction(async () => {
    await resumeJob(job.id);
    onResume();
  });
  const problem = start.problem ?? resume.problem;
  return (
    <>
      {job.status === "VALIDATED" || (!job.auto_start && (job.status === "QUEUED" || job.status === "VALIDATING")) ? (
        <Button look="primary" disabled={start.isBusy} onClick={() => start.run()}>
          <Play aria-hidden />
          Start
        </Button>
      ) : null}
      {job.fine_tuned_model ? (
        <ButtonLink look="primary" href={playgroundHref(job.fine_tuned_model)}>
          <MessageSquare aria-hidden />
          Try the model
        </ButtonLink>
      ) : null}
      {canResume(job.status) ? (
        <Button look="primary" disabled={resume.isBusy} onClick={() => resume.run()}>
          <RotateCw aria-hidden />
          Resume
        </Button>
      ) : null}
      <ButtonLink href={newJobHref({ from: job.id })}>
        <CopyPlus aria-hidden />
        Duplicate
      </ButtonLink>
      {canCancel(job.status) ? (
        <Button look="danger" onClick={() => setAsking(true)}>
          <CircleStop aria-hidden />
          Cancel
        </Button>
      ) : null}
      {problem ? <Problem problem={problem} className="w-full" /> : null}
      <Modal
        open={isAsking}
        onOpenChange={setAsking}
        title="Cancel this job?"
        description={job.status === "RUNNING" ? "It finishes its step, saves a checkpoint and stops. It can be resumed from there." : "It has not begun to train. It can be resumed later."}
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Let it go on</Button>
            <Button look="danger" disabled={cancel.isBusy} onClick={() => cancel.run()}>
              Cancel the job
            </Button>
          </>
        }
      >
        {cancel.problem ? <Problem problem={cancel.problem} /> : null}
      </Modal>
    </>
  );
}
