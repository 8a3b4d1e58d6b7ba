import type { ComparisonRequest, FileFields } from "@/lib/api/types";
import type { Schema } from "@/lib/forms/schema";

type Asked = Required<Pick<ComparisonRequest, "metrics" | "language" | "turns" | "by" | "allow_overlap">>;

/** How answers are judged, as it is filled in. */
export type Judging = Asked;

export const USUAL_JUDGING: Judging = { metrics: ["exact_match", "f1"], language: "en", turns: "last", by: [], allow_overlap: false };

/** What is to be sent of it: what is not the usual way. */
export function judgingOf(judging: Judging): Partial<Asked> {
  const isUsual = (name: keyof Judging) => JSON.stringify(judging[name]) === JSON.stringify(USUAL_JUDGING[name]);
  return Object.fromEntries(Object.entries(judging).filter(([name]) => !isUsual(name as keyof Judging)));
}

/** How many of its parts are not the usual ones. */
export function numUnusual(judging: Judging): number {
  return Object.keys(judgingOf(judging)).length;
}

/** The values with one of them added or taken away, in the order in which there is a choice of them. */
export function toggled<T>(values: T[], value: T, choices: T[]): T[] {
  return choices.filter((each) => (each === value ? !values.includes(each) : values.includes(each)));
}

/** The values that a schema allows in a field, or in the items of a list. */
export function choicesOf(schema: Schema, field: string): string[] {
  const property = schema.properties?.[field];
  return property?.enum ?? property?.items?.enum ?? [];
}

/** The fields by which a file's rows fall into groups that are worth a look: several, and not each row one of its own. */
export function groupingsOf({ fields, num_rows: numRows }: FileFields): FileFields["fields"] {
  return fields.filter(({ num_groups: count }) => count > 1 && 2 * count <= numRows);
}
