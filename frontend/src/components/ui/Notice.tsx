import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "@/lib/classes";
import type { ApiProblem } from "@/lib/api/problem";
import { Button } from "./Button";

const TONES = {
  info: { look: "border-cool/40 bg-cool-soft text-cool", Icon: Info },
  good: { look: "border-good/40 bg-good-soft text-good", Icon: CircleCheck },
  warn: { look: "border-warn/40 bg-warn-soft text-warn", Icon: TriangleAlert },
  bad: { look: "border-bad/40 bg-bad-soft text-bad", Icon: CircleAlert },
};

/** Something to know; what went wrong is read out at once. */
export function Notice({ tone = "info", children, className, actions }: {
  tone?: keyof typeof TONES;
  children: ReactNode;
  className?: string;
  actions?: ReactNode;
}) {
  const { look, Icon } = TONES[tone];
  return (
    <div role={tone === "bad" ? "alert" : "status"} className={classes("flex flex-wrap items-start gap-x-3 gap-y-2 rounded-md border px-3 py-2", look, className)}>
      <Icon className="mt-0.5 size-4 shrink-0" aria-hidden />
      <div className="min-w-0 flex-[1_1_13rem] break-words">{children}</div>
      {actions}
    </div>
  );
}

/** A request that failed, with a way to try again. */
export function Problem({ problem, retry, className }: { problem: ApiProblem; retry?: () => void; className?: string }) {
  return (
    <Notice tone="bad" className={className} actions={retry ? <Button size="small" onClick={retry}>Try again</Button> : null}>
      {problem.message}
    </Notice>
  );
}
