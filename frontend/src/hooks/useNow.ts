"use client";

import { useEffect, useState } from "react";

/** The time in seconds since 1970, kept up to date; null while the page is not yet alive. */
export function useNow(milliseconds = 15_000): number | null {
  const [now, setNow] = useState<number | null>(null);
  useEffect(() => {
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return now;
}
