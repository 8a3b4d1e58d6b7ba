import { Figure } from "@/components/ui/Facts";
import { Notice } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { formatBytes } from "@/lib/format/bytes";
import { formatCount, formatNoun } from "@/lib/format/number";
import { formatDuration } from "@/lib/format/time";
import { shortagesOf } from "@/lib/jobs/shortages";
import type { DryRun } from "@/lib/api/types";

/** What a job would do, before anything starts. */
export function DryRunResult({ plan }: { plan: DryRun }) {
  const seconds = plan.expected_duration_seconds;
  const leftOut = plan.num_rows_left_out ?? 0;
  const warnings = [...shortagesOf(plan), ...(leftOut ? [`${formatNoun(leftOut, "row")} would be left out as too long.`] : [])];
  return (
    <Panel title="What this job would do" hint="Nothing has started.">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 px-4 py-3.5 sm:grid-cols-3">
        <Figure label="Steps" value={formatCount(plan.training_steps)} />
        <Figure label="Epochs" value={plan.epochs} />
        <Figure label="Rows" value={formatCount(plan.num_rows)} />
        <Figure label="Rows per step" value={formatCount(plan.rows_per_step)} />
        <Figure label="Tokens in the data" value={formatCount(plan.data_tokens)} />
        <Figure label="Tokens per step" value={formatCount(plan.train_tokens_per_step)} />
        <Figure label="Tokens in all steps" value={formatCount(plan.train_tokens)} />
        <Figure
          label={plan.memory_device ? `Memory of the ${plan.memory_device.toUpperCase()}` : "Memory"}
          value={<Needed bytes={plan.memory_bytes} free={plan.memory_free_bytes} />}
          hint="Estimated for the longest batch: weights, adapters, optimizer, activations and libraries"
        />
        <Figure label="Disk" value={<Needed bytes={plan.disk_bytes} free={plan.disk_free_bytes} />} hint="Checkpoints and the adapter" />
        <Figure
          label="Time"
          value={seconds === null ? "not known yet" : formatDuration(seconds)}
          hint="By the last training of the same model on this machine"
        />
      </dl>
      {warnings.length ? (
        <div className="grid gap-2 px-4 pb-3.5">
          {warnings.map((warning) => (
            <Notice key={warning} tone="warn">
              {warning}
            </Notice>
          ))}
        </div>
      ) : null}
    </Panel>
  );
}

function Needed({ bytes, free }: { bytes: number | null; free: number | null }) {
  if (bytes === null) return "not known";
  return (
    <>
      {formatBytes(bytes)}
      {free === null ? null : <span className="ml-1.5 text-[0.8125rem] font-normal text-ink-soft">of {formatBytes(free)} free</span>}
    </>
  );
}
