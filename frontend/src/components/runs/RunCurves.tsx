"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import type { Curve } from "@/components/charts/Curves";
import { Select } from "@/components/ui/Field";
import { Loading } from "@/components/ui/Loading";
import { Problem } from "@/components/ui/Notice";
import { Panel } from "@/components/ui/Panel";
import { useResource } from "@/hooks/useResource";
import type { Run } from "@/lib/api/types";
import { formatCount, formatFigure, formatRate } from "@/lib/format/number";
import { FIGURES, loadSeries, seriesOf, type FigureName } from "@/lib/runs/loading";

const Curves = dynamic(() => import("@/components/charts/Curves").then((module) => module.Curves), {
  ssr: false,
  loading: () => <Loading label="Loading the chart" />,
});

const FORMATS: Record<FigureName, (value: number) => string> = {
  loss: formatFigure,
  val_loss: formatFigure,
  val_accuracy: formatFigure,
  learning_rate: formatRate,
  tokens_per_second: formatCount,
};

/** One figure of several runs over one another. */
export function RunCurves({ runs, nameOf }: { runs: Run[]; nameOf: (run: Run) => string }) {
  const [figure, setFigure] = useState<FigureName>("loss");
  const [smoothing, setSmoothing] = useState(0);
  const key = runs.map((run) => run.id).join(" ");
  const isRunning = runs.some((run) => run.status === "running");
  const { data, problem, reload } = useResource(key ? `series ${key}` : null, (signal) => Promise.all(runs.map((run) => loadSeries(run.id, signal))), {
    every: isRunning ? 4000 : undefined,
  });
  const curves: Curve[] = (data ?? []).flatMap((found, index) => {
    const run = runs[index];
    return run ? [{ name: nameOf(run), series: seriesOf(found, figure), hasPoints: figure.startsWith("val_") }] : [];
  });
  const hasPoints = curves.some((curve) => curve.series.x.length > 0);
  return (
    <Panel
      title="Curves"
      actions={
        <>
          <label className="flex items-center gap-2 text-[0.8125rem]">
            Smoothing
            <input type="range" min="0" max="0.95" step="0.05" className="w-24 accent-accent" value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} />
          </label>
          <Select aria-label="Figure" className="h-8 w-auto" value={figure} onChange={(event) => setFigure(event.target.value as FigureName)}>
            {Object.entries(FIGURES).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </Select>
        </>
      }
    >
      {problem && !data ? <Problem problem={problem} retry={reload} className="m-4" /> : null}
      {!data && !problem ? <Loading label="Loading curves" /> : null}
      {data && !hasPoints ? <p className="px-4 py-8 text-center text-ink-soft">Nothing is logged of that.</p> : null}
      {hasPoints ? <Curves label={FIGURES[figure]} height={300} curves={curves} smoothing={smoothing} format={FORMATS[figure]} /> : null}
    </Panel>
  );
}
