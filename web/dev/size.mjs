// Measures the script of the first load: the entry, what it imports, and the overview's chunk, as Brotli. Fails above the budget.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const BUDGET_KIB = 200;
const dist = join(fileURLToPath(new URL(".", import.meta.url)), "../dist");
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const seen = new Set();
const visit = (key) => {
  if (seen.has(key)) return;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) visit(next);
};
visit("index.html");
visit("src/rooms/overview/Overview.tsx");
let total = 0;
for (const file of [...[...seen].map((k) => manifest[k].file), "theme.js"]) {
  const size = brotliCompressSync(readFileSync(join(dist, file)), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length / 1024;
  total += size;
  console.log(`${size.toFixed(1).padStart(7)} KiB  ${file}`);
}
console.log(`${total.toFixed(1).padStart(7)} KiB  first load, Brotli; budget ${BUDGET_KIB} KiB`);
if (total > BUDGET_KIB) {
  console.error(`the first load is ${(total - BUDGET_KIB).toFixed(1)} KiB above its budget: load a room or library later`);
  process.exit(1);
}
