// Writes openapi.json as `mistraltune serve openapi` prints it (or as the file given as an argument has it), and the
// types made of it.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import openapiTypescript, { astToString } from "openapi-typescript";

export async function typesOf(document) {
  return "// Made of openapi.json by `npm run types`.\n\n" + astToString(await openapiTypescript(document, { defaultNonNullable: false }));
}

if (process.argv[1] === import.meta.filename) {
  const [file] = process.argv.slice(2);
  const text = file ? readFileSync(file, "utf8") : execFileSync("mistraltune", ["serve", "openapi"], { encoding: "utf8" });
  const document = JSON.parse(text);
  writeFileSync("openapi.json", JSON.stringify(document, null, 2) + "\n");
  writeFileSync("src/lib/api/schema.d.ts", await typesOf(document));
}
