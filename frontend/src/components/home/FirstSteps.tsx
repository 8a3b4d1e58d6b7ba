"use client";

import { Rocket } from "lucide-react";
import { useRouter } from "next/navigation";
import { Button } from "@/components/ui/Button";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useAction } from "@/hooks/useAction";
import { startQuickstart } from "@/lib/jobs/quickstart";
import { jobHref } from "@/lib/places";

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
    </>
  );
}
