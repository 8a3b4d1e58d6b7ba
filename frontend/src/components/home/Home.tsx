"use client";

import { Moon, Plus } from "lucide-react";
import Link from "next/link";
import { JobRow } from "@/components/jobs/JobRow";
import { ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { useNow } from "@/hooks/useNow";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { loadStudies } from "@/lib/compare/loading";
import { hasEnded } from "@/lib/jobs/status";
import { newJobHref } from "@/lib/places";
import { FirstSteps } from "./FirstSteps";
import { RunningJob } from "./RunningJob";
import { RunningStudy } from "./RunningStudy";
import { ServerLine } from "./ServerLine";

const NUM_SHOWN = 8;

/** What happens on the server, and what happened last. */
export function Home() {
  const now = useNow();
  const jobs = useResource("newest jobs", (signal) => call("get", "/v1/fine_tuning/jobs", { query: { page_size: 100 }, signal }), { every: 4000 });
  const runs = useResource("newest runs", (signal) => call("get", "/api/runs", { query: { page_size: 100 }, signal }), { every: 15_000 });
  const studies = useResource("newest comparisons and evaluations", loadStudies, { every: 4000 });
  const server = useResource("server", (signal) => call("get", "/api/server", { signal }), { every: 15_000 });
  if (!jobs.data) return jobs.problem ? <Problem problem={jobs.problem} retry={jobs.reload} /> : <Loading label="Looking at the server" />;
  const all = jobs.data.data;
  if (all.length === 0) {
    return (
      <>
        <PageHead title="Welcome" lead="Nothing has run here yet. Three things to do, or one click to see all of it." />
        <FirstSteps />
        {server.data ? <ServerLine server={server.data} /> : null}
      </>
    );
  }
  const running = all.filter((job) => job.status === "RUNNING" || job.status === "CANCELLATION_REQUESTED");
  const waiting = all.filter((job) => !hasEnded(job.status) && !running.includes(job));
  const answering = (studies.data ?? []).filter((study) => !hasEnded(study.status));
  const runByJob = new Map((runs.data?.runs ?? []).map((run) => [run.job_id, run]));
  const ended = all.filter((job) => hasEnded(job.status)).slice(0, NUM_SHOWN);
  return (
    <>
      <PageHead
        title="Home"
        actions={
          <ButtonLink href={newJobHref()} look="primary">
            <Plus aria-hidden />
            New job
          </ButtonLink>
        }
      />
      <div className="grid gap-4">
        <Panel title="Running now">
          {running.length + answering.length > 0 ? (
            <ul className="divide-y">
              {running.map((job) => (
                <li key={job.id}>
                  <RunningJob job={job} />
                </li>
              ))}
              {answering.map((study) => (
                <li key={study.id}>
                  <RunningStudy study={study} />
                </li>
              ))}
            </ul>
          ) : (
            <Empty icon={Moon} title="Nothing is running" />
          )}
        </Panel>
        {waiting.length > 0 ? (
          <Panel title="Waiting">
            <Rows>
              {waiting.slice(0, NUM_SHOWN).map((job) => (
                <JobRow key={job.id} job={job} now={now} />
              ))}
            </Rows>
          </Panel>
        ) : null}
        {ended.length > 0 ? (
          <Panel
            title="Ended last"
            actions={
              <Link href="/jobs/" className="underline underline-offset-2">
                All jobs
              </Link>
            }
          >
            <Rows>
              {ended.map((job) => (
                <JobRow key={job.id} job={job} now={now} run={runByJob.get(job.id)} />
              ))}
            </Rows>
          </Panel>
        ) : null}
      </div>
      {server.data ? <ServerLine server={server.data} /> : null}
    </>
  );
}

function Rows({ children }: { children: React.ReactElement[] }) {
  return (
    <ul className="divide-y">
      {children.map((child) => (
        <li key={child.key} className="h-[60px]">
          {child}
        </li>
      ))}
    </ul>
  );
}
