import type { ReactNode } from "react";
import { classes } from "@/lib/classes";
import type { Tone } from "@/lib/jobs/status";

const TONES: Record<Tone, string> = {
  neutral: "bg-sunken text-ink-soft",
  active: "bg-accent-soft text-accent-soft-ink",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
};

export function Badge({ tone = "neutral", children, className }: { tone?: Tone; children: ReactNode; className?: string }) {
  return (
    <span className={classes("inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap", TONES[tone], className)}>
      {children}
    </span>
  );
}
