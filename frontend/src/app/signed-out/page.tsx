import type { Metadata } from "next";
import { SignedOut } from "@/components/shell/SignedOut";

export const metadata: Metadata = { title: "Signed out" };

export default function Page() {
  return <SignedOut />;
}
