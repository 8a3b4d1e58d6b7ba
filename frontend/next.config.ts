import path from "node:path";
import type { NextConfig } from "next";

const config: NextConfig = {
  output: "export", // plain files, served by `mistraltune serve`; no Node where it runs
  trailingSlash: true,
  images: { unoptimized: true },
  reactStrictMode: true,
  poweredByHeader: false,
  outputFileTracingRoot: path.resolve("."),
  experimental: { cpus: 1 },
};

export default config;
