import type { Metadata } from "next";
import { DatasetList } from "@/components/datasets/DatasetList";

export const metadata: Metadata = { title: "Datasets" };

export default function Page() {
  return <DatasetList />;
}
