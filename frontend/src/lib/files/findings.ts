import type { Detail } from "@/lib/api/problem";

/** One thing that is wrong with a file, or odd. */
export interface Finding {
  /** 1-based; null where it concerns the whole file. */
  line: number | null;
  rule: string;
  message: string;
  hint: string;
  isError: boolean;
}

/** The findings in a refused upload. */
export function findingsOf(details: Detail[]): Finding[] {
  return details.map(({ loc, type, msg, ctx }) => ({
    line: typeof loc[2] === "number" && loc[2] > 0 ? loc[2] : null,
    rule: type,
    message: msg,
    hint: ctx?.hint ?? "",
    isError: true,
  }));
}

/** Why a file need not be sent at all; null where it may. */
export function whyNotSend(file: { name: string; size: number }, maxBytes: number | undefined, format: (bytes: number) => string): string | null {
  if (file.size === 0) return "The file is empty.";
  if (maxBytes !== undefined && file.size > maxBytes) {
    return `The file has ${format(file.size)}; this server takes up to ${format(maxBytes)}. Split it, or set MISTRALTUNE_SERVER_MAX_FILE_BYTES.`;
  }
  return null;
}
