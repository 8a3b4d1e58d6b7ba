import type { ModelAnswer } from "@/lib/api/types";

/** An answer as one text: what it says, and the tools that it calls. */
export function answerText({ text, tool_calls: calls }: Pick<ModelAnswer, "text" | "tool_calls">): string {
  return [text, ...calls.map((call) => `${call.name}(${call.arguments})`)].filter(Boolean).join("\n");
}
