"use client";

import { useEffect, useRef, useState } from "react";
import { Panel } from "@/components/ui/Panel";
import { classes } from "@/lib/classes";
import { formatClock } from "@/lib/format/time";
import { rowsInSight } from "@/lib/lists/window";
import { meaningOf } from "@/lib/jobs/status";
import type { LogLine } from "@/lib/jobs/progress";

const LINE_HEIGHT = 22;
const HEIGHT = 330;

const LOOKS: Partial<Record<LogLine["kind"], string>> = {
  error: "text-bad",
  note: "text-warn",
  status: "text-accent font-medium",
  checkpoint: "text-good",
  log: "text-ink-soft",
};

type Kinds = "events" | "everything";

/** What happened, and with it what the job's process printed; follows the end while that is in sight. */
export function JobLog({ lines }: { lines: LogLine[] }) {
  const [kinds, setKinds] = useState<Kinds>("events");
  const [scrollTop, setScrollTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const shown = kinds === "everything" ? lines : lines.filter((line) => line.kind !== "log");
  const height = shown.length * LINE_HEIGHT;

  useEffect(() => {
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [height]);

  const { start, end } = rowsInSight({ numRows: shown.length, rowHeight: LINE_HEIGHT, scrollTop, height: HEIGHT });
  return (
    <Panel
      title="Log"
      actions={
        <label className="flex items-center gap-2 text-[0.8125rem]">
          <input
            type="checkbox"
            className="size-4 accent-accent"
            checked={kinds === "everything"}
            onChange={(event) => setKinds(event.target.checked ? "everything" : "events")}
          />
          With the process&apos;s output
        </label>
      }
    >
      <div
        ref={box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="What happened to the job"
        className="overflow-auto px-4 py-2 font-mono text-xs focus-visible:-outline-offset-2"
        style={{ maxHeight: HEIGHT }}
        onScroll={({ currentTarget }) => {
          setScrollTop(currentTarget.scrollTop);
          isAtEnd.current = currentTarget.scrollHeight - currentTarget.scrollTop - currentTarget.clientHeight < LINE_HEIGHT;
        }}
      >
        {shown.length === 0 ? <p className="font-sans text-sm text-ink-soft">Nothing has happened yet.</p> : null}
        <div className="relative w-max min-w-full" style={{ height }}>
          <div style={{ transform: `translateY(${start * LINE_HEIGHT}px)` }}>
            {shown.slice(start, end).map((line) => (
              <div key={line.seq} className={classes("flex gap-3 whitespace-pre", LOOKS[line.kind])} style={{ height: LINE_HEIGHT }}>
                <span className="figures shrink-0 text-ink-soft">{formatClock(line.at)}</span>
                <span>{oneLine(line.kind === "status" ? meaningOf(line.text).word : line.text)}</span>
              </div>
            ))}
          </div>
        </div>
      </div>
    </Panel>
  );
}

/** A text on one line: a progress bar of the process rewinds it. */
function oneLine(text: string): string {
  return text.split(/[\r\n]+/).filter(Boolean).join(" ⏎ ");
}
