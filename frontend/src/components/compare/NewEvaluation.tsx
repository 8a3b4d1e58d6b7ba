"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { FileSelect } from "@/components/datasets/FileSelect";
import { ModelSelect } from "@/components/playground/ModelSelect";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useAction } from "@/hooks/useAction";
import { call } from "@/lib/api/client";
import type { DataFile, Model } from "@/lib/api/types";
import { ANSWER_FIELDS, evaluationOf, missingInEvaluation, NO_EVALUATION, type EvaluationDraft } from "@/lib/compare/asking";
import { fieldsOf, problemsOf, valuesOf, type Schema } from "@/lib/forms/schema";
import { evaluationHref } from "@/lib/places";
import { JudgingFields } from "./JudgingFields";

/** Finds out how good one model is. */
export function NewEvaluation({ models, files, schema }: { models: Model[]; files: DataFile[]; schema: Schema }) {
  const router = useRouter();
  const [draft, setDraft] = useState<EvaluationDraft>(NO_EVALUATION);
  const [isChecked, setChecked] = useState(false);
  const fields = fieldsOf(schema).filter(({ name }) => ANSWER_FIELDS.includes(name));
  const missing = missingInEvaluation(draft);
  const set = (change: Partial<EvaluationDraft>) => setDraft({ ...draft, ...change });
  const shown = (place: string) => (isChecked ? missing[place] : undefined);
  const create = useAction(async () => {
    setChecked(true);
    if (Object.keys(missing).length > 0 || Object.keys(problemsOf(fields, draft.entries)).length > 0) return;
    const made = await call("post", "/api/evaluations", { body: evaluationOf(draft, valuesOf(fields, draft.entries)) });
    router.push(evaluationHref(made.id));
  });
  return (
    <Panel title="Evaluate one model">
      <form
        className="grid gap-4 p-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        <Field label="Model" problem={shown("model")}>
          {(tie) => <ModelSelect tie={tie} models={models} value={draft.model} onChange={(model) => set({ model })} />}
        </Field>
        <Field label="Data set" help="Rows that it was not trained on." problem={shown("fileId")}>
          {(tie) => <FileSelect tie={tie} files={files} value={draft.fileId} onChange={(fileId) => set({ fileId, judging: { ...draft.judging, by: [] } })} />}
        </Field>
        <SchemaFields fields={fields} entries={draft.entries} onChange={(entries) => set({ entries })} />
        <JudgingFields schema={schema} judging={draft.judging} onChange={(judging) => set({ judging })} fileId={draft.fileId} problem={shown("metrics")} />
        {create.problem ? <Problem problem={create.problem} /> : null}
        <Button type="submit" className="justify-self-end" disabled={create.isBusy}>
          {create.isBusy ? "Starting …" : "Evaluate"}
        </Button>
      </form>
    </Panel>
  );
}
