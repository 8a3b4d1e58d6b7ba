"use client";

import { useEffect, useRef, useState, type ReactNode } from "react";
import { rowsInSight } from "@/lib/lists/window";

/** A long list of rows of equal height, of which only those in sight are drawn; scrolls with the page. */
export function VirtualRows<T>({ rows, rowHeight, keyOf, render, label }: {
  rows: T[];
  rowHeight: number;
  keyOf: (row: T) => string;
  render: (row: T) => ReactNode;
  label: string;
}) {
  const list = useRef<HTMLUListElement>(null);
  const [sight, setSight] = useState({ scrollTop: 0, height: 900 });
  useEffect(() => {
    let frame = 0;
    const look = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const top = list.current?.getBoundingClientRect().top ?? 0;
        setSight({ scrollTop: Math.max(0, -top), height: window.innerHeight });
      });
    };
    look();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, []);
  const { start, end } = rowsInSight({ numRows: rows.length, rowHeight, ...sight });
  return (
    <ul ref={list} aria-label={label} className="relative" style={{ height: rows.length * rowHeight }}>
      {rows.slice(start, end).map((row, index) => (
        <li
          key={keyOf(row)}
          aria-setsize={rows.length}
          aria-posinset={start + index + 1}
          className="absolute inset-x-0 border-b last:border-b-0"
          style={{ top: (start + index) * rowHeight, height: rowHeight }}
        >
          {render(row)}
        </li>
      ))}
    </ul>
  );
}
