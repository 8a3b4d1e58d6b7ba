import { call } from "@/lib/api/client";
import type { DataFile } from "@/lib/api/types";

const PAGE_SIZE = 1000; // the most that the server gives at a time

/** Every uploaded file, newest first. */
export async function loadFiles(signal: AbortSignal): Promise<DataFile[]> {
  const files = new Map<string, DataFile>();
  for (let page = 0; ; page += 1) {
    const { data } = await call("get", "/v1/files", { query: { page, page_size: PAGE_SIZE }, signal });
    data.forEach((file) => files.set(file.id, file));
    if (data.length < PAGE_SIZE) return [...files.values()];
  }
}
