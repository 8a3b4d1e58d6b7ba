import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { asCurl, asPython, quotePython, quoteShell } from "./snippets";

const NASTY = `It's "quoted" $HOME \`id\` \\n\nsecond line; rm -rf / # é 🙂`;

describe("copied snippets", () => {
  it("give a shell the text as it was", () => {
    expect(execFileSync("sh", ["-c", `printf %s ${quoteShell(NASTY)}`], { encoding: "utf8" })).toBe(NASTY);
  });

  it("hold the whole question for curl, and no key", () => {
    const command = asCurl("http://127.0.0.1:8000", { model: "m", messages: [{ role: "user", content: NASTY }], temperature: 0.7 });
    const body = execFileSync("sh", ["-c", `curl() { for word; do last=$word; done; printf %s "$last"; }\n${command}`], { encoding: "utf8" });
    expect(JSON.parse(body)).toEqual({ model: "m", messages: [{ role: "user", content: NASTY }], temperature: 0.7 });
    expect(command).toContain("$MISTRALTUNE_SERVER_KEY");
  });

  it("are Python that names what was set", () => {
    const program = asPython("http://127.0.0.1:8000", { model: "ft:m:1", messages: [{ role: "user", content: "Hi" }], max_tokens: 64 });
    expect(program).toContain('    model="ft:m:1",');
    expect(program).toContain('        {"role": "user", "content": "Hi"},');
    expect(program).toContain("    max_tokens=64,");
    expect(program).not.toContain("temperature");
  });

  it("quote for Python", () => {
    expect(quotePython(NASTY)).toBe(JSON.stringify(NASTY));
  });
});
