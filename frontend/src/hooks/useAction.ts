"use client";

import { useCallback, useState } from "react";
import { asProblem, type ApiProblem } from "@/lib/api/problem";

/** Something that a button does at the server: whether it is under way, and why it failed. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<void>): {
  run: (...args: A) => Promise<void>;
  isBusy: boolean;
  problem: ApiProblem | null;
  clear: () => void;
} {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const run = async (...args: A) => {
    setBusy(true);
    setProblem(null);
    try {
      await act(...args);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const clear = useCallback(() => setProblem(null), []);
  return { run, isBusy, problem, clear };
}
