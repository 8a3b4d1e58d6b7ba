"use client";

import { usePathname, useRouter } from "next/navigation";
import { useEffect } from "react";
import { Notice } from "@/components/ui/Notice";
import { useReach } from "@/hooks/useReach";

/** Says when the server does not answer, and leads to the page for those who are not signed in. */
export function Reachability() {
  const reach = useReach();
  const router = useRouter();
  const isSignedOutPage = usePathname().startsWith("/signed-out");
  useEffect(() => {
    if (reach === "signed-out" && !isSignedOutPage) router.replace("/signed-out/");
  }, [reach, isSignedOutPage, router]);
  if (reach !== "offline") return null;
  return (
    <Notice tone="warn" className="mb-4">
      The server does not answer. What you see is as it was; this page goes on by itself once the server is back.
    </Notice>
  );
}
