import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { typesOf } from "../../../scripts/types.mjs";

it("the types are those of openapi.json; `npm run types` makes them anew", async () => {
  const made = await typesOf(JSON.parse(readFileSync("openapi.json", "utf8")));
  expect(readFileSync("src/lib/api/schema.d.ts", "utf8")).toBe(made);
});
