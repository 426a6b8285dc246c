import { expect, it } from "vitest";

import { completeSpans, decades, failure, logPlace, podSource, spanTime } from "./spans";
import type { Span } from "./trace";

const known = { services: ["cart", "checkout"], operations: ["POST /pay", "redis GET"] };
const offered = (text: string) => completeSpans(text.replace("|", ""), text.indexOf("|"), known);

it("offers fields at a word, and values behind an operator", () => {
  expect(offered("se|")).toEqual({ from: 0, to: 2, all: [{ text: "service=", note: "field" }] });
  expect(offered("service=c|")).toEqual({ from: 8, to: 9, all: [{ text: "cart", note: "service" }, { text: "checkout", note: "service" }] });
  expect(offered('status=error name="post|')?.all).toEqual([{ text: '"POST /pay"', note: "name" }]);
  expect(offered("-kind:cl|")?.all).toEqual([{ text: "client", note: "kind" }]);
  expect(offered("service=cart|")).toBeNull();
  expect(offered("du|")?.all[0]?.text).toBe("duration>");
});

it("places durations by their logarithm", () => {
  expect([logPlace(1e6, 1e6, 1e9), logPlace(1e9, 1e6, 1e9), Math.round(logPlace(31.6e6, 1e6, 1e9) * 100), logPlace(5, 5, 5)]).toEqual([0, 1, 50, 0]);
  expect([decades(3e6, 2e9), decades(2e6, 3e6)]).toEqual([[1e7, 1e8, 1e9], []]);
});

it("writes span times with three figures", () => {
  expect([90, 12_400, 184_000_000, 5_090_000_000, 1_000_000_000, 999_700, 100_000_000, 61_000_000_000, 3_700_000_000_000].map(spanTime)).toEqual(["90 ns", "12.4 µs", "184 ms", "5.09 s", "1 s", "1 ms", "100 ms", "1 m 1 s", "1 h 1 m"]);
});

it("tells what failed and where its lines are", () => {
  const span = { cluster: "c", namespace: "n", pod: "p", status: "error", statusText: "late", events: [] } as unknown as Span;
  expect([podSource(span), podSource({ ...span, pod: "" }), failure(span), failure({ ...span, status: "ok" })]).toEqual(["c/n/Pod/p", null, { type: "error", text: "late" }, null]);
  expect(failure({ ...span, events: [{ name: "exception", at: 0, attributes: { "exception.type": "PoolTimeout", "exception.message": "waited" } }] })).toEqual({ type: "PoolTimeout", text: "waited" });
});
