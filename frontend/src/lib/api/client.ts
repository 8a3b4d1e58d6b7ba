import type { paths } from "./schema";
import { ApiProblem, asProblem, readProblem } from "./problem";
import { noteReach } from "./reach";
import { fillPath, type Query } from "./url";

type Method = "get" | "post" | "patch" | "delete";

/** The paths that know a method. */
export type PathWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = Extract<paths[P][M & keyof paths[P]], { responses: unknown }>;

/** What an operation answers. */
export type Reply<P extends keyof paths, M extends Method> =
  Operation<P, M>["responses"] extends { 200: { content: { "application/json": infer T } } } ? T : unknown;

type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: { content: { "application/json": infer T } } } ? T : undefined;

type PathNames<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { parameters: { path: infer T extends Record<string, string | number> } } ? T : undefined;

export interface Options<P extends keyof paths, M extends Method> {
  path?: PathNames<P, M>;
  query?: Query;
  body?: Body<P, M>;
  signal?: AbortSignal;
}

/** Sent with every request: a page of another origin cannot send it without asking first, and is refused then. */
export const CONSOLE_HEADERS = { "X-MistralTune-Console": "1" };

/**
 * The JSON that the server answers.
 *
 * @throws {ApiProblem} It refuses, or does not answer at all.
 */
export async function call<M extends Method, P extends PathWith<M>>(
  method: M,
  template: P,
  options: Options<P, M> = {},
): Promise<Reply<P, M>> {
  const answer = await send(method, fillPath(template as string, options.path ?? {}, options.query), options);
  return (await answer.json()) as Reply<P, M>;
}

/**
 * The answer to a request, its body not yet read.
 *
 * @throws {ApiProblem} The server refuses, or does not answer at all.
 */
export async function send(
  method: Method,
  url: string,
  { body, signal }: { body?: unknown; signal?: AbortSignal } = {},
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: method.toUpperCase(),
      headers: { ...CONSOLE_HEADERS, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    noteReach("offline");
    throw asProblem(error);
  }
  noteReach(answer.status === 401 ? "signed-out" : "reached");
  if (answer.ok) return answer;
  throw await problemOf(answer);
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  return readProblem(answer.status, await answer.json().catch(() => null));
}
