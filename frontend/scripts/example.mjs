// Puts the quickstart's data where a browser can fetch it.
import { copyFileSync, mkdirSync } from "node:fs";

const source = new URL("../../examples/support_triage/", import.meta.url);
const target = new URL("../public/example/", import.meta.url);

mkdirSync(target, { recursive: true });
for (const [from, to] of [["train.jsonl", "tickets-train.jsonl"], ["val.jsonl", "tickets-validation.jsonl"], ["test.jsonl", "tickets-test.jsonl"]]) {
  copyFileSync(new URL(from, source), new URL(to, target));
}
