import { describe, expect, it } from "vitest";

import { finder, step } from "./find";

const ranges = (needle: string, text: string, regex = false, matchCase = false): unknown => {
  const found = finder(needle, { regex, matchCase });
  return found && "ranges" in found ? found.ranges(text) : found;
};

describe("find", () => {
  it("finds text as it is, not as a pattern", () => expect(ranges("a.b", "a.b axb A.B")).toEqual([[0, 3], [8, 11]]));
  it("heeds case when asked", () => expect(ranges("Pool", "pool Pool", false, true)).toEqual([[5, 9]]));
  it("takes patterns, and never loops on empty matches", () => {
    expect(ranges("\\d+", "a 12 b 3", true)).toEqual([[2, 4], [7, 8]]);
    expect(ranges("x*", "axb", true)).toEqual([[1, 2]]);
  });
  it("says what is wrong with a pattern", () => expect(ranges("(", "x", true)).toHaveProperty("error"));
  it("is nothing without a needle", () => expect(finder("", { regex: false, matchCase: false })).toBeNull());
  it("steps around the ends, from any place", () => {
    const all = [{ row: 1, start: 0 }, { row: 1, start: 5 }, { row: 9, start: 2 }];
    expect(step(all, null, 1)).toBe(0);
    expect(step(all, null, -1)).toBe(2);
    expect(step(all, { row: 1, start: 5 }, 1)).toBe(2);
    expect(step(all, { row: 9, start: 2 }, 1)).toBe(0);
    expect(step(all, { row: 1, start: 0 }, -1)).toBe(2);
    expect(step(all, { row: 5, start: 0 }, -1)).toBe(1);
    expect(step([], null, 1)).toBeNull();
  });
});
