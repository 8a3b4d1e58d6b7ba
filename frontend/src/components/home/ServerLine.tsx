import type { ServerFacts } from "@/lib/api/types";
import { formatBytes } from "@/lib/format/bytes";

/** The machine that all of this runs on, in a line. */
export function ServerLine({ server }: { server: ServerFacts }) {
  const { device, memory } = server;
  return (
    <p className="figures mt-5 flex flex-wrap gap-x-5 gap-y-1 text-[0.8125rem] text-ink-soft">
      <span>MistralTune {server.version}</span>
      <span>{device.name}</span>
      <span>
        {formatBytes(memory.available_bytes)} of {formatBytes(memory.total_bytes)} memory free
      </span>
      <span>{formatBytes(memory.disk_free_bytes)} of disk free</span>
      <span className="break-all">{server.data_dir}</span>
    </p>
  );
}
