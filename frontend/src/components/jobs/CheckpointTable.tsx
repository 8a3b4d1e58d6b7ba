import { Panel } from "@/components/ui/Panel";
import { formatFigure } from "@/lib/format/number";
import { formatTime } from "@/lib/format/time";
import { indexAtOrAfter, type Series } from "@/lib/series/thin";
import type { Progress } from "@/lib/jobs/progress";

/** The saved checkpoints, newest first, with the figures of their steps. */
export function CheckpointTable({ progress }: { progress: Progress }) {
  const { checkpoints } = progress;
  if (checkpoints.length === 0) return null;
  return (
    <Panel title="Checkpoints" hint="Only the newest ones are kept on disk.">
      <div className="max-h-72 overflow-auto" tabIndex={0} role="region" aria-label="Checkpoints">
        <table className="figures w-full text-left">
          <thead className="sticky top-0 bg-surface text-[0.8125rem] text-ink-soft">
            <tr>
              <th scope="col" className="px-4 py-1.5 font-medium">Step</th>
              <th scope="col" className="px-2 py-1.5 text-right font-medium">Loss</th>
              <th scope="col" className="px-2 py-1.5 text-right font-medium">Validation</th>
              <th scope="col" className="px-4 py-1.5 text-right font-medium">Saved</th>
            </tr>
          </thead>
          <tbody>
            {checkpoints.toReversed().map(({ step, at }) => (
              <tr key={step} className="border-t">
                <td className="px-4 py-1.5">{step}</td>
                <td className="px-2 py-1.5 text-right">{formatFigure(valueAt(progress.loss, step))}</td>
                <td className="px-2 py-1.5 text-right">{formatFigure(valueAt(progress.valLoss, step))}</td>
                <td className="px-4 py-1.5 text-right whitespace-nowrap text-ink-soft">{formatTime(at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function valueAt({ x, y }: Series, step: number): number | null {
  const index = indexAtOrAfter(x, step);
  return x[index] === step ? (y[index] ?? null) : null;
}
