import { ChevronLeft, ChevronRight } from "lucide-react";
import { formatCount } from "@/lib/format/number";
import { Button } from "./Button";

/** Which part of a long list is shown, and the parts beside it. */
export function Pager({ offset, size, total, onChange, noun }: { offset: number; size: number; total: number; onChange: (offset: number) => void; noun: string }) {
  if (total <= size) return null;
  return (
    <nav className="flex items-center gap-1" aria-label={`More ${noun}`}>
      <span className="figures mr-1 text-[0.8125rem] text-ink-soft">
        {formatCount(offset + 1)}–{formatCount(Math.min(offset + size, total))} of {formatCount(total)}
      </span>
      <Button look="quiet" size="icon" aria-label={`Earlier ${noun}`} disabled={offset === 0} onClick={() => onChange(Math.max(0, offset - size))}>
        <ChevronLeft aria-hidden />
      </Button>
      <Button look="quiet" size="icon" aria-label={`Later ${noun}`} disabled={offset + size >= total} onClick={() => onChange(offset + size)}>
        <ChevronRight aria-hidden />
      </Button>
    </nav>
  );
}
