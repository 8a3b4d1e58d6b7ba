/** A stretch of text that both have, or only the first (`removed`), or only the second (`added`). */
export interface Piece {
  kind: "same" | "removed" | "added";
  text: string;
}

/** Words that are compared with one another at most; longer middles are shown as replaced whole. */
const MAX_CELLS = 4_000_000;

/** What turns one text into another, word by word; white space and punctuation are words of their own. */
export function diffWords(before: string, after: string): Piece[] {
  const a = splitWords(before);
  const b = splitWords(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const pieces: Piece[] = [];
  add(pieces, "same", a.slice(0, head));
  diffMiddle(pieces, a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  add(pieces, "same", a.slice(a.length - tail));
  return pieces;
}

function splitWords(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+|\s+|[^\p{L}\p{N}\p{M}_\s]/gu) ?? [];
}

/** By the longest common subsequence. */
function diffMiddle(pieces: Piece[], a: string[], b: string[]): void {
  if (a.length * b.length > MAX_CELLS) {
    add(pieces, "removed", a);
    add(pieces, "added", b);
    return;
  }
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width); // of a[i:] and b[j:]
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1]! + 1
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
    }
  }
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      add(pieces, "same", [a[i]!]);
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!) {
      add(pieces, "removed", [a[i]!]);
      i += 1;
    } else {
      add(pieces, "added", [b[j]!]);
      j += 1;
    }
  }
  add(pieces, "removed", a.slice(i));
  add(pieces, "added", b.slice(j));
}

function add(pieces: Piece[], kind: Piece["kind"], words: string[]): void {
  if (words.length === 0) return;
  const last = pieces[pieces.length - 1];
  if (last?.kind === kind) last.text += words.join("");
  else pieces.push({ kind, text: words.join("") });
}
