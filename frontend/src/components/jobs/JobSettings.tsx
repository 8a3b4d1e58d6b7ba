import Link from "next/link";
import { Facts } from "@/components/ui/Facts";
import { Panel } from "@/components/ui/Panel";
import { formatBytes } from "@/lib/format/bytes";
import { formatCount, formatRate } from "@/lib/format/number";
import { formatDuration, formatTime } from "@/lib/format/time";
import { datasetHref } from "@/lib/places";
import type { JobDetails } from "@/lib/api/types";

/** What was asked for, and what its data turned out to be. */
export function JobSettings({ job, fileNames }: { job: JobDetails; fileNames: Map<string, string> }) {
  const { hyperparameters: wanted, metadata: plan } = job;
  return (
    <Panel title="Settings">
      <Facts
        facts={[
          ["Model", job.model],
          ["Training data", <Files key="training" ids={job.training_files} names={fileNames} />],
          ["Validation data", job.validation_files.length ? <Files key="validation" ids={job.validation_files} names={fileNames} /> : "none"],
          ["Steps", formatCount(wanted.training_steps)],
          ["Epochs", wanted.epochs ?? "–"],
          ["Learning rate", formatRate(wanted.learning_rate)],
          ["Weight decay", wanted.weight_decay],
          ["Warmup fraction", wanted.warmup_fraction],
          ["Longest row", wanted.seq_len ? `${formatCount(wanted.seq_len)} tokens` : "as by default"],
          ["Rows", plan.num_rows === null ? "–" : `${formatCount(plan.num_rows)}${plan.num_rows_left_out ? `, ${formatCount(plan.num_rows_left_out)} left out as too long` : ""}`],
          ["Tokens in the data", formatCount(plan.data_tokens)],
          ["Tokens in all steps", formatCount(plan.train_tokens)],
          ["Memory, as estimated", formatBytes(plan.memory_bytes)],
          ["Disk, as estimated", formatBytes(plan.disk_bytes)],
          ["Expected duration", formatDuration(plan.expected_duration_seconds)],
          ["Created", formatTime(job.created_at)],
          ["Id", <span key="id" className="font-mono text-xs">{job.id}</span>],
        ]}
      />
    </Panel>
  );
}

function Files({ ids, names }: { ids: string[]; names: Map<string, string> }) {
  return (
    <ul>
      {ids.map((id) => (
        <li key={id}>
          {names.has(id) ? (
            <Link href={datasetHref(id)} className="underline underline-offset-2">
              {names.get(id)}
            </Link>
          ) : (
            <span className="text-ink-soft">deleted ({id.slice(0, 8)})</span>
          )}
        </li>
      ))}
    </ul>
  );
}
