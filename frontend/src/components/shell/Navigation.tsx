"use client";

import { Database, FolderOpen, House, ListChecks, MessageSquare, Scale, type LucideIcon } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { classes } from "@/lib/classes";
import { PLACES, placeOf, type PlaceHref } from "@/lib/places";

const ICONS: Record<PlaceHref, LucideIcon> = {
  "/": House,
  "/datasets/": Database,
  "/jobs/": ListChecks,
  "/playground/": MessageSquare,
  "/compare/": Scale,
  "/runs/": FolderOpen,
};

/** The places of the console: beside the page where there is room, below it on a phone. */
export function Navigation() {
  const here = placeOf(usePathname());
  return (
    <nav
      aria-label="Pages"
      className="fixed inset-x-0 bottom-0 z-30 border-t bg-surface pb-[env(safe-area-inset-bottom)] lg:static lg:border-0 lg:bg-transparent lg:pb-0"
    >
      <ul className="flex lg:flex-col lg:gap-0.5">
        {PLACES.map(({ href, label }) => {
          const Icon = ICONS[href];
          const isHere = href === here;
          return (
            <li key={href} className="min-w-0 flex-1">
              <Link
                href={href}
                aria-current={isHere ? "page" : undefined}
                className={classes(
                  "flex flex-col items-center gap-0.5 px-0.5 py-2 text-[0.6875rem] font-medium text-ink-soft hover:text-ink lg:flex-row lg:gap-2.5 lg:rounded-md lg:px-2.5 lg:py-1.5 lg:text-sm lg:hover:bg-sunken",
                  isHere && "text-accent hover:text-accent lg:bg-accent-soft lg:text-accent-soft-ink lg:hover:bg-accent-soft lg:hover:text-accent-soft-ink",
                )}
              >
                <Icon className="size-[1.125rem] shrink-0 lg:size-4" aria-hidden />
                <span className="truncate">{label}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
