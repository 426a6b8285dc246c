import { expect, it } from "vitest";

import { pattern, patternKey, similar } from "./pattern";

it("makes holes of what changes from line to line", () => {
  const table: [string, string][] = [
    ["pool timeout after 5000 ms waiting for payments-db waiting=57", "pool timeout after <number> ms waiting for payments-db waiting=<number>"],
    ['request failed status=503 route="POST /v1/checkout" trace=4bf92f35', "request failed status=<number> route=<text> trace=<hex>"],
    ["user 550e8400-e29b-41d4-a716-446655440000 at 10.0.0.1:8080", "user <hex> at <number>"],
    ["order accepted order=ord_7d1e04 amount=19.90", "order accepted order=<word> amount=<number>"],
    ["no holes here", "no holes here"],
  ];
  for (const [message, key] of table) expect(patternKey(message)).toBe(key);
  expect(patternKey("heap 211Mi of 256Mi")).toBe(patternKey("heap 244Mi of 256Mi"));
});

it("asks for similar lines by their fixed parts, in order", () => {
  expect(similar("took 5 ms (fast)")).toBe('message=~"took .+ ms \\\\(fast\\\\)"');
  expect(similar("12 34")).toBe("");
  expect(similar("session 5", "msg")).toBe('msg=~"session .+"');
  expect(similar("x".repeat(2000)).length).toBeLessThan(1000);
  expect(pattern("").length).toBe(0);
});
