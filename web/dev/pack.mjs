// Puts a Brotli copy beside every text file of the build, so that the server need not compress.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const LEAST_BYTES = 1024;
const dist = join(fileURLToPath(new URL(".", import.meta.url)), "../dist");
for (const name of readdirSync(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue;
  const plain = readFileSync(join(dist, name));
  if (plain.length < LEAST_BYTES) continue;
  writeFileSync(join(dist, `${name}.br`), brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }));
}
