import type { ReactNode } from "react";
import { classes } from "@/lib/classes";

/** Names and what they stand for, side by side. */
export function Facts({ facts, className }: { facts: [string, ReactNode][]; className?: string }) {
  return (
    <dl className={classes("grid grid-cols-[minmax(7rem,auto)_1fr] gap-x-4 gap-y-1.5 px-4 py-3", className)}>
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-ink-soft">{name}</dt>
          <dd className="figures min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A figure that matters; stands in a `dl`. */
export function Figure({ label, value, hint }: { label: string; value: ReactNode; hint?: string }) {
  return (
    <div className="min-w-0" title={hint}>
      <dt className="text-[0.8125rem] text-ink-soft">{label}</dt>
      <dd className="figures truncate text-lg font-semibold tracking-tight">{value}</dd>
    </div>
  );
}
