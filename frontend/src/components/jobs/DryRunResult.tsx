import { Figure } from "@/components/ui/Facts";
import { Panel } from "@/components/ui/Panel";
import { formatBytes } from "@/lib/format/bytes";
import { formatCount } from "@/lib/format/number";
import { formatDuration } from "@/lib/format/time";
import { secondsFor, type Precedent } from "@/lib/jobs/precedent";
import type { DryRun } from "@/lib/api/types";

/** What a job would do, before anything starts. */
export function DryRunResult({ plan, precedent }: { plan: DryRun; precedent: Precedent }) {
  const seconds = plan.expected_duration_seconds ?? secondsFor(plan.train_tokens, precedent);
  const memory = precedent.peakMemoryBytes;
  return (
    <Panel title="What this job would do" hint="Nothing has started. Memory and time are those of the last training of this model here.">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 px-4 py-3.5 sm:grid-cols-3">
        <Figure label="Steps" value={formatCount(plan.training_steps)} />
        <Figure label="Epochs" value={plan.epochs} />
        <Figure label="Rows" value={formatCount(plan.num_rows)} />
        <Figure label="Rows per step" value={formatCount(plan.rows_per_step)} />
        <Figure label="Tokens in the data" value={formatCount(plan.data_tokens)} />
        <Figure label="Tokens per step" value={formatCount(plan.train_tokens_per_step)} />
        <Figure label="Tokens in all steps" value={formatCount(plan.train_tokens)} />
        <Figure
          label="Memory"
          value={memory === null ? "not known yet" : formatBytes(memory)}
          hint="The most that the last training of the same model on this machine took"
        />
        <Figure
          label="Time"
          value={seconds === null ? "not known yet" : formatDuration(seconds)}
          hint="By the last training of the same model on this machine"
        />
      </dl>
      {plan.num_rows_left_out ? <p className="border-t px-4 py-2 text-warn">{formatCount(plan.num_rows_left_out)} rows are too long and would be left out.</p> : null}
    </Panel>
  );
}
