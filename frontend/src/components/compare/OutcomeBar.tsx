import { formatCount, formatShare } from "@/lib/format/number";

/** Wins, ties and losses as one bar, each named with its count. */
export function OutcomeBar({ wins, ties, losses }: { wins: number; ties: number; losses: number }) {
  const total = wins + ties + losses;
  if (total === 0) return null;
  const parts = [
    { word: "better", count: wins, look: "bg-good" },
    { word: "as good", count: ties, look: "bg-line-strong/50" },
    { word: "worse", count: losses, look: "bg-bad" },
  ];
  return (
    <div className="px-4 py-3.5">
      <div className="flex h-3 overflow-hidden rounded-full bg-sunken" aria-hidden>
        {parts.map(({ word, count, look }) => (
          <div key={word} className={look} style={{ width: `${(100 * count) / total}%` }} />
        ))}
      </div>
      <dl className="figures mt-2 flex flex-wrap gap-x-6 gap-y-1">
        {parts.map(({ word, count, look }) => (
          <div key={word} className="flex items-center gap-2">
            <span className={`size-2.5 rounded-full ${look}`} aria-hidden />
            <dt className="text-ink-soft">{word}</dt>
            <dd className="font-semibold">
              {formatCount(count)} <span className="font-normal text-ink-soft">({formatShare(count / total, 0)})</span>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
