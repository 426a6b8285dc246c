import { expect, it } from "vitest";

import { figures, gridded, keyOf, labelCounts, numberOf, seriesShort, seriesTitle, shared, stacked, type PromData } from "./promAnswer";

const grid = { startMs: 1_000_000, endMs: 1_060_000, stepMs: 15_000 };
const matrix = (values: [number, string][]): PromData => ({ resultType: "matrix", result: [{ metric: { __name__: "up", pod: "a" }, values }] });

it("sets samples on the grid and leaves gaps where there are none", () => {
  const answer = gridded("A", matrix([[1000, "1"], [1015, "2.5"], [1060, "4"]]), grid);
  expect(answer.times).toEqual([1_000_000, 1_015_000, 1_030_000, 1_045_000, 1_060_000]);
  expect(answer.lines[0]?.points).toEqual([1, 2.5, null, null, 4]);
  expect([answer.samples, answer.odd]).toEqual([3, 0]);
});

it("counts what is not a number and draws none of it", () => {
  const answer = gridded("A", matrix([[1000, "NaN"], [1015, "+Inf"], [1030, "-Inf"], [1045, "1e3"]]), grid);
  expect(answer.lines[0]?.points).toEqual([null, null, null, 1000, null]);
  expect(answer.odd).toBe(3);
  expect([numberOf("-Inf"), numberOf("0.1"), numberOf("NaN")]).toEqual([-Infinity, 0.1, NaN]);
});

it("counts series of native histograms, and has no line for scalars", () => {
  expect(gridded("A", { resultType: "matrix", result: [{ metric: {}, histograms: [[1, {}]] }] }, grid)).toMatchObject({ lines: [], histograms: 1 });
  expect(gridded("A", { resultType: "scalar", result: [1000, "1"] }, grid).lines).toEqual([]);
});

it("keeps a time with decimals on its step", () => {
  expect(gridded("A", matrix([[1000.0004, "1"], [1029.9996, "2"]]), grid).lines[0]?.points).toEqual([1, null, 2, null, null]);
});

it("names a series by what tells it apart", () => {
  const lines = [{ labels: { __name__: "up", job: "a", pod: "x" } }, { labels: { __name__: "up", job: "a", pod: "y" } }];
  const common = shared(lines);
  expect([common, seriesTitle(lines[0]?.labels ?? {}, common), seriesShort(lines[1]?.labels ?? {}, common)]).toEqual([{ __name__: "up", job: "a" }, '{pod="x"}', "y"]);
  expect([seriesTitle({}), seriesTitle({ __name__: "up" }), seriesTitle({ job: "a" }, { job: "a" }), shared(lines.slice(0, 1))]).toEqual(["value", "up", "all labels shared", {}]);
  expect(keyOf("A", { b: "2", a: "1" })).toBe(keyOf("A", { a: "1", b: "2" }));
});

it("sums up a line, and says how old its end is", () => {
  expect(figures([1, null, 3, null], 2)).toEqual({ at: 3, last: 3, lastAgo: 1, min: 1, mean: 2, max: 3 });
  expect(figures([null, null], 0)).toEqual({ at: null, last: null, lastAgo: 2, min: null, mean: null, max: null });
});

it("stacks lines over gaps of one, not over gaps of all", () => {
  expect(stacked([[1, null, null], [2, 2, null]])).toEqual([[1, 0, null], [3, 2, null]]);
});

it("counts the values of labels that differ", () => {
  expect(labelCounts([{ labels: { a: "1", b: "x" } }, { labels: { a: "1", b: "y" } }, { labels: { a: "1", b: "y" } }])).toEqual([{ name: "b", values: [{ value: "y", series: 2 }, { value: "x", series: 1 }] }]);
});
