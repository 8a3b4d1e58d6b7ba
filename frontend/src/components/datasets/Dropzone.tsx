"use client";

import { Upload } from "lucide-react";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/Button";
import { classes } from "@/lib/classes";

/** Takes files by drop or from a dialog. */
export function Dropzone({ onFiles, hint }: { onFiles: (files: File[]) => void; hint: string }) {
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  return (
    <div
      className={classes("rounded-lg border-2 border-dashed px-4 py-6 text-center", isOver ? "border-accent bg-accent-soft" : "border-line-strong/50 bg-surface")}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onFiles([...event.dataTransfer.files]);
      }}
    >
      <input
        ref={input}
        type="file"
        multiple
        accept=".jsonl,.json,.ndjson,.txt"
        aria-label="Data sets to upload"
        className="sr-only"
        tabIndex={-1}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = ""; // the same file can be chosen again, mended
        }}
      />
      <p className="mb-2">Drop JSON Lines here</p>
      <Button onClick={() => input.current?.click()}>
        <Upload aria-hidden />
        Choose files
      </Button>
      <p className="mt-2 text-[0.8125rem] text-ink-soft">{hint}</p>
    </div>
  );
}
