import type { Question } from "./snippets";

/** One message of a chat; an answer also says how it came about. */
export interface Turn {
  role: "user" | "assistant";
  content: string;
  /** Why the answer ended: "stop", "length", or "stopped" by the reader; null while it comes. */
  finishReason?: string | null;
  numTokens?: number | null;
  /** Seconds from the question to the end of the answer. */
  seconds?: number | null;
}

/** How a model is asked: what is left out is for the server to decide. */
export type Sampling = Pick<Question, "temperature" | "top_p" | "max_tokens" | "random_seed">;

/** What is sent for a chat; empty answers, left by a question that failed, are not told to the model. */
export function questionOf(model: string, system: string, turns: Turn[], sampling: Sampling): Question {
  const messages = turns.filter((turn) => turn.role === "user" || turn.content).map(({ role, content }) => ({ role: role as string, content }));
  if (system.trim()) messages.unshift({ role: "system", content: system });
  return { model, messages, ...sampling };
}

/** The turns up to the last question, to be answered anew. */
export function upToLastQuestion(turns: Turn[]): Turn[] {
  return turns.slice(0, turns.findLastIndex((turn) => turn.role === "user") + 1);
}
