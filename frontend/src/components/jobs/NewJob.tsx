"use client";

import { useRouter, useSearchParams } from "next/navigation";
import { useEffect, useMemo, useState } from "react";
import { FileSelect } from "@/components/datasets/FileSelect";
import { Button, ButtonLink } from "@/components/ui/Button";
import { Field, Input, Select } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useAction } from "@/hooks/useAction";
import { useResource } from "@/hooks/useResource";
import { useSchema } from "@/hooks/useSchema";
import { call } from "@/lib/api/client";
import type { DryRun } from "@/lib/api/types";
import { loadFiles } from "@/lib/files/loading";
import { fieldsOf, helpOf } from "@/lib/forms/schema";
import { createJob, measureJob } from "@/lib/jobs/acting";
import { draftLike, NO_DRAFT, problemsOfDraft, refusalsByField, requestOf, type Draft } from "@/lib/jobs/draft";
import { jobHref } from "@/lib/places";
import { DryRunResult } from "./DryRunResult";

const SKIPPED = ["fim_ratio"]; // of no effect here

/** Fills in a job, shows what it would do, and starts it. */
export function NewJob() {
  const router = useRouter();
  const query = useSearchParams();
  const from = query.get("from");
  const models = useResource("models", (signal) => call("get", "/v1/models", { signal }));
  const files = useResource("files", loadFiles);
  const schema = useSchema("Hyperparameters");
  const like = useResource(from ? `job ${from}` : null, (signal) => call("get", "/v1/fine_tuning/jobs/{job_id}", { path: { job_id: from ?? "" }, signal }));
  const [draft, setDraft] = useState<Draft>({ ...NO_DRAFT, trainingFile: query.get("file") ?? "", model: query.get("model") ?? "" });
  const [isChecked, setChecked] = useState(false);
  const [plan, setPlan] = useState<{ of: string; plan: DryRun } | null>(null);

  useEffect(() => {
    if (like.data) setDraft(draftLike(like.data));
  }, [like.data]);

  const fields = useMemo(() => fieldsOf(schema.data ?? {}, SKIPPED), [schema.data]);
  const bases = useMemo(() => (models.data?.data ?? []).filter((model) => model.type === "base"), [models.data]);
  const problems = problemsOfDraft(draft, fields);
  const request = requestOf(draft, fields);
  const isSound = Object.keys(problems).length === 0;

  const measure = useAction(async () => {
    setChecked(true);
    if (!isSound) return;
    setPlan({ of: JSON.stringify(request), plan: await measureJob(request) });
  });
  const create = useAction(async () => {
    setChecked(true);
    if (isSound) router.push(jobHref((await createJob(request)).id));
  });
  const refusal = create.problem ?? measure.problem;
  const isBusy = create.isBusy || measure.isBusy;
  const set = (change: Partial<Draft>) => {
    setDraft({ ...draft, ...change });
    create.clear();
    measure.clear();
  };
  const shown = (place: string) => (isChecked ? problems[place] : undefined);
  const failed = [models, files, schema].find((each) => each.problem && !each.data);
  if (failed?.problem) return <Problem problem={failed.problem} retry={failed.reload} />;
  if (!models.data || !files.data || !schema.data) return <Loading label="Loading what there is to choose from" />;

  return (
    <>
      <PageHead back={{ href: "/jobs/", label: "Jobs" }} title="New job" lead={from ? "With the settings of an earlier one." : null} />
      <form
        className="grid max-w-4xl gap-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        {files.data.length === 0 ? (
          <Notice actions={<ButtonLink size="small" href="/datasets/">Upload one</ButtonLink>}>A job needs a data set, and there is none yet.</Notice>
        ) : null}
        <Panel title="Model and data">
          <div className="grid gap-x-5 gap-y-4 p-4 sm:grid-cols-2">
            <Field label="Base model" problem={shown("model")}>
              {(tie) => (
                <Select {...tie} value={draft.model} onChange={(event) => set({ model: event.target.value })}>
                  <option value="">Choose …</option>
                  {bases.map((model) => (
                    <option key={model.id}>{model.id}</option>
                  ))}
                </Select>
              )}
            </Field>
            <Field label="Name" help="Optional; part of the new model's name." problem={problems.suffix}>
              {(tie) => <Input {...tie} autoComplete="off" maxLength={60} value={draft.suffix} onChange={(event) => set({ suffix: event.target.value })} />}
            </Field>
            <Field label="Training data" problem={shown("trainingFile")}>
              {(tie) => <FileSelect tie={tie} value={draft.trainingFile} onChange={(trainingFile) => set({ trainingFile })} files={files.data!} />}
            </Field>
            <Field label="Validation data" help="Optional; rows that are not trained on, whose loss shows when to stop." problem={problems.validationFile}>
              {(tie) => <FileSelect tie={tie} value={draft.validationFile} onChange={(validationFile) => set({ validationFile })} files={files.data!} none="None" />}
            </Field>
          </div>
        </Panel>
        <Panel title="Hyperparameters" hint={helpOf(schema.data)}>
          <div className="p-4">
            <SchemaFields
              fields={fields}
              entries={draft.hyperparameters}
              onChange={(hyperparameters) => set({ hyperparameters })}
              refusals={refusalsByField(refusal?.details ?? [])}
            />
          </div>
        </Panel>
        {refusal ? <Problem problem={refusal} /> : null}
        {isChecked && !isSound ? <Notice tone="bad">Something is missing or wrong above.</Notice> : null}
        <div aria-live="polite">
          {measure.isBusy ? <Loading label="Checking and counting every row" className="py-6" /> : plan && plan.of === JSON.stringify(request) ? <DryRunResult plan={plan.plan} /> : null}
        </div>
        <div className="flex flex-wrap justify-end gap-2">
          <Button disabled={isBusy} onClick={() => measure.run()}>
            Dry run
          </Button>
          <Button look="primary" type="submit" disabled={isBusy}>
            {create.isBusy ? "Starting …" : "Start training"}
          </Button>
        </div>
      </form>
    </>
  );
}
