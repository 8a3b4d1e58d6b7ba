"use client";

import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Loading } from "@/components/ui/Loading";
import { Notice, Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { formatCount, formatNoun, formatShare } from "@/lib/format/number";

/** Rows that say nearly what an earlier row says; looked for when asked, as a large file takes a while. */
export function NearDuplicates({ fileId }: { fileId: string }) {
  const [isAsked, setAsked] = useState(false);
  const { data, problem, isLoading, reload } = useResource(isAsked ? `near-duplicates ${fileId}` : null, (signal) =>
    call("get", "/api/files/{file_id}/near-duplicates", { path: { file_id: fileId }, signal }),
  );
  const numHidden = data ? data.num_near_rows - data.pairs.length : 0;
  return (
    <Panel
      title="Near-duplicates"
      hint="Rows that say nearly what an earlier row says."
      actions={
        isAsked ? null : (
          <Button size="small" onClick={() => setAsked(true)}>
            Look for them
          </Button>
        )
      }
    >
      {problem ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {isLoading ? <Loading label="Comparing rows" /> : null}
      {data && data.num_near_rows === 0 ? (
        <Notice tone="good" className="m-4">
          No row is.
        </Notice>
      ) : null}
      {data && data.num_near_rows > 0 ? (
        <>
          <p className="border-b px-4 py-2 text-warn">
            {formatNoun(data.num_near_rows, "row")} of {formatCount(data.num_rows)}
          </p>
          <ul className="figures max-h-80 divide-y overflow-auto focus-visible:-outline-offset-2" tabIndex={0} aria-label="Near-duplicates">
            {data.pairs.map((pair) => (
              <li key={pair.row} className="flex justify-between gap-4 px-4 py-1.5">
                <span>
                  Row {formatCount(pair.row)} is like row {formatCount(pair.earlier_row)}
                </span>
                <span className="text-ink-soft">{formatShare(pair.similarity, 0)} alike</span>
              </li>
            ))}
          </ul>
          {numHidden > 0 ? <p className="border-t px-4 py-2 text-ink-soft">{formatCount(numHidden)} more are like these.</p> : null}
        </>
      ) : null}
    </Panel>
  );
}
