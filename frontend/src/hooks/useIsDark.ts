"use client";

import { useSyncExternalStore } from "react";

/** Whether the page is dark right now, for what CSS does not draw. */
export function useIsDark(): boolean {
  return useSyncExternalStore(
    listen,
    () => document.documentElement.classList.contains("dark"),
    () => false,
  );
}

function listen(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  return () => observer.disconnect();
}
