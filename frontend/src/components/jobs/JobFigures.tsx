import { Bar } from "@/components/ui/Bar";
import { Figure } from "@/components/ui/Facts";
import { formatCount, formatFigure, formatRate } from "@/lib/format/number";
import { formatDuration } from "@/lib/format/time";
import { secondsLeft, shareDone, type Progress } from "@/lib/jobs/progress";
import { hasEnded } from "@/lib/jobs/status";

/** The newest figures of a training and how far it is. */
export function JobFigures({ progress, status }: { progress: Progress; status: string }) {
  const { figures, numSteps, preparation } = progress;
  const isRunning = status === "RUNNING";
  const share = shareDone(progress);
  const isPreparing = !hasEnded(status) && preparation !== null && numSteps === 0;
  return (
    <div className="px-4 py-3.5">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-3 xl:grid-cols-6">
        <Figure label="Step" value={numSteps ? `${formatCount(figures.step)} / ${formatCount(numSteps)}` : "–"} />
        <Figure label="Loss" value={formatFigure(figures.loss)} hint="Mean over the trained tokens since the last logged step, in nats per token" />
        <Figure label="Validation loss" value={formatFigure(figures.valLoss)} hint="Over all validation rows, in nats per trained token" />
        <Figure label="Learning rate" value={formatRate(figures.learningRate)} />
        <Figure label="Tokens per second" value={formatCount(figures.tokensPerSecond)} />
        {isRunning ? <Figure label="Time left" value={formatDuration(secondsLeft(progress))} /> : <Figure label="Time in steps" value={formatDuration(figures.seconds)} />}
      </dl>
      {!hasEnded(status) || (share !== null && share < 1) ? (
        <div className="mt-4">
          {isPreparing ? (
            <Bar value={preparation.total ? preparation.done / preparation.total : null} label="Preparation of the data" />
          ) : (
            <Bar value={status === "QUEUED" || status === "VALIDATED" || hasEnded(status) ? (share ?? 0) : share} label="Steps done" />
          )}
        </div>
      ) : null}
    </div>
  );
}
