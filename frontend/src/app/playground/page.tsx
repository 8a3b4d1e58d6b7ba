import type { Metadata } from "next";
import { Suspense } from "react";
import { Playground } from "@/components/playground/Playground";
import { Loading } from "@/components/ui/Loading";

export const metadata: Metadata = { title: "Playground" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Playground />
    </Suspense>
  );
}
