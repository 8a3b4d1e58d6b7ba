/**
 * Reads server-sent events from a body that comes in arbitrary pieces; gives the `data` of each.
 *
 * Source: HTML Living Standard, 9.2.6 "Interpreting an event stream", as far as `data` goes.
 */
export class SseReader {
  private rest = "";
  private data: string[] = [];
  private endsInReturn = false;

  /** The data of the events that are complete with this piece. */
  push(piece: string): string[] {
    let text = piece;
    if (this.endsInReturn && text.startsWith("\n")) text = text.slice(1); // "\r" and "\n" of one line end
    if (piece) this.endsInReturn = text.endsWith("\r");
    const lines = (this.rest + text).split(/\r\n|\r|\n/);
    this.rest = lines.pop() ?? "";
    const found: string[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) found.push(this.data.join("\n"));
        this.data = [];
      } else if (line.startsWith("data:")) {
        this.data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
      }
    }
    return found;
  }
}
