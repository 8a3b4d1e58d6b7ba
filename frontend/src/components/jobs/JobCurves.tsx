"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { Panel } from "@/components/ui/Panel";
import { Loading } from "@/components/ui/Loading";
import { formatCount, formatFigure, formatRate } from "@/lib/format/number";
import type { Progress } from "@/lib/jobs/progress";

const Curves = dynamic(() => import("@/components/charts/Curves").then((module) => module.Curves), {
  ssr: false,
  loading: () => <Loading label="Loading the chart" />,
});

/** A training's curves, growing. */
export function JobCurves({ progress, version }: { progress: Progress; version: number }) {
  const [smoothing, setSmoothing] = useState(0);
  const [isLogarithmic, setLogarithmic] = useState(false);
  if (progress.loss.x.length === 0 && progress.valLoss.x.length === 0) return null;
  return (
    <Panel
      title="Curves"
      actions={
        <>
          <label className="flex items-center gap-2 text-[0.8125rem]">
            Smoothing
            <input type="range" min="0" max="0.95" step="0.05" className="w-24 accent-accent" value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} />
          </label>
          <label className="flex items-center gap-2 text-[0.8125rem]">
            <input type="checkbox" className="size-4 accent-accent" checked={isLogarithmic} onChange={(event) => setLogarithmic(event.target.checked)} />
            Log scale
          </label>
        </>
      }
    >
      <Curves
        label="Loss"
        height={260}
        version={version}
        smoothing={smoothing}
        isLogarithmic={isLogarithmic}
        format={formatFigure}
        curves={[
          { name: "training", series: progress.loss },
          { name: "validation", series: progress.valLoss, hasPoints: true },
        ]}
      />
      <div className="grid border-t xl:grid-cols-2 xl:divide-x">
        <Curves label="Learning rate" height={160} version={version} format={formatRate} curves={[{ name: "learning rate", series: progress.learningRate }]} />
        <Curves label="Tokens per second" height={160} version={version} format={formatCount} curves={[{ name: "tokens per second", series: progress.speed }]} />
      </div>
    </Panel>
  );
}
