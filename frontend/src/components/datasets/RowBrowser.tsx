"use client";

import { useState } from "react";
import { Input } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { Pager } from "@/components/ui/Pager";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import { RowView } from "./RowView";

const PAGE_SIZE = 10;

/** A file's rows, some at a time. */
export function RowBrowser({ fileId, model }: { fileId: string; model: string }) {
  const [offset, setOffset] = useState(0);
  const { data, problem, isLoading, reload } = useResource(`rows ${fileId} ${offset} ${model}`, (signal) =>
    call("get", "/api/files/{file_id}/rows", { path: { file_id: fileId }, query: { offset, limit: PAGE_SIZE, model }, signal }),
  );
  return (
    <Panel
      title="Rows"
      hint={
        <>
          What is trained has <mark className="rounded-sm bg-trained px-1 text-trained-ink">this colour</mark>
          {model ? `; as ${model} reads it.` : "."}
        </>
      }
      actions={
        <>
          <Pager offset={offset} size={PAGE_SIZE} total={data?.total ?? 0} onChange={setOffset} noun="rows" />
          {data && data.total > PAGE_SIZE ? (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                const wanted = Number(new FormData(event.currentTarget).get("row"));
                if (Number.isInteger(wanted) && wanted >= 1 && wanted <= data.total) setOffset(wanted - 1);
              }}
            >
              <Input name="row" type="number" min={1} max={data.total} placeholder="Row" aria-label="Go to row" className="h-8 w-20" />
            </form>
          ) : null}
        </>
      }
    >
      {problem ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {isLoading ? <Loading label="Reading rows" /> : null}
      <div className="divide-y">{data?.rows.map((row) => <RowView key={row.row} row={row} />)}</div>
    </Panel>
  );
}
