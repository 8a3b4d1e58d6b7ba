import { Badge } from "@/components/ui/Badge";
import { formatCount } from "@/lib/format/number";
import type { Finding } from "@/lib/files/findings";

/** What a check found: line, rule, what it is, what to do. */
export function FindingTable({ findings, numHidden = 0 }: { findings: Finding[]; numHidden?: number }) {
  return (
    <div className="max-h-96 overflow-auto focus-visible:-outline-offset-2" tabIndex={0} role="region" aria-label="Findings">
      <ul className="divide-y">
        {findings.map((finding, index) => (
          <li key={index} className="grid gap-x-4 gap-y-0.5 px-4 py-2 sm:grid-cols-[6rem_minmax(0,1fr)]">
            <span className="figures text-ink-soft">{finding.line === null ? "whole file" : `line ${formatCount(finding.line)}`}</span>
            <div className="min-w-0">
              <p className="break-words">
                <Badge tone={finding.isError ? "bad" : "warn"} className="mr-2 font-mono font-normal">
                  {finding.rule}
                </Badge>
                {finding.message}
              </p>
              {finding.hint ? <p className="break-words text-ink-soft">{finding.hint}</p> : null}
            </div>
          </li>
        ))}
      </ul>
      {numHidden > 0 ? <p className="border-t px-4 py-2 text-ink-soft">{formatCount(numHidden)} more are like these.</p> : null}
    </div>
  );
}
