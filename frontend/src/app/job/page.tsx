import type { Metadata } from "next";
import { Suspense } from "react";
import { JobPage } from "@/components/jobs/JobPage";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Job" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <JobPage />
    </Suspense>
  );
}
