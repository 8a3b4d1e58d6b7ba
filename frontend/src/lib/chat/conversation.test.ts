import { expect, it } from "vitest";
import { questionOf, upToLastQuestion, type Turn } from "./conversation";

const turns: Turn[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello", finishReason: "stop" },
  { role: "user", content: "And?" },
  { role: "assistant", content: "", finishReason: null },
];

it("a question holds the system prompt, the chat and the sampling that was set", () => {
  expect(questionOf("m", "Be brief.", turns, { temperature: 0.5 })).toEqual({
    model: "m",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "And?" },
    ],
    temperature: 0.5,
  });
  expect(questionOf("m", "  ", turns.slice(0, 1), {}).messages).toEqual([{ role: "user", content: "Hi" }]);
});

it("a retry asks the last question again", () => {
  expect(upToLastQuestion(turns)).toEqual(turns.slice(0, 3));
  expect(upToLastQuestion([])).toEqual([]);
});
