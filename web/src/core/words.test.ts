import { describe, expect, it } from "vitest";

import type { Health } from "../api/types";
import { passes, readList, tally, toggle } from "./list";
import { availableWords, axes, markOf } from "./marks";
import { assign, seriesIndex } from "./palette";
import { match } from "./search";

const health = (state: string, available: string, converged: string, ready = 0, wanted = 0): Health => ({ state, available, converged, ready, wanted, reasons: [] });

describe("marks", () => {
  it("split health into its two axes; the one to blame carries the state", () => {
    const table: [Health, string, string][] = [
      [health("ok", "yes", "yes"), "ok", "ok"], [health("crit", "no", "stalled"), "crit", "warn"], [health("warn", "yes", "no"), "ok", "warn"], [health("move", "coming", "no"), "move", "move"],
      [health("crit", "coming", "no"), "crit", "move"], [health("off", "suspended", "yes"), "off", "off"], [health("unknown", "unknown", "unknown"), "unknown", "unknown"], [health("move", "yes", "terminating"), "ok", "move"],
    ];
    for (const [h, available, converged] of table) expect(axes(h)).toEqual({ available, converged });
    expect(markOf("purple")).toBe("unknown");
    expect(availableWords(health("crit", "no", "no", 3, 6))).toBe("3 of 6");
  });
});

describe("lists of the address", () => {
  it("mean only these, and with ! not these", () => {
    expect(passes([], "a")).toBe(true);
    expect(passes(["a"], "b")).toBe(false);
    expect(passes(["!a"], "b")).toBe(true);
    expect(passes(["!a"], "a")).toBe(false);
    expect(passes(["b", "!a"], "b")).toBe(true);
    expect(toggle(readList("a,b"), "a")).toEqual(["b"]);
    expect(tally(["b", "a", "b"])).toEqual([["b", 2], ["a", 1]]);
  });
});

describe("search and colours", () => {
  it("ranks exact before prefix before word before inside before scattered", () => {
    const scores = ["web", "web-1", "my-web", "cobweb", "wide-eye-b"].map((n) => match(n, "web")?.score ?? 0);
    expect([...scores].sort((a, b) => b - a)).toEqual(scores);
    expect(match("api", "web")).toBeNull();
  });
  it("keeps a series' colour where it can, gives each its own, and the ninth none", () => {
    expect(assign(["a"])).toEqual([seriesIndex("a")]);
    const many = assign(Array.from({ length: 10 }, (_, i) => `pod-${i}`));
    expect(new Set(many.slice(0, 8)).size).toBe(8);
    expect(many.slice(8)).toEqual([0, 0]);
  });
});
