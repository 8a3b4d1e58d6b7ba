"use client";

import { useCallback, useState } from "react";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import type { DataFile } from "@/lib/api/types";
import { uploadFile } from "@/lib/files/uploading";

/** A file on its way to the server. */
export interface UploadState {
  id: number;
  name: string;
  size: number;
  /** How much has left, 0 to 1; at 1 the server checks the rows. */
  share: number;
  file?: DataFile;
  problem?: ApiProblem;
  stop: () => void;
}

let lastId = 0;

/** Uploads, one after the other, and what became of them. */
export function useUploads(onDone: () => void): {
  uploads: UploadState[];
  add: (file: File, refusal: ApiProblem | null) => void;
  dismiss: (id: number) => void;
} {
  const [uploads, setUploads] = useState<UploadState[]>([]);
  const dismiss = useCallback((id: number) => setUploads((all) => all.filter((upload) => upload.id !== id)), []);
  const add = useCallback(
    (file: File, refusal: ApiProblem | null) => {
      lastId += 1;
      const id = lastId;
      const stopping = new AbortController();
      const change = (what: Partial<UploadState>) => setUploads((all) => all.map((upload) => (upload.id === id ? { ...upload, ...what } : upload)));
      const upload: UploadState = { id, name: file.name, size: file.size, share: 0, stop: () => stopping.abort() };
      setUploads((all) => [refusal ? { ...upload, problem: refusal } : upload, ...all]);
      if (refusal) return;
      uploadFile(file, { onProgress: (share) => change({ share }), signal: stopping.signal })
        .then((uploaded) => {
          change({ share: 1, file: uploaded });
          onDone();
        })
        .catch((error: unknown) => (stopping.signal.aborted ? dismiss(id) : change({ problem: asProblem(error) })));
    },
    [dismiss, onDone],
  );
  return { uploads, add, dismiss };
}
