"use client";

import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useIsDark } from "@/hooks/useIsDark";
import { useWidth } from "@/hooks/useWidth";
import { align } from "@/lib/series/align";
import { smooth } from "@/lib/series/smooth";
import { thin, type Series } from "@/lib/series/thin";
import { shortened } from "@/lib/series/ticks";
import { curveColour, curveDash } from "./palette";

export interface Curve {
  name: string;
  series: Series;
  /** Draw points too: for few, far between, such as validation losses. */
  hasPoints?: boolean;
}

interface Props {
  /** What the y axis shows, for those who cannot see it too. */
  label: string;
  curves: Curve[];
  format: (value: number) => string;
  height?: number;
  /** How much the curves are smoothed, 0 to 1. */
  smoothing?: number;
  isLogarithmic?: boolean;
  /** Changes whenever the curves have grown: they are appended to in place. */
  version?: number;
}

/** Curves over the steps of a training. Dragging zooms in, a double click shows everything again. */
export function Curves({ label, curves, format, height = 220, smoothing = 0, isLogarithmic = false, version = 0 }: Props) {
  const [frame, width] = useWidth<HTMLDivElement>();
  const isDark = useIsDark();
  const plot = useRef<uPlot | null>(null);
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  const names = curves.map((curve) => `${curve.name}${curve.hasPoints ? "*" : ""}`).join("\n");

  const data = useMemo(() => {
    const thinned = curves.map(({ series, hasPoints }) =>
      thin(smoothing && !hasPoints ? smooth(series, smoothing) : series, Math.max(1, width), zoom?.from, zoom?.to),
    );
    const { x, ys } = align(thinned);
    return [x, ...ys] as uPlot.AlignedData;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `version` stands for what is inside the curves
  }, [curves, width, zoom, smoothing, version]);

  const drawn = useRef(data);
  drawn.current = data;

  useEffect(() => {
    if (!frame.current || width === 0) return;
    const style = getComputedStyle(document.documentElement);
    const axis = {
      stroke: style.getPropertyValue("--ink-soft"),
      grid: { stroke: style.getPropertyValue("--line"), width: 1 },
      ticks: { stroke: style.getPropertyValue("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const options: uPlot.Options = {
      width,
      height,
      legend: { show: true, live: true },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: { x: { time: false }, y: isLogarithmic ? { distr: 3 } : {} },
      axes: [
        { ...axis, values: (_, values) => values.map((value) => (Number.isInteger(value) ? value.toLocaleString("en") : "")) },
        { ...axis, size: 64, values: (_, values) => shortened(values.map((value) => (value === null ? "" : format(value)))) },
      ],
      series: [
        { label: "step", value: (_, value) => (value === null ? "–" : value.toLocaleString("en")) },
        ...names.split("\n").map((name, index) => ({
          label: name.replace(/\*$/, ""),
          stroke: curveColour(index, isDark),
          dash: curveDash(index),
          width: 1.75,
          spanGaps: true,
          points: { show: name.endsWith("*"), size: 6, fill: curveColour(index, isDark) },
          value: (_: uPlot, value: number | null) => (value === null || value === undefined ? "–" : format(value)),
        })),
      ],
      hooks: {
        setSelect: [
          (self) => {
            const { left, width: selected } = self.select;
            if (selected > 4) setZoom({ from: self.posToVal(left, "x"), to: self.posToVal(left + selected, "x") });
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
    const made = new uPlot(options, drawn.current, frame.current);
    made.over.addEventListener("dblclick", () => setZoom(null));
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- made anew for what uPlot cannot change; `format` is constant
  }, [frame, width, height, names, isDark, isLogarithmic]);

  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure className="px-2 pt-3 pb-2">
      <figcaption className="flex items-center justify-between px-2 text-[0.8125rem] text-ink-soft">
        <span className="font-medium text-ink">{label}</span>
        {zoom ? (
          <button type="button" className="rounded px-1.5 py-0.5 underline underline-offset-2" onClick={() => setZoom(null)}>
            Show all steps
          </button>
        ) : null}
      </figcaption>
      <div ref={frame} className="min-w-0 overflow-hidden" role="img" aria-label={`${label}: ${summaryOf(curves, format)}`} />
    </figure>
  );
}

function summaryOf(curves: Curve[], format: (value: number) => string): string {
  const lines = curves.map(({ name, series }) => {
    const first = series.y.find((value) => value !== null);
    const last = series.y.findLast((value) => value !== null);
    if (first === undefined || first === null || last === undefined || last === null) return `${name}, no figures yet`;
    return `${name} from ${format(first)} to ${format(last)} over ${series.x.length} points`;
  });
  return lines.join("; ");
}
