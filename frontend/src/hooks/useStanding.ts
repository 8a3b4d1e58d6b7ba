"use client";

import { useState } from "react";
import { hasEnded } from "@/lib/jobs/status";
import { useResource, type Resource } from "./useResource";

/** Something in the queue, asked for again and again until it has ended. */
export function useStanding<T extends { status: string }>(key: string, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [isOver, setOver] = useState(false);
  return useResource(
    key,
    async (signal) => {
      const found = await load(signal);
      setOver(hasEnded(found.status));
      return found;
    },
    { every: isOver ? undefined : 1000 },
  );
}
