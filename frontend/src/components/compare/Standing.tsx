"use client";

import { CircleStop, Trash2 } from "lucide-react";
import { useState } from "react";
import { Bar } from "@/components/ui/Bar";
import { Button } from "@/components/ui/Button";
import { Modal } from "@/components/ui/Modal";
import { Notice, Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useAction } from "@/hooks/useAction";
import type { Study } from "@/lib/compare/loading";
import { overlapText } from "@/lib/compare/overlap";
import { formatCount } from "@/lib/format/number";
import { canCancel, hasEnded } from "@/lib/jobs/status";

/** How far a comparison or an evaluation is, or why it failed; `onAllow` asks again for rows that were trained on. */
export function Standing({ entry, onAllow }: { entry: Study; onAllow: () => Promise<void> }) {
  const allow = useAction(onAllow);
  if (entry.refused_overlap) {
    return (
      <>
        <Notice tone="bad" actions={<Button size="small" disabled={allow.isBusy} onClick={() => allow.run()}>{allow.isBusy ? "Starting …" : "Evaluate them all the same"}</Button>}>
          {overlapText(entry.refused_overlap)} Answers to those tell what a model remembers, so nothing was evaluated.
        </Notice>
        {allow.problem ? <Problem problem={allow.problem} /> : null}
      </>
    );
  }
  if (entry.error) return <Notice tone="bad">{entry.error}</Notice>;
  if (entry.status === "FAILED") return <Notice tone="bad">It failed; why is not on record.</Notice>;
  if (entry.status === "CANCELLED") return <Notice>It was cancelled before its end; nothing of it is kept.</Notice>;
  if (hasEnded(entry.status)) return null;
  const { progress } = entry;
  return (
    <Panel>
      <div className="px-4 py-3.5" aria-live="polite">
        <p className="figures mb-2">
          {progress ? progress.text : "Waiting for the device"}
          {progress && progress.num_total > 0 ? (
            <span className="text-ink-soft">
              {" "}
              · {formatCount(progress.num_done)} of {formatCount(progress.num_total)}
            </span>
          ) : null}
        </p>
        <Bar value={progress && progress.num_total > 0 ? progress.num_done / progress.num_total : null} label="Progress" />
      </div>
    </Panel>
  );
}

/** Stops what has not ended, and deletes what has. */
export function StandingActions({ entry, onCancel, onDelete }: { entry: Study; onCancel: () => Promise<void>; onDelete: () => Promise<void> }) {
  const [isAsking, setAsking] = useState(false);
  const cancel = useAction(onCancel);
  const remove = useAction(onDelete);
  return (
    <>
      {canCancel(entry.status) ? (
        <Button look="danger" disabled={cancel.isBusy} onClick={() => cancel.run()}>
          <CircleStop aria-hidden />
          Cancel
        </Button>
      ) : null}
      {hasEnded(entry.status) ? (
        <Button look="danger" onClick={() => setAsking(true)}>
          <Trash2 aria-hidden />
          Delete
        </Button>
      ) : null}
      {cancel.problem ? <Problem problem={cancel.problem} className="w-full" /> : null}
      <Modal
        open={isAsking}
        onOpenChange={setAsking}
        title={`Delete this ${entry.object}?`}
        description="Its answers and figures are gone for good. Models and data sets stay."
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
            <Button look="danger" disabled={remove.isBusy} onClick={() => remove.run()}>
              Delete
            </Button>
          </>
        }
      >
        {remove.problem ? <Problem problem={remove.problem} /> : null}
      </Modal>
    </>
  );
}
