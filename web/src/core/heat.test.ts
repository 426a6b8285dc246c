import { expect, it } from "vitest";

import { boundText, heatOf, strength } from "./heat";
import type { SeriesLine } from "./promAnswer";

const line = (le: string | undefined, points: readonly (number | null)[], pod = "a"): SeriesLine => ({ query: "A", key: `${le ?? ""}${pod}`, labels: { ...(le === undefined ? {} : { le }), pod }, points });

it("takes what lies below from each bucket, the highest first, and adds up what has one bound", () => {
  const heat = heatOf([line("+Inf", [10, 10, null]), line("0.5", [2, 6, null]), line("1", [4, 5, null]), line("1", [1, null, 3], "b"), line(undefined, [99, 99, 99]), line("odd", [1, 1, 1])], 3);
  expect(heat.rows).toEqual([
    { from: 1, to: Infinity, cells: [5, 5, null] },
    // A count that falls from one bucket to the next is a race of its scrape, and nothing is below zero.
    { from: 0.5, to: 1, cells: [3, 0, 3] },
    { from: null, to: 0.5, cells: [2, 6, null] },
  ]);
  expect(heat.most).toBe(6);
  expect(heatOf([line(undefined, [1])], 1)).toEqual({ rows: [], most: 0 });
});

it("shows one among thousands", () => {
  expect([strength(null, 9), strength(0, 9), strength(9, 9)]).toEqual([0, 0, 1]);
  expect(strength(1, 10_000)).toBeGreaterThan(0.12);
});

it("says bounds as they are", () => {
  expect([boundText(2.5, "s"), boundText(0.005, "s"), boundText(1, "s"), boundText(0.3, ""), boundText(1024, "By"), boundText(1.5, "ms")]).toEqual(["2.5 s", "5 ms", "1 s", "0.3", "1 KiB", "1.5 ms"]);
});
