/** Whether the server can be spoken to, as the last request found it. */
export type Reach = "reached" | "offline" | "signed-out";

let current: Reach = "reached";
const listeners = new Set<() => void>();

/** Tell what the last request found. */
export function noteReach(reach: Reach): void {
  if (reach === current) return;
  current = reach;
  listeners.forEach((listener) => listener());
}

export function readReach(): Reach {
  return current;
}

/** Hear of changes; returns what ends that. */
export function listenToReach(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
