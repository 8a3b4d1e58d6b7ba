/** What the server says is wrong, one by one: a row of an uploaded file, a field of a form. */
export interface Detail {
  type: string;
  loc: (string | number)[];
  msg: string;
  ctx?: {
    /** What to do about it. */
    hint?: string;
  };
}

/** A request that was refused, or that never arrived. */
export class ApiProblem extends Error {
  constructor(
    message: string,
    /** The HTTP status; 0 where no answer came. */
    readonly status: number,
    readonly details: Detail[] = [],
  ) {
    super(message);
    this.name = "ApiProblem";
  }

  get isOffline(): boolean {
    return this.status === 0;
  }

  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

export const UNREACHABLE = "The server does not answer. Is `mistraltune serve` still running?";

/** The problem that an answer with an error status tells of. */
export function readProblem(status: number, body: unknown): ApiProblem {
  const fields = isRecord(body) ? body : {};
  const message = typeof fields.message === "string" && fields.message ? fields.message : `The server answered ${status}.`;
  const details = Array.isArray(fields.detail) ? fields.detail.filter(isDetail) : [];
  return new ApiProblem(message, status, details);
}

/** Any thrown value as a problem that can be shown. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof TypeError) return new ApiProblem(UNREACHABLE, 0); // what fetch throws when nothing answers
  return new ApiProblem(error instanceof Error ? error.message : String(error), -1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isDetail(value: unknown): value is Detail {
  return isRecord(value) && typeof value.msg === "string" && Array.isArray(value.loc);
}
