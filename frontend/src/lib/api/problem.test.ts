import { describe, expect, it } from "vitest";
import { ApiProblem, asProblem, readProblem } from "./problem";

describe("problems", () => {
  it("keep what the server says of each row", () => {
    const detail = { type: "no_assistant", loc: ["body", "file", 3], msg: "no answer to train" };
    const problem = readProblem(422, { object: "error", message: "1 error", detail: [detail, "junk"] });
    expect(problem.message).toBe("1 error");
    expect(problem.details).toEqual([detail]);
  });

  it("say the status where the answer is no JSON of ours", () => {
    expect(readProblem(502, null).message).toBe("The server answered 502.");
  });

  it("tell a missing server from a refusal", () => {
    expect(asProblem(new TypeError("Failed to fetch")).isOffline).toBe(true);
    expect(asProblem(new ApiProblem("no", 401)).isSignedOut).toBe(true);
    expect(asProblem(new Error("odd")).isOffline).toBe(false);
  });
});
