import type { Metadata } from "next";
import { Suspense } from "react";
import { RunPage } from "@/components/runs/RunPage";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Run" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <RunPage />
    </Suspense>
  );
}
