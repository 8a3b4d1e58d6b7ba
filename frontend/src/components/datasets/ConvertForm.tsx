"use client";

import Link from "next/link";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Field, Select } from "@/components/ui/Field";
import { Notice, Problem } from "@/components/ui/Notice";
import { useAction } from "@/hooks/useAction";
import { call } from "@/lib/api/client";
import { formatNoun } from "@/lib/format/number";
import { datasetHref } from "@/lib/places";
import type { DataFile } from "@/lib/api/types";
import { FindingTable } from "./FindingTable";
import type { Finding } from "@/lib/files/findings";

const FORMATS = { messages: "messages (role and content)", instruct: "instruct (instruction, input, output)" } as const;

type Format = keyof typeof FORMATS;

/** Makes a new file with the same rows in another format. */
export function ConvertForm({ fileId }: { fileId: string }) {
  const [to, setTo] = useState<Format>("messages");
  const [made, setMade] = useState<{ file: DataFile; warnings: Finding[] } | null>(null);
  const convert = useAction(async () => {
    const { file, warnings } = await call("post", "/api/files/{file_id}/convert", { path: { file_id: fileId }, body: { to } });
    setMade({ file, warnings: warnings.map(({ line, rule, message, hint, is_error }) => ({ line, rule, message, hint, isError: is_error })) });
  });
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        void convert.run();
      }}
    >
      <Field label="Format">
        {(tie) => (
          <Select {...tie} value={to} onChange={(event) => setTo(event.target.value as Format)}>
            {Object.entries(FORMATS).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {convert.problem ? <Problem problem={convert.problem} /> : null}
      {made ? (
        <Notice tone="good">
          Made{" "}
          <Link href={datasetHref(made.file.id)} className="underline underline-offset-2">
            {made.file.filename}
          </Link>{" "}
          ({formatNoun(made.file.num_lines, "row")}).
        </Notice>
      ) : null}
      {made && made.warnings.length > 0 ? <FindingTable findings={made.warnings} /> : null}
      <Button type="submit" className="justify-self-start" disabled={convert.isBusy}>
        {convert.isBusy ? "Converting …" : "Convert"}
      </Button>
    </form>
  );
}
