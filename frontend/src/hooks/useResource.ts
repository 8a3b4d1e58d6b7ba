"use client";

import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { listenToReach, readReach } from "@/lib/api/reach";

/** Something that was asked of the server. */
export interface Resource<T> {
  /** The last answer; kept while a newer one is awaited. */
  data: T | undefined;
  /** Why the last request failed; undefined once one succeeds. */
  problem: ApiProblem | undefined;
  /** Whether nothing is known yet. */
  isLoading: boolean;
  reload: () => void;
}

interface Options {
  /** Ask again after so many milliseconds, while the page is in sight. */
  every?: number;
}

/** What `load` answers, asked for again when `key` changes; a key that is null asks for nothing. */
export function useResource<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, { every }: Options = {}): Resource<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; problem?: ApiProblem }>({ key });
  const [turn, setTurn] = useState(0);
  const loading = useRef(load);
  useEffect(() => {
    loading.current = load;
  });
  const reload = useCallback(() => setTurn((last) => last + 1), []);

  useEffect(() => {
    if (key === null) return;
    const stop = new AbortController();
    loading
      .current(stop.signal)
      .then((data) => setState({ key, data }))
      .catch((error: unknown) => {
        if (stop.signal.aborted) return;
        setState((last) => ({ key, data: last.key === key ? last.data : undefined, problem: asProblem(error) }));
      });
    return () => stop.abort();
  }, [key, turn]);

  useEffect(() => {
    if (!every || key === null) return;
    const timer = setInterval(() => document.visibilityState === "visible" && readReach() === "reached" && reload(), every);
    return () => clearInterval(timer);
  }, [every, key, reload]);

  useEffect(() => listenToReach(() => readReach() === "reached" && reload()), [reload]); // the server is back

  const isCurrent = state.key === key;
  const data = isCurrent ? state.data : undefined;
  const problem = isCurrent ? state.problem : undefined;
  return { data, problem, isLoading: key !== null && data === undefined && problem === undefined, reload };
}
