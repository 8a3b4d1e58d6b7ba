import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

/** What stands where nothing is yet, and what to do about it. */
export function Empty({ icon: Icon, title, children, actions, isPage = false }: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  /** Nothing else is on the page: the title is the page's. */
  isPage?: boolean;
}) {
  const Title = isPage ? "h1" : "p";
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-12 text-center">
      <Icon className="size-7 text-ink-soft" aria-hidden strokeWidth={1.5} />
      <Title className="font-medium">{title}</Title>
      {children ? <div className="max-w-prose text-ink-soft">{children}</div> : null}
      {actions ? <div className="mt-2 flex flex-wrap justify-center gap-2">{actions}</div> : null}
    </div>
  );
}
