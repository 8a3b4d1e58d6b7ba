/** The rows of a long list that are drawn. */
export interface Window {
  /** First row that is drawn. */
  start: number;
  /** Behind the last one. */
  end: number;
  /** Room above the first row, in pixels. */
  offset: number;
}

/** Which rows of equal height are in sight, with some around them so that fast scrolling shows no gaps. */
export function rowsInSight(options: {
  numRows: number;
  rowHeight: number;
  scrollTop: number;
  height: number;
  around?: number;
}): Window {
  const { numRows, rowHeight, scrollTop, height, around = 8 } = options;
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight);
  const last = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight);
  const start = Math.max(0, Math.min(first - around, numRows));
  const end = Math.max(start, Math.min(last + around, numRows));
  return { start, end, offset: start * rowHeight };
}
