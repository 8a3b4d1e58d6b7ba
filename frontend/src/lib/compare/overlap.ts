import type { Evaluation } from "@/lib/api/types";
import { formatCount } from "@/lib/format/number";

export type Overlap = NonNullable<Evaluation["refused_overlap"]>;

const NUM_NAMED = 5;

/** How many evaluated rows stand in the data that a model was trained or validated on, and which are the first; "" where none does. */
export function overlapText({ train_file: file, part = "training", num_exact: exact, num_near: near, rows = [] }: Overlap): string {
  const counts = [
    [exact ?? 0, "exactly"],
    [near ?? 0, "nearly"],
  ] as const;
  const total = counts[0][0] + counts[1][0];
  if (total === 0) return "";
  const parts = counts.filter(([count]) => count > 0).map(([count, how]) => `${formatCount(count)} ${how}`);
  const named = rows.slice(0, NUM_NAMED).join(", ");
  return `Evaluated rows are in the model’s ${part} data, ${file}: ${parts.join(" and ")} (${rows.length === 1 ? "row" : "rows"} ${named}${total > NUM_NAMED ? " …" : ""}).`;
}
