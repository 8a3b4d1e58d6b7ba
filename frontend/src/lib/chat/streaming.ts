import { send } from "@/lib/api/client";
import { ApiProblem } from "@/lib/api/problem";
import { readPiece, type Piece } from "./pieces";
import type { Question } from "./snippets";
import { SseReader } from "./sse";

/**
 * The pieces of a model's answer as they come.
 *
 * @throws {ApiProblem} The model does not answer, or its answer breaks off.
 */
export async function* streamAnswer(question: Question, signal: AbortSignal): AsyncGenerator<Piece> {
  const answer = await send("post", "/v1/chat/completions", { body: { ...question, stream: true }, signal });
  const body = answer.body?.getReader();
  if (!body) throw new ApiProblem("The answer is empty.", -1);
  const decoder = new TextDecoder();
  const events = new SseReader();
  for (;;) {
    const { done, value } = await body.read();
    if (done) throw new ApiProblem("The answer broke off: the connection to the server is lost.", -1);
    for (const data of events.push(decoder.decode(value, { stream: true }))) {
      const piece = readPiece(data);
      if (!piece) return;
      yield piece;
    }
  }
}
