import { describe, expect, it } from "vitest";
import { fillPath, socketUrl } from "./url";

describe("addresses", () => {
  it("escape what an id holds", () => {
    expect(fillPath("/v1/models/{model_id}", { model_id: "ft:a/b?c" })).toBe("/v1/models/ft%3Aa%2Fb%3Fc");
  });

  it("leave out filters that are not set", () => {
    expect(fillPath("/v1/files", {}, { page: 0, search: "", purpose: null })).toBe("/v1/files?page=0");
  });

  it("refuse a path without its id", () => {
    expect(() => fillPath("/v1/files/{file_id}")).toThrow("needs file_id");
  });

  it("follow the page from https to wss", () => {
    expect(socketUrl("/e?after=3", "https://gpu:8000")).toBe("wss://gpu:8000/e?after=3");
    expect(socketUrl("/e", "http://127.0.0.1:8000")).toBe("ws://127.0.0.1:8000/e");
  });
});
