import { PLACES } from "./places";

/** What a key, or two keys one after the other, do. */
export type Command = { go: string } | { do: "theme" | "help" };

export interface Shortcut {
  keys: string[];
  label: string;
  command: Command;
}

export const SHORTCUTS: Shortcut[] = [
  ...PLACES.map(({ href, label, key }) => ({ keys: ["g", key], label: `Go to ${label}`, command: { go: href } })),
  { keys: ["n"], label: "New job", command: { go: "/jobs/new/" } },
  { keys: ["t"], label: "Change the theme", command: { do: "theme" } },
  { keys: ["?"], label: "Show these shortcuts", command: { do: "help" } },
];

/** What `key` does after the keys before it, or which keys now wait for another. */
export function press(before: string[], key: string): { command: Command | null; pending: string[] } {
  for (const pressed of before.length > 0 ? [[...before, key], [key]] : [[key]]) {
    const whole = SHORTCUTS.find(({ keys }) => keys.join(" ") === pressed.join(" "));
    if (whole) return { command: whole.command, pending: [] };
    if (SHORTCUTS.some(({ keys }) => keys.length > pressed.length && pressed.every((each, index) => keys[index] === each))) {
      return { command: null, pending: pressed };
    }
  }
  return { command: null, pending: [] };
}
