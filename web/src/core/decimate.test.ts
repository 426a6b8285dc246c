import { describe, expect, it } from "vitest";

import { bridge, gaps, minMax } from "./decimate";

describe("chart points", () => {
  it("keep the smallest and largest of every bucket, in order", () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i === 500 ? 99 : i === 501 ? -99 : 1));
    const out = minMax(values, 50);
    expect(out.length).toBeLessThanOrEqual(150);
    expect(out).toContainEqual([500, 99]);
    expect(out).toContainEqual([501, -99]);
    expect(out.every(([i], k) => k === 0 || i > (out[k - 1]?.[0] ?? -1))).toBe(true);
  });
  it("stay as they are when there are few", () => expect(minMax([1, null, 3], 10)).toEqual([[0, 1], [1, null], [2, 3]]));
  it("bridge one missing step and no more", () => {
    expect(bridge([1, null, 3, null, null, 4])).toEqual([1, 2, 3, null, null, 4]);
    expect(gaps([[1, null, 3, null, null, 4], [null, null, null, null, null, 4]], 6)).toEqual([[3, 5]]);
    expect(gaps([], 5)).toEqual([]);
  });
});
