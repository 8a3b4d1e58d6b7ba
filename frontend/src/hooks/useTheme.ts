"use client";

import { useCallback, useEffect } from "react";
import { useStored } from "./useStored";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** The chosen theme, and what takes the next one; "system" follows the system while the page is open, too. */
export function useTheme(): { theme: Theme; next: () => void } {
  const [stored, store] = useStored("theme", "system");
  const theme = THEMES.find((each) => each === stored) ?? "system";
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      const chosen = localStorageTheme() ?? "system";
      document.documentElement.classList.toggle("dark", chosen === "dark" || (chosen !== "light" && dark.matches));
    };
    apply();
    dark.addEventListener("change", apply);
    return () => dark.removeEventListener("change", apply);
  }, [theme]);
  const next = useCallback(() => store(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!), [store, theme]);
  return { theme, next };
}

function localStorageTheme(): string | null {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}
