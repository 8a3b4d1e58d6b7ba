"use client";

import { Download, FileQuestion, MessageSquare } from "lucide-react";
import { useRouter, useSearchParams } from "next/navigation";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { ButtonLink, DownloadLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { useStanding } from "@/hooks/useStanding";
import { call } from "@/lib/api/client";
import { fillPath } from "@/lib/api/url";
import { allowingOverlap } from "@/lib/compare/asking";
import { formatNoun } from "@/lib/format/number";
import { comparisonHref } from "@/lib/places";
import { ComparisonRows } from "./ComparisonRows";
import { Conditions, OverlapNotice } from "./Conditions";
import { DifferenceTable } from "./MetricTable";
import { OutcomeBar } from "./OutcomeBar";
import { ComparedSlicePanels } from "./SlicePanels";
import { Standing, StandingActions } from "./Standing";

/** The page of the comparison that the address names. */
export function ComparisonPage() {
  const id = useSearchParams().get("id");
  return id ? <ComparisonView key={id} id={id} /> : <UnknownComparison />;
}

function UnknownComparison() {
  return (
    <Panel>
      <Empty isPage icon={FileQuestion} title="There is no such comparison" actions={<ButtonLink href="/compare/">All comparisons</ButtonLink>} />
    </Panel>
  );
}

function ComparisonView({ id }: { id: string }) {
  const router = useRouter();
  const path = { job_id: id };
  const { data, problem, reload } = useStanding(`comparison ${id}`, (signal) => call("get", "/api/comparisons/{job_id}", { path, signal }));
  if (problem?.status === 404) return <UnknownComparison />;
  if (!data) return problem ? <Problem problem={problem} retry={reload} /> : <Loading label="Loading the comparison" />;
  const { figures } = data;
  return (
    <>
      <PageHead
        back={{ href: "/compare/", label: "Compare" }}
        title={`${data.base_model} → ${data.fine_tuned_model}`}
        lead={
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <StatusBadge status={data.status} />
            <span>
              {data.file_id ? (figures ? formatNoun(figures.base.num_examples, data.turns === "all" ? "answer" : "row") : "on a data set") : formatNoun(data.num_prompts, "prompt")}
            </span>
          </span>
        }
        actions={
          <>
            {data.status === "SUCCESS" ? (
              <DownloadLink look="primary" href={fillPath("/api/comparisons/{job_id}/report", path)} download>
                <Download aria-hidden />
                HTML report
              </DownloadLink>
            ) : null}
            <ButtonLink href={`/playground/?${new URLSearchParams({ model: data.base_model, beside: data.fine_tuned_model })}`}>
              <MessageSquare aria-hidden />
              Ask both
            </ButtonLink>
            <StandingActions
              entry={data}
              onCancel={async () => {
                await call("post", "/api/comparisons/{job_id}/cancel", { path });
                reload();
              }}
              onDelete={async () => {
                await call("delete", "/api/comparisons/{job_id}", { path });
                router.push("/compare/");
              }}
            />
          </>
        }
      />
      <div className="grid gap-4">
        <Standing
          entry={data}
          onAllow={async () => {
            const body = { ...allowingOverlap(data), base_model: data.base_model, fine_tuned_model: data.fine_tuned_model, file_id: data.file_id };
            router.push(comparisonHref((await call("post", "/api/comparisons", { body })).id));
          }}
        />
        <OverlapNotice overlap={figures?.fine_tuned.overlap ?? figures?.base.overlap} />
        {figures ? (
          <Panel title="Metrics" hint="In brackets 95 % intervals; differences are paired over the rows.">
            <OutcomeBar wins={figures.wins} ties={figures.ties} losses={figures.losses} />
            <div className="border-t">
              <DifferenceTable figures={figures} />
            </div>
            <Conditions study={data} />
          </Panel>
        ) : null}
        <ComparedSlicePanels slices={figures?.slices} />
        {data.status === "SUCCESS" ? <ComparisonRows comparison={data} /> : null}
      </div>
    </>
  );
}
