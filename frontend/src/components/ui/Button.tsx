import { cva, type VariantProps } from "class-variance-authority";
import Link from "next/link";
import type { ComponentProps } from "react";
import { classes } from "@/lib/classes";

const looks = cva(
  "inline-flex items-center justify-center gap-2 rounded-md font-medium whitespace-nowrap transition-colors disabled:cursor-not-allowed disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-accent text-accent-ink hover:brightness-110",
        plain: "border border-line-strong/60 bg-surface hover:bg-sunken",
        quiet: "text-ink-soft hover:bg-sunken hover:text-ink",
        danger: "border border-bad text-bad bg-surface hover:bg-bad-soft",
      },
      size: { normal: "h-9 px-3.5", small: "h-8 px-2.5 text-[0.8125rem]", icon: "size-9" },
    },
    defaultVariants: { look: "plain", size: "normal" },
  },
);

type Looks = VariantProps<typeof looks>;

export function Button({ look, size, className, type = "button", ...rest }: ComponentProps<"button"> & Looks) {
  return <button type={type} className={classes(looks({ look, size }), className)} {...rest} />;
}

/** A link that looks like a button: it goes somewhere. */
export function ButtonLink({ look, size, className, ...rest }: ComponentProps<typeof Link> & Looks) {
  return <Link className={classes(looks({ look, size }), className)} {...rest} />;
}

/** A link that saves a file. */
export function DownloadLink({ look, size, className, ...rest }: ComponentProps<"a"> & Looks) {
  return <a className={classes(looks({ look, size }), className)} {...rest} />;
}
