"use client";

import Link from "next/link";
import { Facts } from "@/components/ui/Facts";
import { Notice } from "@/components/ui/Notice";
import { useResource } from "@/hooks/useResource";
import { call } from "@/lib/api/client";
import type { Study } from "@/lib/compare/loading";
import { labelOf } from "@/lib/compare/metrics";
import { overlapText, type Overlap } from "@/lib/compare/overlap";
import { formatNoun } from "@/lib/format/number";
import { datasetHref } from "@/lib/places";

/** What one must know to repeat an evaluation or a comparison. */
export function Conditions({ study }: { study: Study }) {
  const { file_id: fileId, limit, metrics, language, turns, by, evaluator } = study;
  const facts: [string, React.ReactNode][] = [["Answers", `greedy, of up to ${formatNoun(study.max_new_tokens, "token")}`]];
  if (fileId) {
    facts.unshift(["Data set", <DataSetName key="file" id={fileId} />]);
    if (limit) facts.push(["Rows", `the first ${limit}`]);
    if (metrics.length > 0) facts.push(["Metrics", metrics.map(labelOf).join(", ")]);
    if (language !== "en") facts.push(["Articles of", language]);
    if (turns === "all") facts.push(["Turns", "every answer of a conversation, with its own history"]);
    if (by.length > 0) facts.push(["By", by.join(", ")]);
    if (evaluator !== "text") facts.push(["Evaluator", evaluator]);
  }
  return <Facts facts={facts} className="border-t text-[0.8125rem]" />;
}

function DataSetName({ id }: { id: string }) {
  const { data, problem } = useResource(`file ${id}`, (signal) => call("get", "/v1/files/{file_id}", { path: { file_id: id }, signal }));
  if (problem?.status === 404) return "one that has been deleted since";
  if (!data) return "…";
  return (
    <Link href={datasetHref(id)} className="underline underline-offset-2">
      {data.filename}
    </Link>
  );
}

/** What the rows share with the data that a model was trained on; nothing where that is nothing. */
export function OverlapNotice({ overlap }: { overlap: Overlap | null | undefined }) {
  if (!overlap) return null;
  if (overlap.problem) return <Notice>Rows were not compared with the training data: {overlap.problem}.</Notice>;
  const text = overlapText(overlap);
  return text ? <Notice tone="warn">{text} The figures tell what the model remembers there.</Notice> : null;
}
