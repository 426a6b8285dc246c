import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

import { expect, it } from "vitest";

const root = resolve(__dirname);
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => /\.(ts|tsx)$/.test(f) && !f.includes(".test."));
const imports = (file: string): string[] => [...readFileSync(join(root, file), "utf8").matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map((m) => m[1] ?? "");
const target = (file: string, spec: string): string => (spec.startsWith(".") ? relative(root, resolve(root, dirname(file), spec)) : spec);

it("core imports neither React nor the DOM nor any other part but the API's types", () => {
  for (const file of files.filter((f) => f.startsWith("core/"))) {
    for (const spec of imports(file)) expect([file, target(file, spec)]).toEqual([file, expect.stringMatching(/^(core\/|api\/types$)/)]);
    expect(readFileSync(join(root, file), "utf8")).not.toMatch(/\b(document|localStorage|navigator)\.|HTMLElement|requestAnimationFrame/);
  }
});

it("rooms never import each other, and nothing below imports a room", () => {
  for (const file of files) {
    const room = /^rooms\/([^/]+)\//.exec(file)?.[1];
    for (const spec of imports(file)) {
      const other = /^rooms\/([^/]+)/.exec(target(file, spec))?.[1];
      if (other && !file.startsWith("app/")) expect([file, other]).toEqual([file, room]);
    }
  }
});

it("ui and api import no room and nothing of the app", () => {
  for (const file of files.filter((f) => /^(ui|api)\//.test(f))) for (const spec of imports(file)) expect([file, target(file, spec)]).toEqual([file, expect.not.stringMatching(/^(rooms|app)\//)]);
});

it("colours are tokens only", () => {
  for (const file of readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => /\.(css|tsx)$/.test(f) && f !== "ui/tokens.css" && !f.includes(".test."))) {
    expect([file, /#[0-9a-f]{3,8}\b(?![\w-])|rgba?\(/i.exec(readFileSync(join(root, file), "utf8").replace(/"#[^"]*"/g, ""))?.[0]]).toEqual([file, undefined]);
  }
});

it("no file grows beyond 600 lines, and types stay strict", () => {
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8");
    expect([file, text.split("\n").length]).toEqual([file, expect.toSatisfy((n: number) => n <= 600 || /Catalogue:|JSON types/.test(text))]);
    expect([file, /: any\b|<any>|as any\b|\benum \w/.exec(text)?.[0]]).toEqual([file, undefined]);
  }
});
