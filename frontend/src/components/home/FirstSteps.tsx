"use client";

import { Database, ListChecks, MessageSquare, Rocket } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { Button } from "@/components/ui/Button";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useAction } from "@/hooks/useAction";
import { startQuickstart } from "@/lib/jobs/quickstart";
import { jobHref, newJobHref } from "@/lib/places";

const STEPS = [
  { href: "/datasets/", Icon: Database, title: "Upload your rows", text: "Conversations as JSON Lines. Every line is checked, and what is wrong is said line by line." },
  { href: newJobHref(), Icon: ListChecks, title: "Start a job", text: "Choose a model and look at a dry run: tokens, steps and time before anything starts." },
  { href: "/playground/", Icon: MessageSquare, title: "Talk to a model", text: "Base models answer right away; a fine-tuned one as soon as its job succeeds." },
];

/** What to do on a server where nothing has happened yet. */
export function FirstSteps() {
  const router = useRouter();
  const { run, isBusy, problem } = useAction(async () => router.push(jobHref((await startQuickstart()).id)));
  return (
    <>
      <Panel className="mb-4 overflow-hidden">
        <div className="flex flex-wrap items-center justify-between gap-4 border-l-4 border-accent p-5">
          <div className="min-w-0 max-w-prose">
            <h2 className="text-base font-semibold">See it work first</h2>
            <p className="mt-1 text-ink-soft">
              The quickstart teaches a small model of 135M weights to label support tickets: it uploads the example data and starts a job of a few minutes,
              without a GPU. The model is fetched once (93 MB).
            </p>
          </div>
          <Button look="primary" disabled={isBusy} onClick={() => run()}>
            <Rocket aria-hidden />
            {isBusy ? "Starting …" : "Run the quickstart"}
          </Button>
        </div>
        {problem ? <Problem problem={problem} className="m-4 mt-0" /> : null}
      </Panel>
      <ol className="grid gap-4 md:grid-cols-3">
        {STEPS.map(({ href, Icon, title, text }, index) => (
          <li key={href}>
            <Link href={href} className="block h-full rounded-lg border bg-surface p-5 hover:border-line-strong">
              <div className="flex items-center gap-2.5 font-semibold">
                <Icon className="size-5 text-accent" aria-hidden />
                <span>
                  {index + 1}. {title}
                </span>
              </div>
              <p className="mt-2 text-ink-soft">{text}</p>
            </Link>
          </li>
        ))}
      </ol>
    </>
  );
}
