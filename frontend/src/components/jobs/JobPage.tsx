"use client";

import { FileQuestion } from "lucide-react";
import { useSearchParams } from "next/navigation";
import { useEffect, useState } from "react";
import { ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { useJobEvents } from "@/hooks/useJobEvents";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { loadFiles } from "@/lib/files/loading";
import { CheckpointTable } from "./CheckpointTable";
import { JobActions } from "./JobActions";
import { JobCurves } from "./JobCurves";
import { JobFigures } from "./JobFigures";
import { JobLog } from "./JobLog";
import { JobSettings } from "./JobSettings";
import { LineState, LostLine } from "./LineState";
import { StatusBadge } from "./StatusBadge";

const back = { href: "/jobs/", label: "Jobs" };

/** The page of the job that the address names. */
export function JobPage() {
  const id = useSearchParams().get("id");
  return id ? <JobView key={id} id={id} /> : <UnknownJob />;
}

function UnknownJob() {
  return (
    <Panel>
      <Empty isPage icon={FileQuestion} title="There is no such job" actions={<ButtonLink href="/jobs/">All jobs</ButtonLink>} />
    </Panel>
  );
}

function JobView({ id }: { id: string }) {
  const [turn, setTurn] = useState(0);
  const { progress, state, version, retryNow } = useJobEvents(id, turn);
  const { data: job, problem, reload } = useResource(`job ${id}`, (signal) => call("get", "/v1/fine_tuning/jobs/{job_id}", { path: { job_id: id }, signal }));
  const { data: files } = useResource("files", loadFiles);
  const told = progress.status;
  useEffect(() => {
    if (told || state === "ended") reload(); // what depends on the status: the plan, the model's name
  }, [told, state, reload]);

  if (problem?.status === 404) return <UnknownJob />;
  if (!job) return problem ? <Problem problem={problem} retry={reload} /> : <Loading label="Loading the job" />;
  const status = told ?? job.status;
  const error = progress.log.findLast((line) => line.kind === "error");
  const fileNames = new Map((files ?? []).map((file) => [file.id, file.filename]));
  return (
    <>
      <PageHead
        back={back}
        title={job.suffix || job.model}
        lead={
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1" aria-live="polite">
            <StatusBadge status={status} />
            <LineState state={state} />
            {job.fine_tuned_model ? <span className="font-mono text-xs break-all">{job.fine_tuned_model}</span> : null}
          </span>
        }
        actions={
          <JobActions
            job={{ ...job, status: status as typeof job.status }}
            onChange={reload}
            onResume={() => {
              reload();
              setTurn((last) => last + 1);
            }}
          />
        }
      />
      <LostLine state={state} retryNow={retryNow} />
      {error && (status === "FAILED" || status === "FAILED_VALIDATION") ? (
        <Notice tone="bad" className="mb-4">
          {error.text}
        </Notice>
      ) : null}
      <div className="grid gap-4">
        <Panel>
          <JobFigures progress={progress} status={status} />
        </Panel>
        <JobCurves progress={progress} version={version} />
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <div className="grid min-w-0 gap-4">
            <JobLog lines={progress.log} />
            <CheckpointTable progress={progress} />
          </div>
          <JobSettings job={job} fileNames={fileNames} />
        </div>
      </div>
    </>
  );
}
