import { expect, it } from "vitest";

import { bars, levels, sentence } from "./histogram";

const bucket = (from: string, key: string, count: number) => ({ from, to: from.replace("00Z", "30Z"), key, count });

it("stacks levels into one bar a time, oldest first", () => {
  const all = [bucket("2026-11-18T14:01:00Z", "info", 5), bucket("2026-11-18T14:00:00Z", "fatal", 1), bucket("2026-11-18T14:00:00Z", "error", 2), bucket("2026-11-18T14:00:00Z", "unknown", 4), { key: "x", count: 9 }];
  expect(bars(all).map((b) => [new Date(b.fromMs).toISOString().slice(11, 19), b.error, b.warn, b.rest])).toEqual([["14:00:00", 3, 0, 4], ["14:01:00", 0, 0, 5]]);
  expect(levels(all).get("info")).toBe(5);
  expect(sentence(bars(all), (ms) => new Date(ms).toISOString().slice(11, 16))).toBe("12 lines, 3 of them errors; most at 14:00");
  expect(sentence([], String)).toBe("no lines");
});
