"use client";

import { Database, SearchX } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { Empty } from "@/components/ui/Empty";
import { Input } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { VirtualRows } from "@/components/ui/VirtualRows";
import { useNow } from "@/hooks/useNow";
import { useResource } from "@/hooks/useResource";
import { useUploads } from "@/hooks/useUploads";
import { call } from "@/lib/api/client";
import { ApiProblem } from "@/lib/api/problem";
import { whyNotSend } from "@/lib/files/findings";
import { loadFiles } from "@/lib/files/loading";
import { formatBytes } from "@/lib/format/bytes";
import { formatNoun } from "@/lib/format/number";
import { formatAgo } from "@/lib/format/time";
import { datasetHref } from "@/lib/places";
import { Dropzone } from "./Dropzone";
import { UploadList } from "./UploadList";

/** The uploaded files, and the place where new ones arrive. */
export function DatasetList() {
  const now = useNow();
  const files = useResource("files", loadFiles);
  const server = useResource("server", (signal) => call("get", "/api/server", { signal }));
  const maxBytes = server.data?.limits.max_file_bytes;
  const { uploads, add, dismiss } = useUploads(files.reload);
  const [search, setSearch] = useState("");
  const shown = (files.data ?? []).filter((file) => file.filename.toLowerCase().includes(search.trim().toLowerCase()));
  return (
    <>
      <PageHead title="Datasets" lead={files.data ? formatNoun(files.data.length, "file") : null} />
      <Dropzone
        hint={`Conversations, one to a line${maxBytes ? `; up to ${formatBytes(maxBytes)} a file` : ""}. Every line is checked before a file is taken.`}
        onFiles={(chosen) =>
          chosen.forEach((file) => {
            const refusal = whyNotSend(file, maxBytes, formatBytes);
            add(file, refusal ? new ApiProblem(refusal, 413) : null);
          })
        }
      />
      <UploadList uploads={uploads} onDismiss={dismiss} />
      <Panel
        className="mt-4"
        title="Files"
        actions={
          files.data && files.data.length > 5 ? (
            <Input type="search" aria-label="Search files" placeholder="Search" className="h-8 w-44" value={search} onChange={(event) => setSearch(event.target.value)} />
          ) : null
        }
      >
        {!files.data ? (
          files.problem ? (
            <Problem problem={files.problem} retry={files.reload} className="m-4" />
          ) : (
            <Loading label="Loading files" />
          )
        ) : files.data.length === 0 ? (
          <Empty icon={Database} title="No data yet">
            Each line holds one conversation: <code className="font-mono text-[0.8125rem]">{'{"messages": [{"role": "user", …}, {"role": "assistant", …}]}'}</code>
          </Empty>
        ) : shown.length === 0 ? (
          <Empty icon={SearchX} title="No file is called that" />
        ) : (
          <VirtualRows
            rows={shown}
            rowHeight={60}
            keyOf={(file) => file.id}
            label="Files"
            render={(file) => (
              <Link
                prefetch={false}
                href={datasetHref(file.id)}
                className="grid h-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-4 hover:bg-sunken focus-visible:-outline-offset-2 sm:grid-cols-[minmax(0,3fr)_minmax(0,1fr)_minmax(0,1fr)_7rem]"
              >
                <div className="min-w-0">
                  <div className="truncate font-medium">{file.filename}</div>
                  <div className="truncate font-mono text-xs text-ink-soft">{file.id.slice(0, 8)}</div>
                </div>
                <span className="figures justify-self-end text-ink-soft sm:justify-self-start">{formatNoun(file.num_lines, "row")}</span>
                <span className="figures hidden text-ink-soft sm:block">{formatBytes(file.bytes)}</span>
                <span className="hidden justify-self-end text-ink-soft sm:block">{now ? formatAgo(file.created_at, now) : ""}</span>
              </Link>
            )}
          />
        )}
      </Panel>
    </>
  );
}
