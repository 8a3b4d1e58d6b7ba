import { CONSOLE_HEADERS } from "@/lib/api/client";
import { ApiProblem, readProblem, UNREACHABLE } from "@/lib/api/problem";
import { noteReach } from "@/lib/api/reach";
import type { DataFile } from "@/lib/api/types";

/**
 * Uploads rows, telling how much has left so far.
 *
 * By XMLHttpRequest: fetch does not say how far an upload is.
 *
 * @throws {ApiProblem} The rows are refused, or the server does not answer.
 */
export function uploadFile(
  file: File,
  { onProgress, signal }: { onProgress?: (share: number) => void; signal?: AbortSignal } = {},
): Promise<DataFile> {
  const form = new FormData();
  form.append("purpose", "fine-tune");
  form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    request.responseType = "json";
    for (const [name, value] of Object.entries(CONSOLE_HEADERS)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total, lengthComputable }) => lengthComputable && onProgress?.(loaded / total);
    request.onload = () => {
      noteReach(request.status === 401 ? "signed-out" : "reached");
      if (request.status === 200) resolve(request.response as DataFile);
      else reject(readProblem(request.status, request.response));
    };
    request.onerror = () => {
      noteReach("offline");
      reject(new ApiProblem(UNREACHABLE, 0));
    };
    request.onabort = () => reject(new DOMException("the upload was stopped", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
