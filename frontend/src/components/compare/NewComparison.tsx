"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { ModelSelect } from "@/components/playground/ModelSelect";
import { Button } from "@/components/ui/Button";
import { Field, Select, TextArea } from "@/components/ui/Field";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useAction } from "@/hooks/useAction";
import { useSchema } from "@/hooks/useSchema";
import { call } from "@/lib/api/client";
import type { DataFile, Model } from "@/lib/api/types";
import { comparisonOf, missingIn, NO_COMPARISON, type ComparisonDraft } from "@/lib/compare/asking";
import { fieldsOf, problemsOf, valuesOf } from "@/lib/forms/schema";
import { formatNoun } from "@/lib/format/number";
import { comparisonHref } from "@/lib/places";

const OPTIONS = ["max_new_tokens", "limit"];

/** Puts two models side by side. */
export function NewComparison({ models, files }: { models: Model[]; files: DataFile[] }) {
  const router = useRouter();
  const schema = useSchema("ComparisonRequest");
  const [draft, setDraft] = useState<ComparisonDraft>(() => firstDraft(models));
  const [isChecked, setChecked] = useState(false);
  const fields = fieldsOf(schema.data ?? {}).filter(({ name }) => OPTIONS.includes(name) && (name !== "limit" || draft.on === "file"));
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
        <fieldset className="flex flex-wrap gap-x-5 gap-y-1">
          <legend className="mb-1 font-medium">On</legend>
          <label className="flex items-center gap-2">
            <input type="radio" name="on" className="size-4 accent-accent" checked={draft.on === "file"} onChange={() => set({ on: "file" })} />
            a data set with right answers
          </label>
          <label className="flex items-center gap-2">
            <input type="radio" name="on" className="size-4 accent-accent" checked={draft.on === "prompts"} onChange={() => set({ on: "prompts" })} />
            prompts that I write
          </label>
        </fieldset>
        {draft.on === "file" ? (
          <Field label="Data set" help="Rows that neither model was trained on." problem={shown("fileId")}>
            {(tie) => (
              <Select {...tie} value={draft.fileId} onChange={(event) => set({ fileId: event.target.value })}>
                <option value="">Choose …</option>
                {files.map((file) => (
                  <option key={file.id} value={file.id}>
                    {file.filename} ({formatNoun(file.num_lines, "row")})
                  </option>
                ))}
              </Select>
            )}
          </Field>
        ) : (
          <Field label="Prompts" help="Several are separated by a line of three dashes." problem={shown("prompts")}>
            {(tie) => <TextArea {...tie} rows={6} value={draft.prompts} onChange={(event) => set({ prompts: event.target.value })} />}
          </Field>
        )}
        <SchemaFields fields={fields} entries={draft.entries} onChange={(entries) => set({ entries })} />
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
