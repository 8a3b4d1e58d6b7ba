import { describe, expect, it } from "vitest";
import { diffWords, type Piece } from "./diff";

const join = (pieces: Piece[], without: Piece["kind"]) =>
  pieces.filter((piece) => piece.kind !== without).map((piece) => piece.text).join("");

describe("the difference of two answers", () => {
  it("marks the words that changed, and no more", () => {
    expect(diffWords("billing / normal", "billing / urgent")).toEqual([
      { kind: "same", text: "billing / " },
      { kind: "removed", text: "normal" },
      { kind: "added", text: "urgent" },
    ]);
  });

  it("gives both texts back", () => {
    const before = "Der Zug, der um 8 Uhr fährt, hat Verspätung.\nBitte warten!";
    const after = "Der Zug hat heute keine Verspätung.\n\nBitte nicht warten! 🚆";
    const pieces = diffWords(before, after);
    expect(join(pieces, "added")).toBe(before);
    expect(join(pieces, "removed")).toBe(after);
  });

  it("is nothing between equal texts, and everything beside an empty one", () => {
    expect(diffWords("same", "same")).toEqual([{ kind: "same", text: "same" }]);
    expect(diffWords("", "new")).toEqual([{ kind: "added", text: "new" }]);
    expect(diffWords("", "")).toEqual([]);
  });

  it("of very long texts stays whole, as one replacement between what is the same", () => {
    const words = (seed: number) => Array.from({ length: 9000 }, (_, index) => `w${(index * seed) % 9973}`).join(" ");
    const before = `begin ${words(3)} end`;
    const after = `begin ${words(7)} end`;
    const pieces = diffWords(before, after);
    expect(join(pieces, "added")).toBe(before);
    expect(join(pieces, "removed")).toBe(after);
    expect(pieces[0]).toMatchObject({ kind: "same" });
  });
});
