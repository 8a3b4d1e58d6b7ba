// Runs Next.js without its telemetry.
process.env.NEXT_TELEMETRY_DISABLED = "1";
await import("next/dist/bin/next");
