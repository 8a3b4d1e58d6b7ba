import type { ReactNode } from "react";

/** A table that scrolls in its own frame where it is wider than the page; the first column names the rows. */
export function DataTable({ label, heads, rows }: { label: string; heads: ReactNode[]; rows: { key: string; cells: ReactNode[] }[] }) {
  return (
    <div className="relative overflow-x-auto focus-visible:-outline-offset-2" tabIndex={0} role="region" aria-label={label}>
      <table className="figures w-full text-left">
        <thead className="text-[0.8125rem] text-ink-soft">
          <tr>
            {heads.map((head, index) => (
              <th key={index} scope="col" className="px-3 py-1.5 font-medium first:pl-4 last:pr-4">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells: [name, ...cells] }) => (
            <tr key={key} className="border-t align-top">
              <th scope="row" className="max-w-80 min-w-32 py-1.5 pr-3 pl-4 font-medium break-words">
                {name}
              </th>
              {cells.map((cell, index) => (
                <td key={index} className="px-3 py-1.5 last:pr-4">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
