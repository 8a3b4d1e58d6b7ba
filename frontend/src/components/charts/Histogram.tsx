import { formatCount } from "@/lib/format/number";

export interface Bin {
  low: number;
  high: number;
  count: number;
}

/** Bars of a histogram, the range of each below its ends. */
export function Histogram({ bins, label, unit }: { bins: Bin[]; label: string; unit: string }) {
  const tallest = Math.max(1, ...bins.map((bin) => bin.count));
  const first = bins[0];
  const last = bins[bins.length - 1];
  if (!first || !last) return null;
  const biggest = bins.reduce((best, bin) => (bin.count > best.count ? bin : best), first);
  return (
    <figure>
      <div
        role="img"
        aria-label={`${label}: from ${formatCount(first.low)} to ${formatCount(last.high)} ${unit}, most between ${formatCount(biggest.low)} and ${formatCount(biggest.high)}`}
        className="flex h-36 items-end gap-px border-b border-line-strong/50"
      >
        {bins.map((bin) => (
          <div key={bin.low} className="flex h-full min-w-0 flex-1 items-end" title={`${formatCount(bin.low)} to ${formatCount(bin.high)} ${unit}: ${formatCount(bin.count)}`}>
            <div className="w-full rounded-t-[2px] bg-accent/80 hover:bg-accent" style={{ height: bin.count === 0 ? 0 : `${Math.max(1.5, (100 * bin.count) / tallest)}%` }} />
          </div>
        ))}
      </div>
      <figcaption className="figures mt-1 flex justify-between text-xs text-ink-soft">
        <span>{formatCount(first.low)}</span>
        <span>{label}</span>
        <span>{formatCount(last.high)}</span>
      </figcaption>
    </figure>
  );
}
