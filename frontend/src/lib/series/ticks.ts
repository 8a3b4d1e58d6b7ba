/** The texts of an axis without the zeros that all of them end with: 10.0000 and 7.5000 are 10.0 and 7.5. */
export function shortened(texts: string[]): string[] {
  let short = texts;
  while (short.some(Boolean) && short.every((text) => /^(-?[\d,]+\.\d*0)?$/.test(text))) short = short.map((text) => text.slice(0, -1).replace(/\.$/, ""));
  return short;
}
