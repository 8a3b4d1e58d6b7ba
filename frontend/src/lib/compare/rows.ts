import { formatCount } from "@/lib/format/number";

/** Where an answer stands: Row 3, or Row 3, turn 2 where every answer of a conversation is judged. */
export function placeOf({ row, turn }: { row: number; turn: number | null }): string {
  return turn === null ? `Row ${formatCount(row)}` : `Row ${formatCount(row)}, turn ${turn}`;
}
