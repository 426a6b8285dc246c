import { describe, expect, it } from "vitest";

import { continues, Fold, type FoldStyle, type Shape } from "./fold";

const style = (more: Partial<FoldStyle<Shape>> = {}): FoldStyle<Shape> => ({ fold: true, open: new Set(), muted: new Set(), extras: [], heightOf: (r) => (r.text === null ? 26 : 20), ...more });
const line = (n: number, text: string | null, source = 0, second = 0): Shape => ({ key: `k${n}`, time: `2026-11-18T14:00:${String(second).padStart(2, "0")}.${String(n).padStart(9, "0")}Z`, source, text, goesOn: text !== null && continues(text) });
const shown = (f: Fold<Shape>): string => f.items.map((i) => `${i.row.text ?? "gap"}${i.folded ? ` +${i.folded}` : ""}${i.repeats > 1 ? ` x${i.repeats}` : ""}@${i.top}`).join(" | ");
const check = (rows: Shape[], s = style()): string => {
  const f = new Fold<Shape>();
  f.sync(rows, 0, s);
  return shown(f);
};

describe("folding", () => {
  it("folds stack traces under their first line, also between lines of other sources", () => {
    const rows = [line(0, "panic: boom"), line(1, "other", 1), line(2, "\tat a.b(C.java:1)"), line(3, "\tat d"), line(4, "Caused by: x"), line(5, "next")];
    expect(check(rows)).toBe("panic: boom +3@0 | other@20 | next@40");
    expect(check(rows, style({ open: new Set(["k0"]) }))).toBe("panic: boom +3@0 | other@20 | \tat a.b(C.java:1)@40 | \tat d@60 | Caused by: x@80 | next@100");
    expect(check(rows, style({ fold: false }))).toContain("\tat d@60");
    expect(check([line(0, "a"), line(1, "  later", 0, 9)])).toBe("a@0 |   later@20");
  });
  it("folds repeats of one source, not of two", () => {
    expect(check([line(0, "a"), line(1, "a"), line(2, "a", 1), line(3, "b"), line(4, null), line(5, "b")])).toBe("a x2@0 | a@20 | b@40 | gap@60 | b@86");
  });
  it("leaves muted sources out and puts events where their time belongs", () => {
    const event = line(2, null, -1);
    expect(check([line(0, "a"), line(1, "m", 1), line(3, "c")], style({ muted: new Set([1]), extras: [event] }))).toBe("a@0 | gap@20 | c@46");
  });
  it("grows to what it would be when built at once, and finds rows by key and by height", () => {
    const texts = ["a", "a", "\tat x", "b", null, "b", "b", "c", "\tat y", "\tat z"];
    const rows: Shape[] = [];
    const grown = new Fold<Shape>();
    const one = style();
    for (let n = 0; n < 60; n += 1) {
      rows.push(line(n, texts[n % texts.length] ?? null, n % 3));
      grown.sync(rows, 0, one);
      const whole = new Fold<Shape>();
      whole.sync([...rows], 0, one);
      expect(shown(grown)).toBe(shown(whole));
      expect(grown.indexOf(`k${n}`)).toBeGreaterThanOrEqual(0);
    }
    grown.items.forEach((item, i) => expect([grown.at(item.top), grown.at(grown.bottomOf(i) - 1)]).toEqual([i, i]));
    expect(new Fold<Shape>().at(5)).toBe(-1);
  });
  it("knows what goes on with a stack trace", () => {
    expect(["\tat x", "  File \"a.py\", line 3", "Caused by: y", "    ... 12 more", "goroutine 1 [running]:", "java.lang.IllegalStateException: z"].every(continues)).toBe(true);
    expect(["order accepted", "INFO x", "{\"a\":1}", ""].some(continues)).toBe(false);
  });
});
