"use client";

import { Download, FileQuestion, Play, Trash2 } from "lucide-react";
import { useSearchParams } from "next/navigation";
import { useState } from "react";
import { ModelSelect } from "@/components/playground/ModelSelect";
import { Button, ButtonLink, DownloadLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { PageHead } from "@/components/ui/PageHead";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import { useStored } from "@/hooks/useStored";
import { call } from "@/lib/api/client";
import { fillPath } from "@/lib/api/url";
import { formatBytes } from "@/lib/format/bytes";
import { formatNoun } from "@/lib/format/number";
import { formatTime } from "@/lib/format/time";
import { newJobHref } from "@/lib/places";
import { ConvertForm } from "./ConvertForm";
import { DeleteDialog } from "./DeleteDialog";
import { NearDuplicates } from "./NearDuplicates";
import { ReportPanel } from "./ReportPanel";
import { RowBrowser } from "./RowBrowser";
import { SplitForm } from "./SplitForm";
import { StatisticsPanel } from "./StatisticsPanel";

/** The page of the file that the address names. */
export function DatasetPage() {
  const id = useSearchParams().get("id");
  return id ? <DatasetView key={id} id={id} /> : <UnknownDataset />;
}

function UnknownDataset() {
  return (
    <Panel>
      <Empty isPage icon={FileQuestion} title="There is no such file" actions={<ButtonLink href="/datasets/">All files</ButtonLink>} />
    </Panel>
  );
}

function DatasetView({ id }: { id: string }) {
  const { data: file, problem, reload } = useResource(`file ${id}`, (signal) => call("get", "/v1/files/{file_id}", { path: { file_id: id }, signal }));
  const models = useResource("models", (signal) => call("get", "/v1/models", { signal }));
  const [stored, setModel] = useStored("tokens-of", "");
  const [isDeleting, setDeleting] = useState(false);
  if (problem?.status === 404) return <UnknownDataset />;
  if (!file) return problem ? <Problem problem={problem} retry={reload} /> : <Loading label="Loading the file" />;
  const model = models.data?.data.some((each) => each.id === stored && !each.archived) ? stored : "";
  return (
    <>
      <PageHead
        back={{ href: "/datasets/", label: "Datasets" }}
        title={file.filename}
        lead={
          <span className="figures">
            {formatNoun(file.num_lines, "row")} · {formatBytes(file.bytes)} · uploaded {formatTime(file.created_at)}
          </span>
        }
        actions={
          <>
            <ButtonLink look="primary" href={newJobHref({ file: id })}>
              <Play aria-hidden />
              Train on it
            </ButtonLink>
            <DownloadLink href={fillPath("/v1/files/{file_id}/content", { file_id: id })} download>
              <Download aria-hidden />
              Download
            </DownloadLink>
            <Button look="danger" onClick={() => setDeleting(true)}>
              <Trash2 aria-hidden />
              Delete
            </Button>
          </>
        }
      />
      <div className="grid gap-4">
        <ReportPanel fileId={id} />
        <NearDuplicates fileId={id} />
        <label className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="font-medium">Tokens of</span>
          <span className="w-full max-w-md">
            <ModelSelect models={models.data?.data ?? []} value={model} onChange={setModel} label="Tokens of" />
          </span>
        </label>
        <StatisticsPanel fileId={id} model={model} />
        <RowBrowser fileId={id} model={model} />
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <Panel title="Split" hint="Into new files; this one stays as it is.">
            <div className="p-4">
              <SplitForm fileId={id} />
            </div>
          </Panel>
          <Panel title="Convert" hint="Into a new file; this one stays as it is.">
            <div className="p-4">
              <ConvertForm fileId={id} />
            </div>
          </Panel>
        </div>
      </div>
      <DeleteDialog file={file} open={isDeleting} onOpenChange={setDeleting} />
    </>
  );
}
