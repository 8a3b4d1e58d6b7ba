import { ApiProblem, readProblem } from "@/lib/api/problem";

/** What one event of a streamed answer adds. */
export interface Piece {
  text: string;
  /** Why the answer ended; null before it has. */
  finishReason: string | null;
  /** Tokens of the answer, with the last piece. */
  numTokens: number | null;
}

/**
 * The piece in the data of a server-sent event; null for the mark at the end.
 *
 * @throws {ApiProblem} The answer broke off: the server says why.
 */
export function readPiece(data: string): Piece | null {
  if (data === "[DONE]") return null;
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    throw new ApiProblem("The answer came broken.", -1);
  }
  const { object, choices, usage } = body as {
    object?: string;
    choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
    usage?: { completion_tokens?: number };
  };
  if (object === "error") throw readProblem(500, body);
  const choice = choices?.[0];
  return {
    text: choice?.delta?.content ?? "",
    finishReason: choice?.finish_reason ?? null,
    numTokens: usage?.completion_tokens ?? null,
  };
}
