import type { Metadata } from "next";
import { Suspense } from "react";
import { Compare } from "@/components/compare/Compare";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Compare" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Compare />
    </Suspense>
  );
}
