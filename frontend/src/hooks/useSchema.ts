"use client";

import { send } from "@/lib/api/client";
import type { Schema } from "@/lib/forms/schema";
import { useResource, type Resource } from "./useResource";

interface Document {
  components: { schemas: Record<string, Schema> };
}

/** A request's JSON schema, as this very server's OpenAPI document has it. */
export function useSchema(name: string): Resource<Schema> {
  return useResource(`schema ${name}`, async (signal) => {
    const document = (await (await send("get", "/openapi.json", { signal })).json()) as Document;
    const schema = document.components.schemas[name];
    if (!schema) throw new Error(`the server's OpenAPI document has no ${name}`);
    return schema;
  });
}
