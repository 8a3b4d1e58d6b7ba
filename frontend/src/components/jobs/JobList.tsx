"use client";

import { ListChecks, Plus, SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import { Button, ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { VirtualRows } from "@/components/ui/VirtualRows";
import { useNow } from "@/hooks/useNow";
import { useResource } from "@/hooks/useResource";
import { formatNoun } from "@/lib/format/number";
import { filterJobs, NO_FILTERS } from "@/lib/jobs/filtering";
import { loadJobs } from "@/lib/jobs/loading";
import { newJobHref } from "@/lib/places";
import { JobFilters } from "./JobFilters";
import { JobRow } from "./JobRow";

const ROW_HEIGHT = 60;

export function JobList() {
  const [isLong, setLong] = useState(false);
  const { data: jobs, problem, reload } = useResource("jobs", async (signal) => {
    const loaded = await loadJobs(signal);
    setLong(loaded.length > 500);
    return loaded;
  }, { every: isLong ? 30_000 : 4000 });
  const [filters, setFilters] = useState(NO_FILTERS);
  const now = useNow();
  const models = useMemo(() => [...new Set((jobs ?? []).map((job) => job.model))].sort(), [jobs]);
  const shown = useMemo(() => filterJobs(jobs ?? [], filters), [jobs, filters]);
  return (
    <>
      <PageHead
        title="Jobs"
        lead={jobs ? (shown.length === jobs.length ? formatNoun(jobs.length, "job") : `${formatNoun(shown.length, "job")} of ${jobs.length}`) : null}
        actions={
          <ButtonLink href={newJobHref()} look="primary">
            <Plus aria-hidden />
            New job
          </ButtonLink>
        }
      />
      {problem && !problem.isOffline ? <Problem problem={problem} retry={reload} className="mb-4" /> : null}
      {jobs && jobs.length > 0 ? (
        <div className="mb-3">
          <JobFilters filters={filters} onChange={setFilters} models={models} />
        </div>
      ) : null}
      <Panel>
        {!jobs ? (
          problem ? null : <Loading label="Loading jobs" />
        ) : jobs.length === 0 ? (
          <Empty icon={ListChecks} title="No jobs yet" actions={<ButtonLink href={newJobHref()} look="primary">Start the first one</ButtonLink>}>
            A job fine-tunes a model on a data set. Its events, curves and checkpoints appear here while it runs.
          </Empty>
        ) : shown.length === 0 ? (
          <Empty icon={SearchX} title="No job is like that" actions={<Button onClick={() => setFilters(NO_FILTERS)}>Show all jobs</Button>} />
        ) : (
          <VirtualRows rows={shown} rowHeight={ROW_HEIGHT} keyOf={(job) => job.id} label="Jobs" render={(job) => <JobRow job={job} now={now} />} />
        )}
      </Panel>
    </>
  );
}
