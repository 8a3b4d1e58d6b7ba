"use client";

import { Keyboard, LogOut } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState, type ReactNode } from "react";
import { Button } from "@/components/ui/Button";
import { useShortcuts } from "@/hooks/useShortcuts";
import { useStored } from "@/hooks/useStored";
import { useTheme } from "@/hooks/useTheme";
import { signOut } from "@/lib/api/signOut";
import { Logo } from "./Logo";
import { Navigation } from "./Navigation";
import { Reachability } from "./Reachability";
import { ShortcutList } from "./ShortcutList";
import { ThemeButton } from "./ThemeButton";

/** What is around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const router = useRouter();
  const { theme, next } = useTheme();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [shortcuts, setShortcuts] = useStored("shortcuts", "on");
  useShortcuts(shortcuts !== "off", (command) => {
    if ("go" in command) router.push(command.go);
    else if (command.do === "theme") next();
    else setHelpOpen(true);
  });
  return (
    <>
      <a href="#main" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-accent-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        Skip to the page
      </a>
      <div className="mx-auto flex min-h-dvh max-w-[96rem] flex-col lg:flex-row">
        <header className="flex items-center justify-between gap-2 border-b px-4 py-2 lg:sticky lg:top-0 lg:h-dvh lg:w-52 lg:shrink-0 lg:flex-col lg:items-stretch lg:justify-start lg:gap-5 lg:border-r lg:border-b-0 lg:px-3 lg:py-5">
          <Link href="/" className="flex items-center gap-2.5 rounded-md px-1 py-1 font-semibold tracking-tight lg:px-2.5">
            <Logo />
            MistralTune
          </Link>
          <Navigation />
          <div className="flex gap-1 lg:mt-auto">
            <ThemeButton theme={theme} onClick={next} />
            <Button look="quiet" size="icon" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => setHelpOpen(true)}>
              <Keyboard aria-hidden />
            </Button>
            <Button look="quiet" size="icon" aria-label="Sign out" title="Sign out" onClick={() => void signOut()}>
              <LogOut aria-hidden />
            </Button>
          </div>
        </header>
        <main id="main" tabIndex={-1} className="min-w-0 flex-1 px-4 pt-5 pb-24 outline-none lg:px-8 lg:pt-7 lg:pb-12">
          <Reachability />
          {children}
        </main>
      </div>
      <ShortcutList
        open={isHelpOpen}
        onOpenChange={setHelpOpen}
        isOn={shortcuts !== "off"}
        onSwitch={(isOn) => setShortcuts(isOn ? "on" : "off")}
      />
    </>
  );
}
