import { diffWords } from "@/lib/text/diff";

/** A text with what it has in place of another's words marked; colour is not the only mark. */
export function WordDiff({ from, to }: { from: string; to: string }) {
  return (
    <span className="whitespace-pre-wrap break-words">
      {diffWords(from, to).map((piece, index) =>
        piece.kind === "same" ? (
          <span key={index}>{piece.text}</span>
        ) : piece.kind === "added" ? (
          <ins key={index} className="rounded-sm bg-good-soft text-good underline decoration-1 underline-offset-2">
            {piece.text}
          </ins>
        ) : (
          <del key={index} className="rounded-sm bg-bad-soft text-bad line-through decoration-1">
            {piece.text}
          </del>
        ),
      )}
    </span>
  );
}
