import { expect, it } from "vitest";

import { placeOf } from "./position";

function cursor(run: number, offset: number): string {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, run);
  view.setBigUint64(36, BigInt(offset));
  return `pc1_${btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

it("reads run and byte out of a cursor, and nothing out of any other text", () => {
  expect(placeOf(cursor(3, 18_442_107), 3)).toEqual({ run: 3, offset: 18_442_107 });
  expect(placeOf(cursor(3, 1), 4)).toBeNull();
  expect([placeOf("pc1_12", 0), placeOf("pk1_x", 0), placeOf("pc1_%%%", 0)]).toEqual([null, null, null]);
});
