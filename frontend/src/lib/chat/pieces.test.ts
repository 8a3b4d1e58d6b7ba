import { expect, it } from "vitest";
import { readPiece } from "./pieces";

it("a piece has its text, the last one the reason and the count", () => {
  expect(readPiece('{"choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}')).toEqual({ text: "Hi", finishReason: null, numTokens: null });
  const last = '{"choices": [{"delta": {"content": ""}, "finish_reason": "length"}], "usage": {"completion_tokens": 12}}';
  expect(readPiece(last)).toEqual({ text: "", finishReason: "length", numTokens: 12 });
  expect(readPiece("[DONE]")).toBeNull();
});

it("an answer that breaks off says why", () => {
  expect(() => readPiece('{"object": "error", "message": "the GPU is gone"}')).toThrow("the GPU is gone");
  expect(() => readPiece("{")).toThrow("came broken");
});
