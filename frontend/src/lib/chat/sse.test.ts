import { describe, expect, it } from "vitest";
import { SseReader } from "./sse";

const STREAM = 'data: {"a": 1}\n\n: a comment\nevent: x\ndata: one\r\ndata: two\r\n\r\ndata:bare\n\ndata: [DONE]\n\n';
const EXPECTED = ['{"a": 1}', "one\ntwo", "bare", "[DONE]"];

describe("server-sent events", () => {
  it("are the same however the body is cut", () => {
    for (let size = 1; size <= STREAM.length; size += 1) {
      const reader = new SseReader();
      const found: string[] = [];
      for (let at = 0; at < STREAM.length; at += size) found.push(...reader.push(STREAM.slice(at, at + size)));
      expect(found).toEqual(EXPECTED);
    }
  });

  it("count only once they are complete", () => {
    const reader = new SseReader();
    expect(reader.push("data: half")).toEqual([]);
    expect(reader.push(" and half\n")).toEqual([]);
    expect(reader.push("\n")).toEqual(["half and half"]);
  });
});
