import type { ComponentProps, ReactNode } from "react";
import { classes } from "@/lib/classes";

/** A box to tick, with its words behind it. */
export function Choice({ type = "checkbox", children, className, ...rest }: ComponentProps<"input"> & { children: ReactNode }) {
  return (
    <label className={classes("flex min-w-0 items-start gap-2", className)}>
      <input type={type} className="mt-0.5 size-4 shrink-0 accent-accent" {...rest} />
      <span className="min-w-0 break-words">{children}</span>
    </label>
  );
}

/** Several boxes that belong together. */
export function Choices({ legend, help, problem, children }: { legend: ReactNode; help?: ReactNode; problem?: string | null; children: ReactNode }) {
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-1.5">{children}</div>
      {problem ? <p role="alert" className="mt-1 text-[0.8125rem] text-bad">{problem}</p> : null}
      {help ? <p className="mt-1 text-[0.8125rem] text-ink-soft">{help}</p> : null}
    </fieldset>
  );
}
