import type { Metadata } from "next";
import { Suspense } from "react";
import { RunList } from "@/components/runs/RunList";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Runs" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <RunList />
    </Suspense>
  );
}
