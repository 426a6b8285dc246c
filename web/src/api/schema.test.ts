/** The generated types are those of the committed description. */
import { readFileSync } from "node:fs";

import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

it("fits the committed description", async () => {
  const here = new URL(".", import.meta.url);
  const made = astToString(await openapiTS(new URL("openapi.json", here)));
  const kept = readFileSync(new URL("schema.d.ts", here), "utf8");
  // The file has a header that the generator's program adds.
  expect(kept.endsWith(made), "run `npm run api`").toBe(true);
});
