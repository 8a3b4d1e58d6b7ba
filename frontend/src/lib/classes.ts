import { clsx, type ClassValue } from "clsx";
import { twMerge } from "tailwind-merge";

/** Class names joined; of those that contradict one another, the last counts. */
export function classes(...names: ClassValue[]): string {
  return twMerge(clsx(names));
}
