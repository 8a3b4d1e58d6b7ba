"use client";

import Link from "next/link";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { SchemaFields } from "@/components/ui/SchemaFields";
import { useAction } from "@/hooks/useAction";
import { useSchema } from "@/hooks/useSchema";
import { call } from "@/lib/api/client";
import { fieldsOf, problemsOf, valuesOf } from "@/lib/forms/schema";
import { formatNoun } from "@/lib/format/number";
import { datasetHref } from "@/lib/places";
import type { DataFile } from "@/lib/api/types";

/** Divides a file into new ones; equal rows never fall into different parts. */
export function SplitForm({ fileId }: { fileId: string }) {
  const schema = useSchema("SplitRequest");
  const fields = fieldsOf(schema.data ?? {});
  const [entries, setEntries] = useState<Record<string, string>>({});
  const [made, setMade] = useState<{ files: DataFile[]; numDuplicates: number } | null>(null);
  const split = useAction(async () => {
    const { train, val, test, num_duplicates } = await call("post", "/api/files/{file_id}/split", { path: { file_id: fileId }, body: valuesOf(fields, entries) });
    setMade({ files: [train, val, test].filter((file) => file !== null), numDuplicates: num_duplicates });
  });
  if (!schema.data) return schema.problem ? <Problem problem={schema.problem} retry={schema.reload} /> : <Loading />;
  return (
    <form
      className="grid gap-4"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void split.run();
      }}
    >
      <SchemaFields fields={fields} entries={entries} onChange={setEntries} />
      {split.problem ? <Problem problem={split.problem} /> : null}
      {made ? (
        <Notice tone="good">
          Made{" "}
          {made.files.map((file, index) => (
            <span key={file.id}>
              {index > 0 ? ", " : ""}
              <Link href={datasetHref(file.id)} className="underline underline-offset-2">
                {file.filename}
              </Link>{" "}
              ({formatNoun(file.num_lines, "row")})
            </span>
          ))}
          {made.numDuplicates ? `; ${formatNoun(made.numDuplicates, "duplicate")} kept together.` : "."}
        </Notice>
      ) : null}
      <Button type="submit" className="justify-self-start" disabled={split.isBusy || Object.keys(problemsOf(fields, entries)).length > 0}>
        {split.isBusy ? "Splitting …" : "Split"}
      </Button>
    </form>
  );
}
