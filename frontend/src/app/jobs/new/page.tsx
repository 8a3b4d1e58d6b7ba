import type { Metadata } from "next";
import { Suspense } from "react";
import { NewJob } from "@/components/jobs/NewJob";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "New job" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <NewJob />
    </Suspense>
  );
}
