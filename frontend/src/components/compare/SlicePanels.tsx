"use client";

import { useState } from "react";
import { DataTable } from "@/components/ui/DataTable";
import { Select } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import type { Comparison, Evaluation } from "@/lib/api/types";
import { byField, changeOf, formatMetric, isScore, labelOf } from "@/lib/compare/metrics";
import { formatCount } from "@/lib/format/number";
import { changeCells, hasProbability, Metric } from "./MetricTable";

type Slice = NonNullable<NonNullable<Evaluation["figures"]>["slices"]>[number];
type SliceComparison = NonNullable<NonNullable<Comparison["figures"]>["slices"]>[number];

/** One model's scores on each group of rows, a table a field. */
export function SlicePanels({ slices }: { slices: Slice[] | undefined }) {
  return byField(slices).map(([field, groups]) => {
    const scores = scoresIn(groups.map((group) => group.metrics));
    return (
      <Panel key={field} title={`By ${field}`} hint="The largest group first.">
        <DataTable
          label={`Scores by ${field}`}
          heads={[field, "Rows", ...scores.map(labelOf)]}
          rows={groups.map(({ value, num_examples: count, metrics, intervals }) => ({
            key: value,
            cells: [value, formatCount(count), ...scores.map((name) => (metrics[name] === undefined ? "–" : <Metric key={name} name={name} value={metrics[name]} interval={intervals[name] ?? null} />))],
          }))}
        />
      </Panel>
    );
  });
}

/** How much better or worse each group of rows got, a table a field, one metric at a time. */
export function ComparedSlicePanels({ slices }: { slices: SliceComparison[] | undefined }) {
  return byField(slices).map(([field, groups]) => <ComparedSlices key={field} field={field} groups={groups} />);
}

function ComparedSlices({ field, groups }: { field: string; groups: SliceComparison[] }) {
  const scores = scoresIn(groups.map((group) => group.base));
  const [metric, setMetric] = useState(scores[0] ?? "");
  const lines = groups.map((group) => ({ ...group, change: changeOf(group.differences[metric]) }));
  const hasP = lines.some((line) => hasProbability(line.change));
  return (
    <Panel
      title={`By ${field}`}
      hint="The largest group first; small groups have wide intervals."
      actions={
        <Select aria-label={`Metric by ${field}`} className="h-8 w-auto" value={metric} onChange={(event) => setMetric(event.target.value)}>
          {scores.map((name) => (
            <option key={name} value={name}>
              {labelOf(name)}
            </option>
          ))}
        </Select>
      }
    >
      <DataTable
        label={`${labelOf(metric)} by ${field}`}
        heads={[field, "Rows", "Base", "Fine-tuned", "Difference", ...(hasP ? ["McNemar’s p"] : []), "Reading"]}
        rows={lines.map(({ value, num_examples: count, base, fine_tuned: tuned, change }) => ({
          key: value,
          cells: [value, formatCount(count), formatMetric(metric, base[metric]), formatMetric(metric, tuned[metric]), ...changeCells(metric, change, hasP)],
        }))}
      />
    </Panel>
  );
}

/** The scores that any of the groups has, in their order. */
function scoresIn(metrics: Record<string, number>[]): string[] {
  return [...new Set(metrics.flatMap((each) => Object.keys(each)))].filter(isScore);
}
