"use client";

import { useId, type ComponentProps, type ReactNode } from "react";
import { classes } from "@/lib/classes";

const CONTROL =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 text-ink aria-invalid:border-bad disabled:opacity-60";

/** A labelled control with help and what is wrong with it; `children` gets what ties them together. */
export function Field({ label, help, problem, children, className }: {
  label: ReactNode;
  help?: ReactNode;
  problem?: string | null;
  children: (tie: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined }) => ReactNode;
  className?: string;
}) {
  const id = useId();
  const described = [help ? `${id}-help` : "", problem ? `${id}-problem` : ""].filter(Boolean).join(" ");
  return (
    <div className={classes("min-w-0", className)}>
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": problem ? true : undefined })}
      {problem ? (
        <p id={`${id}-problem`} className="mt-1 text-[0.8125rem] text-bad">
          {problem}
        </p>
      ) : null}
      {help ? (
        <p id={`${id}-help`} className="mt-1 text-[0.8125rem] text-ink-soft">
          {help}
        </p>
      ) : null}
    </div>
  );
}

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={classes(CONTROL, "h-9", className)} {...rest} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={classes(CONTROL, "py-2", className)} {...rest} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={classes(CONTROL, "h-9", className)} {...rest} />;
}
