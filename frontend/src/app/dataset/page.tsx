import type { Metadata } from "next";
import { Suspense } from "react";
import { DatasetPage } from "@/components/datasets/DatasetPage";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Dataset" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <DatasetPage />
    </Suspense>
  );
}
