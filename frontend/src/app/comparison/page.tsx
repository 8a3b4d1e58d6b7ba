import type { Metadata } from "next";
import { Suspense } from "react";
import { ComparisonPage } from "@/components/compare/ComparisonPage";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Comparison" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <ComparisonPage />
    </Suspense>
  );
}
