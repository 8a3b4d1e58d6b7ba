import { limitsOf, problemOf, type Field as SchemaField } from "@/lib/forms/schema";
import { Field, Input } from "./Field";

/** An input for each field of a JSON schema, with its help and limits; an empty one is left to the server. */
export function SchemaFields({ fields, entries, onChange, refusals = {} }: {
  fields: SchemaField[];
  entries: Record<string, string>;
  onChange: (entries: Record<string, string>) => void;
  /** What the server said of a field. */
  refusals?: Record<string, string>;
}) {
  return (
    <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2">
      {fields.map((field) => (
        <Field
          key={field.name}
          label={field.label}
          help={[field.help, limitsOf(field.schema) && `Range: ${limitsOf(field.schema)}.`].filter(Boolean).join(" ")}
          problem={problemOf(field, entries[field.name] ?? "") ?? refusals[field.name]}
        >
          {(tie) => (
            <Input
              {...tie}
              inputMode={field.type === "string" ? undefined : "decimal"}
              autoComplete="off"
              spellCheck={false}
              placeholder={field.placeholder || "not set"}
              value={entries[field.name] ?? ""}
              onChange={(event) => onChange({ ...entries, [field.name]: event.target.value })}
            />
          )}
        </Field>
      ))}
    </div>
  );
}
