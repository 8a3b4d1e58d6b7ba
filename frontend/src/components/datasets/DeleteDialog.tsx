"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { StatusBadge } from "@/components/jobs/StatusBadge";
import { Button } from "@/components/ui/Button";
import { Loading } from "@/components/ui/Loading";
import { Modal } from "@/components/ui/Modal";
import { Problem } from "@/components/ui/Notice";
import { useAction } from "@/hooks/useAction";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import type { DataFile, FileUse } from "@/lib/api/types";
import { comparisonHref, evaluationHref, jobHref } from "@/lib/places";

const HREFS: Record<FileUse["kind"], (id: string) => string> = { job: jobHref, evaluation: evaluationHref, comparison: comparisonHref };

/** Asks before a file is deleted, and says what was made with it. */
export function DeleteDialog({ file, open, onOpenChange }: { file: DataFile; open: boolean; onOpenChange: (open: boolean) => void }) {
  const router = useRouter();
  const uses = useResource(open ? `uses ${file.id}` : null, (signal) => call("get", "/api/files/{file_id}/uses", { path: { file_id: file.id }, signal }));
  const remove = useAction(async () => {
    await call("delete", "/v1/files/{file_id}", { path: { file_id: file.id } });
    router.push("/datasets/");
  });
  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete ${file.filename}?`}
      description="The file is gone for good."
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Keep it</Button>
          <Button look="danger" disabled={remove.isBusy || uses.isLoading} onClick={() => remove.run()}>
            Delete
          </Button>
        </>
      }
    >
      {uses.isLoading ? <Loading label="Looking what depends on it" className="py-4" /> : null}
      {uses.problem ? <Problem problem={uses.problem} /> : null}
      {uses.data && uses.data.uses.length === 0 ? <p>Nothing was made with it.</p> : null}
      {uses.data && uses.data.uses.length > 0 ? (
        <>
          <p className="mb-2">These were made with it. Each has a copy of the rows and goes on, but cannot be duplicated any more:</p>
          <ul className="max-h-60 divide-y overflow-auto rounded-md border">
            {uses.data.uses.map((use) => (
              <li key={`${use.id} ${use.role}`} className="flex items-center justify-between gap-3 px-3 py-1.5">
                <Link href={HREFS[use.kind](use.id)} className="min-w-0 truncate underline underline-offset-2">
                  {use.kind} <span className="font-mono text-xs">{use.id.slice(0, 8)}</span> ({use.role})
                </Link>
                <StatusBadge status={use.status} />
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {remove.problem ? <Problem problem={remove.problem} className="mt-3" /> : null}
    </Modal>
  );
}
