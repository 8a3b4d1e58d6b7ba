import type { Metadata } from "next";
import { Suspense } from "react";
import { EvaluationPage } from "@/components/compare/EvaluationPage";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Evaluation" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <EvaluationPage />
    </Suspense>
  );
}
