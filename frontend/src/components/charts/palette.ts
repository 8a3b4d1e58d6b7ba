/** Colours of curves, told apart in light and dark and by people who see no red or green; dashes tell them apart too. */
const LIGHT = ["#c2410c", "#1d5f8a", "#8a5200", "#6b3fa0", "#15703c", "#a3195b"];
const DARK = ["#ff8a3d", "#8ac6ee", "#ffcc4d", "#c3a3f0", "#6fd396", "#f48fb8"];

export function curveColour(index: number, isDark: boolean): string {
  const colours = isDark ? DARK : LIGHT;
  return colours[index % colours.length]!;
}

/** A dash for the curves that share a colour with an earlier one. */
export function curveDash(index: number): number[] | undefined {
  return index < LIGHT.length ? undefined : [6, 3];
}
