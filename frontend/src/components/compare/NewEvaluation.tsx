"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { ModelSelect } from "@/components/playground/ModelSelect";
import { Button } from "@/components/ui/Button";
import { Field, Select } from "@/components/ui/Field";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useAction } from "@/hooks/useAction";
import { call } from "@/lib/api/client";
import type { DataFile, Model } from "@/lib/api/types";
import { formatNoun } from "@/lib/format/number";
import { evaluationHref } from "@/lib/places";

/** Finds out how good one model is. */
export function NewEvaluation({ models, files }: { models: Model[]; files: DataFile[] }) {
  const router = useRouter();
  const [model, setModel] = useState("");
  const [fileId, setFileId] = useState("");
  const create = useAction(async () => router.push(evaluationHref((await call("post", "/api/evaluations", { body: { model, file_id: fileId } })).id)));
  return (
    <Panel title="Evaluate one model">
      <form
        className="grid gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        <Field label="Model">{(tie) => <ModelSelect tie={tie} models={models} value={model} onChange={setModel} />}</Field>
        <Field label="Data set">
          {(tie) => (
            <Select {...tie} value={fileId} onChange={(event) => setFileId(event.target.value)}>
              <option value="">Choose …</option>
              {files.map((file) => (
                <option key={file.id} value={file.id}>
                  {file.filename} ({formatNoun(file.num_lines, "row")})
                </option>
              ))}
            </Select>
          )}
        </Field>
        {create.problem ? <Problem problem={create.problem} /> : null}
        <Button type="submit" className="justify-self-end" disabled={create.isBusy || !model || !fileId}>
          {create.isBusy ? "Starting …" : "Evaluate"}
        </Button>
      </form>
    </Panel>
  );
}
