"use client";

import { useEffect, useRef } from "react";
import { press, type Command } from "@/lib/shortcuts";

const PAUSE_MILLISECONDS = 1200;

/** Carries out shortcuts, unless somebody is typing, or they are off. */
export function useShortcuts(isOn: boolean, run: (command: Command) => void): void {
  const running = useRef(run);
  useEffect(() => {
    running.current = run;
  });
  useEffect(() => {
    if (!isOn) return;
    let pending: string[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hear = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      const outcome = press(pending, event.key);
      pending = outcome.pending;
      clearTimeout(timer);
      timer = setTimeout(() => (pending = []), PAUSE_MILLISECONDS);
      if (!outcome.command) return;
      event.preventDefault();
      running.current(outcome.command);
    };
    document.addEventListener("keydown", hear);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("keydown", hear);
    };
  }, [isOn]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest("input, textarea, select, [role=dialog]") !== null);
}
