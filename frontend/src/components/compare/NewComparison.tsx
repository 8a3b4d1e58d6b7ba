"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { FileSelect } from "@/components/datasets/FileSelect";
import { ModelSelect } from "@/components/playground/ModelSelect";
import { Button } from "@/components/ui/Button";
import { Choice, Choices } from "@/components/ui/Choice";
import { Field, TextArea } from "@/components/ui/Field";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useAction } from "@/hooks/useAction";
import { call } from "@/lib/api/client";
import type { DataFile, Model } from "@/lib/api/types";
import { ANSWER_FIELDS, comparisonOf, missingIn, NO_COMPARISON, type ComparisonDraft } from "@/lib/compare/asking";
import { fieldsOf, problemsOf, valuesOf, type Schema } from "@/lib/forms/schema";
import { comparisonHref } from "@/lib/places";
import { JudgingFields } from "./JudgingFields";

/** Puts two models side by side. */
export function NewComparison({ models, files, schema }: { models: Model[]; files: DataFile[]; schema: Schema }) {
  const router = useRouter();
  const [draft, setDraft] = useState<ComparisonDraft>(() => firstDraft(models));
  const [isChecked, setChecked] = useState(false);
  const fields = fieldsOf(schema).filter(({ name }) => ANSWER_FIELDS.includes(name) && (name !== "limit" || draft.on === "file"));
  const missing = missingIn(draft);
  const set = (change: Partial<ComparisonDraft>) => setDraft({ ...draft, ...change });
  const shown = (place: string) => (isChecked ? missing[place] : undefined);
  const create = useAction(async () => {
    setChecked(true);
    if (Object.keys(missing).length > 0 || Object.keys(problemsOf(fields, draft.entries)).length > 0) return;
    const made = await call("post", "/api/comparisons", { body: comparisonOf(draft, valuesOf(fields, draft.entries)) });
    router.push(comparisonHref(made.id));
  });
  return (
    <Panel title="Compare two models">
      <form
        className="grid gap-4 p-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2">
          <Field label="Base" problem={shown("base")}>
            {(tie) => <ModelSelect tie={tie} models={models} value={draft.base} onChange={(base) => set({ base })} />}
          </Field>
          <Field label="Fine-tuned" problem={shown("tuned")}>
            {(tie) => <ModelSelect tie={tie} models={models} value={draft.tuned} onChange={(tuned) => set({ tuned })} />}
          </Field>
        </div>
        <Choices legend="On">
          <Choice type="radio" name="on" checked={draft.on === "file"} onChange={() => set({ on: "file" })}>
            a data set with right answers
          </Choice>
          <Choice type="radio" name="on" checked={draft.on === "prompts"} onChange={() => set({ on: "prompts" })}>
            prompts that I write
          </Choice>
        </Choices>
        {draft.on === "file" ? (
          <Field label="Data set" help="Rows that neither model was trained on." problem={shown("fileId")}>
            {(tie) => <FileSelect tie={tie} files={files} value={draft.fileId} onChange={(fileId) => set({ fileId, judging: { ...draft.judging, by: [] } })} />}
          </Field>
        ) : (
          <Field label="Prompts" help="Several are separated by a line of three dashes." problem={shown("prompts")}>
            {(tie) => <TextArea {...tie} rows={6} value={draft.prompts} onChange={(event) => set({ prompts: event.target.value })} />}
          </Field>
        )}
        <SchemaFields fields={fields} entries={draft.entries} onChange={(entries) => set({ entries })} />
        {draft.on === "file" ? (
          <JudgingFields schema={schema} judging={draft.judging} onChange={(judging) => set({ judging })} fileId={draft.fileId} problem={shown("metrics")} />
        ) : null}
        {create.problem ? <Problem problem={create.problem} /> : null}
        <Button type="submit" look="primary" className="justify-self-end" disabled={create.isBusy}>
          {create.isBusy ? "Starting …" : "Compare"}
        </Button>
      </form>
    </Panel>
  );
}

/** The newest fine-tuned model beside its base. */
function firstDraft(models: Model[]): ComparisonDraft {
  const tuned = models.find((model) => model.type === "fine-tuned" && !model.archived);
  return tuned ? { ...NO_COMPARISON, base: tuned.root ?? "", tuned: tuned.id } : NO_COMPARISON;
}
