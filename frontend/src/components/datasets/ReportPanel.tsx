"use client";

import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { formatNoun } from "@/lib/format/number";
import { FindingTable } from "./FindingTable";

/** What a check of a file finds: a file that was taken has no errors, but may have oddities. */
export function ReportPanel({ fileId }: { fileId: string }) {
  const { data, problem, reload } = useResource(`report ${fileId}`, (signal) => call("get", "/api/files/{file_id}/report", { path: { file_id: fileId }, signal }));
  const numFindings = data ? data.num_errors + data.num_warnings : 0;
  return (
    <Panel title="Check" hint={data ? `${formatNoun(data.num_rows, "row")} in the ${data.format ?? "unknown"} format` : undefined}>
      {problem ? (
        <Problem problem={problem} retry={reload} className="m-4" />
      ) : !data ? (
        <Loading label="Checking every line" />
      ) : numFindings === 0 ? (
        <Notice tone="good" className="m-4">
          Nothing to remark.
        </Notice>
      ) : (
        <>
          <p className="border-b px-4 py-2 text-warn">
            {[data.num_errors ? formatNoun(data.num_errors, "error") : "", data.num_warnings ? formatNoun(data.num_warnings, "warning") : ""].filter(Boolean).join(", ")}
          </p>
          <FindingTable
            numHidden={data.num_hidden}
            findings={data.findings.map(({ line, rule, message, hint, is_error }) => ({ line: line > 0 ? line : null, rule, message, hint, isError: is_error }))}
          />
        </>
      )}
    </Panel>
  );
}
