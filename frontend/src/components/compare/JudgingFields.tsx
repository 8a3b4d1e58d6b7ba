import { Choice, Choices } from "@/components/ui/Choice";
import { Field, Select } from "@/components/ui/Field";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { choicesOf, groupingsOf, numUnusual, toggled, type Judging } from "@/lib/compare/judging";
import { labelOf } from "@/lib/compare/metrics";
import type { Schema } from "@/lib/forms/schema";
import { formatNoun } from "@/lib/format/number";

/** How answers are judged: folded away, as the usual way suits most. */
export function JudgingFields({ schema, judging, onChange, fileId, problem }: {
  schema: Schema;
  judging: Judging;
  onChange: (judging: Judging) => void;
  fileId: string;
  /** What is wrong with the choice of metrics. */
  problem?: string;
}) {
  const set = (change: Partial<Judging>) => onChange({ ...judging, ...change });
  const metrics = choicesOf(schema, "metrics") as Judging["metrics"];
  const count = numUnusual(judging);
  return (
    <details className="rounded-md border" open={problem ? true : undefined}>
      <summary className="cursor-pointer rounded-md px-3 py-2 font-medium hover:bg-sunken">
        How answers are judged
        {count > 0 ? <span className="ml-2 text-[0.8125rem] font-normal text-ink-soft">{formatNoun(count, "change")}</span> : null}
      </summary>
      <div className="grid gap-4 border-t p-3">
        <Choices legend="Metrics" help="The first one that differs decides which of two answers is better." problem={problem}>
          {metrics.map((name) => (
            <Choice key={name} checked={judging.metrics.includes(name)} onChange={() => set({ metrics: toggled(judging.metrics, name, metrics) })}>
              {labelOf(name)}
            </Choice>
          ))}
        </Choices>
        <Groupings fileId={fileId} by={judging.by} onChange={(by) => set({ by })} />
        <Field label="Language" help="Its articles do not count in exact match and F1." className="max-w-64">
          {(tie) => (
            <Select {...tie} value={judging.language} onChange={(event) => set({ language: event.target.value as Judging["language"] })}>
              {choicesOf(schema, "language").map((code) => (
                <option key={code} value={code}>
                  {nameOfLanguage(code)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Choices legend="Rows">
          <Choice checked={judging.turns === "all"} onChange={(event) => set({ turns: event.target.checked ? "all" : "last" })}>
            Judge every answer of a conversation, each with its own history, and not the last alone
          </Choice>
          <Choice checked={judging.allow_overlap} onChange={(event) => set({ allow_overlap: event.target.checked })}>
            Allow rows that a model was trained on; they are counted beside the figures
          </Choice>
        </Choices>
      </div>
    </details>
  );
}

function Groupings({ fileId, by, onChange }: { fileId: string; by: string[]; onChange: (by: string[]) => void }) {
  const path = { file_id: fileId };
  const { data, problem } = useResource(fileId ? `fields ${fileId}` : null, (signal) => call("get", "/api/files/{file_id}/fields", { path, signal }));
  const fields = data ? groupingsOf(data) : [];
  const names = fields.map((field) => field.name);
  return (
    <Choices legend="Figures also by field" help="Shows in which groups of rows a model fails.">
      {fields.map(({ name, num_groups: count }) => (
        <Choice key={name} checked={by.includes(name)} onChange={() => onChange(toggled(by, name, names))}>
          {name} <span className="text-ink-soft">({formatNoun(count, "group")})</span>
        </Choice>
      ))}
      {fields.length === 0 ? (
        <p className="text-ink-soft">
          {!fileId ? "Choose a data set to see its fields." : problem ? problem.message : data ? "These rows have no field of few values." : "Reading the rows …"}
        </p>
      ) : null}
    </Choices>
  );
}

function nameOfLanguage(code: string): string {
  return new Intl.DisplayNames("en", { type: "language" }).of(code) ?? code;
}
