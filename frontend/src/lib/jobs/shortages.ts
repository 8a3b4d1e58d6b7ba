import { formatBytes } from "@/lib/format/bytes";
import type { DryRun } from "@/lib/api/types";

type Needs = Pick<DryRun, "memory_device" | "memory_bytes" | "memory_free_bytes" | "disk_bytes" | "disk_free_bytes">;

/** A sentence for memory and for disk where a job takes more than is free; none where either is not known. */
export function shortagesOf(plan: Needs): string[] {
  const shortages = [];
  if (isShort(plan.memory_bytes, plan.memory_free_bytes)) {
    const place = plan.memory_device === "gpu" ? "on the GPU" : "of this machine's memory";
    shortages.push(
      `May not fit: about ${formatBytes(plan.memory_bytes)} are needed and ${formatBytes(plan.memory_free_bytes)} ${place} are free now. ` +
        "Models that are loaded for chats make room before a training starts; shorter rows (seq_len) and a smaller model take less.",
    );
  }
  if (isShort(plan.disk_bytes, plan.disk_free_bytes)) {
    shortages.push(`Too little disk: checkpoints and adapter take about ${formatBytes(plan.disk_bytes)}, and ${formatBytes(plan.disk_free_bytes)} are free. The job would be refused.`);
  }
  return shortages;
}

function isShort(needed: number | null, free: number | null): boolean {
  return needed !== null && free !== null && needed > free;
}
