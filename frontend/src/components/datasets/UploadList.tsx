import { CircleAlert, CircleCheck, X } from "lucide-react";
import Link from "next/link";
import { Bar } from "@/components/ui/Bar";
import { Button } from "@/components/ui/Button";
import { Panel } from "@/components/ui/Panel";
import type { UploadState } from "@/hooks/useUploads";
import { findingsOf } from "@/lib/files/findings";
import { formatBytes } from "@/lib/format/bytes";
import { formatNoun, formatShare } from "@/lib/format/number";
import { datasetHref } from "@/lib/places";
import { FindingTable } from "./FindingTable";

/** Files on their way, those that arrived, and why others did not. */
export function UploadList({ uploads, onDismiss }: { uploads: UploadState[]; onDismiss: (id: number) => void }) {
  if (uploads.length === 0) return null;
  return (
    <ul className="mt-4 grid gap-3" aria-label="Uploads">
      {uploads.map((upload) => (
        <li key={upload.id}>
          <UploadItem upload={upload} onDismiss={() => onDismiss(upload.id)} />
        </li>
      ))}
    </ul>
  );
}

function UploadItem({ upload, onDismiss }: { upload: UploadState; onDismiss: () => void }) {
  const { name, size, share, file, problem } = upload;
  const isOnItsWay = !file && !problem;
  const findings = findingsOf(problem?.details ?? []).filter((finding) => finding.line !== null);
  return (
    <Panel>
      <div className="flex items-center gap-3 px-4 py-2.5">
        {file ? <CircleCheck className="size-4 shrink-0 text-good" aria-hidden /> : null}
        {problem ? <CircleAlert className="size-4 shrink-0 text-bad" aria-hidden /> : null}
        <div className="min-w-0 flex-1" aria-live="polite">
          <div className="truncate font-medium">{name}</div>
          {isOnItsWay ? (
            <>
              <div className="figures text-[0.8125rem] text-ink-soft">
                {share < 1 ? `${formatShare(share, 0)} of ${formatBytes(size)}` : "Checking every line"}
              </div>
              <div className="mt-1.5">
                <Bar value={share < 1 ? share : null} label={`Upload of ${name}`} />
              </div>
            </>
          ) : null}
          {file ? (
            <div className="text-[0.8125rem] text-ink-soft">
              {formatNoun(file.num_lines, "row")}, all sound.{" "}
              <Link href={datasetHref(file.id)} className="underline underline-offset-2">
                Look at them
              </Link>
            </div>
          ) : null}
          {problem ? <div className="text-[0.8125rem] break-words text-bad">{findings.length > 0 ? "Not taken: mend these lines and upload the file again." : problem.message}</div> : null}
        </div>
        <Button look="quiet" size="icon" aria-label={isOnItsWay ? `Stop the upload of ${name}` : `Dismiss ${name}`} onClick={isOnItsWay ? upload.stop : onDismiss}>
          <X aria-hidden />
        </Button>
      </div>
      {findings.length > 0 ? (
        <div className="border-t">
          <FindingTable findings={findings} />
        </div>
      ) : null}
    </Panel>
  );
}
