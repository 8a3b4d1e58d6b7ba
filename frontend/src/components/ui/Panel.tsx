import type { ReactNode } from "react";
import { classes } from "@/lib/classes";

/** A titled part of a page. */
export function Panel({ title, hint, actions, children, className }: {
  title?: ReactNode;
  hint?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={classes("min-w-0 rounded-lg border bg-surface", className)}>
      {title || actions ? (
        <header className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b px-4 py-2.5">
          <div className="min-w-0">
            <h2 className="font-semibold">{title}</h2>
            {hint ? <p className="text-[0.8125rem] text-ink-soft">{hint}</p> : null}
          </div>
          {actions ? <div className="flex flex-wrap items-center gap-2">{actions}</div> : null}
        </header>
      ) : null}
      {children}
    </section>
  );
}
