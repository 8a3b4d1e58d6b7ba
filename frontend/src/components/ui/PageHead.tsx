import Link from "next/link";
import type { ReactNode } from "react";

/** What a page is, and what can be done on it. */
export function PageHead({ title, lead, actions, back }: {
  title: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  back?: { href: string; label: string };
}) {
  return (
    <div className="mb-5 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        {back ? (
          <Link href={back.href} className="text-[0.8125rem] text-ink-soft underline-offset-2 hover:underline">
            ← {back.label}
          </Link>
        ) : null}
        <h1 className="text-xl font-semibold tracking-tight break-words">{title}</h1>
        {lead ? <div className="mt-0.5 text-ink-soft">{lead}</div> : null}
      </div>
      {actions ? <div className="flex flex-wrap items-center gap-2">{actions}</div> : null}
    </div>
  );
}
