"use client";

import { useCallback, useEffect, useState } from "react";

/** A choice that this browser remembers, such as the theme; never anything secret. */
export function useStored(name: string, initial: string): [string, (value: string) => void] {
  const [value, setValue] = useState(initial);
  useEffect(() => {
    try {
      setValue(localStorage.getItem(name) ?? initial);
    } catch {
      // storage is blocked: the choice lasts as long as the page
    }
  }, [name, initial]);
  const store = useCallback(
    (next: string) => {
      setValue(next);
      try {
        localStorage.setItem(name, next);
      } catch {
        // likewise
      }
    },
    [name],
  );
  return [value, store];
}
