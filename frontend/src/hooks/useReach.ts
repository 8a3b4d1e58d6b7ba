"use client";

import { useEffect, useSyncExternalStore } from "react";
import { listenToReach, noteReach, readReach, type Reach } from "@/lib/api/reach";

const PAUSE_MILLISECONDS = 2000;

/** Whether the server can be spoken to; while it cannot, it is asked again and again. */
export function useReach(): Reach {
  const reach = useSyncExternalStore(listenToReach, readReach, () => "reached" as const);
  useEffect(() => {
    if (reach !== "offline") return;
    const timer = setInterval(async () => {
      const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
      if (answer?.ok) noteReach("reached");
    }, PAUSE_MILLISECONDS);
    return () => clearInterval(timer);
  }, [reach]);
  return reach;
}
