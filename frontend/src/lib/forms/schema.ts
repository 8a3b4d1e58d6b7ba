/** As much of a JSON schema as our forms have to know. */
export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  maxLength?: number;
  pattern?: string;
  enum?: string[];
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
}

/** One input of a form. */
export interface Field {
  name: string;
  label: string;
  help: string;
  type: "integer" | "number" | "string";
  /** What is used where nothing is entered; "" where that is for the server to decide. */
  placeholder: string;
  schema: Schema;
}

/** The inputs for an object's numbers and strings, in the schema's order; `skip` names those left out. */
export function fieldsOf(schema: Schema, skip: string[] = []): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const inner = withoutNull(property);
    const { type } = inner;
    if (skip.includes(name) || (type !== "integer" && type !== "number" && type !== "string")) return [];
    const placeholder = property.default === undefined || property.default === null ? "" : String(property.default);
    return [{ name, label: labelOf(name), help: helpOf(property), type, placeholder, schema: inner }];
  });
}

/** Limits from here on only keep the server's numbers sound; nobody comes near them. */
const BEYOND = 1e9;

/** A field's limits in words: "1 to 100,000", "more than 0, at most 10,000", "" where there are none. */
export function limitsOf({ minimum, maximum: highest, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  const maximum = highest !== undefined && highest >= BEYOND ? undefined : highest;
  const show = (value: number) => (Math.abs(value) >= 1e-4 || value === 0 ? value.toLocaleString("en") : value.toExponential());
  if (minimum !== undefined && maximum !== undefined) return `${show(minimum)} to ${show(maximum)}`;
  const low =
    exclusiveMinimum !== undefined ? `more than ${show(exclusiveMinimum)}` : minimum !== undefined ? `at least ${show(minimum)}` : "";
  const high =
    exclusiveMaximum !== undefined ? `less than ${show(exclusiveMaximum)}` : maximum !== undefined ? `at most ${show(maximum)}` : "";
  return [low, high].filter(Boolean).join(", ");
}

/** What is wrong with an entered text; null where nothing is. Nothing entered is never wrong. */
export function problemOf(field: Field, text: string): string | null {
  const entered = text.trim();
  if (!entered) return null;
  return field.type === "string" ? problemOfText(field.schema, entered) : problemOfNumber(field, entered);
}

/** What was entered, as the request wants it; fields left empty are left out. */
export function valuesOf(fields: Field[], entries: Record<string, string>): Record<string, number | string> {
  const values: Record<string, number | string> = {};
  for (const field of fields) {
    const entered = (entries[field.name] ?? "").trim();
    if (entered) values[field.name] = field.type === "string" ? entered : Number(entered);
  }
  return values;
}

/** The problems of all fields by name. */
export function problemsOf(fields: Field[], entries: Record<string, string>): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const problem = problemOf(field, entries[field.name] ?? "");
    if (problem) problems[field.name] = problem;
  }
  return problems;
}

/** A schema's description as a person reads it: names of fields become words. */
export function helpOf({ description = "" }: Schema): string {
  return description.replace(/`([^`]+)`/g, (_, name: string) => (LABELS[name] ?? name).replaceAll("_", " ").toLowerCase());
}

function withoutNull(schema: Schema): Schema {
  return schema.anyOf?.find((choice) => choice.type !== "null") ?? schema;
}

/** Names that are no words. */
const LABELS: Record<string, string> = { seq_len: "Sequence length", val: "Validation" };

function labelOf(name: string): string {
  const words = LABELS[name] ?? name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function problemOfText({ maxLength, pattern }: Schema, text: string): string | null {
  if (maxLength !== undefined && text.length > maxLength) return `has ${text.length} characters; at most ${maxLength} are allowed`;
  if (pattern !== undefined && !new RegExp(pattern, "u").test(text)) return "holds a character that is not allowed here";
  return null;
}

function problemOfNumber({ type, schema }: Field, text: string): string | null {
  const value = Number(text);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(value)) return "is no number";
  if (type === "integer" && !Number.isInteger(value)) return "must be a whole number";
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const isWithin =
    (minimum === undefined || value >= minimum) &&
    (maximum === undefined || value <= maximum) &&
    (exclusiveMinimum === undefined || value > exclusiveMinimum) &&
    (exclusiveMaximum === undefined || value < exclusiveMaximum);
  return isWithin ? null : `must be ${limitsOf(schema)}`;
}
