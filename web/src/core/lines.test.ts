import { describe, expect, it } from "vitest";

import { LineWindow } from "./lines";

const make = (most: number): LineWindow<string> => new LineWindow<string>(most, (row) => row);
const content = (w: LineWindow<string>): string => w.all().join(" ");

describe("the line window", () => {
  it("appends, evicts the oldest above its bound, and counts them", () => {
    const w = make(3);
    w.append(["a", "b"]);
    expect(w.append(["c", "d", "e"])).toBe(2);
    expect([content(w), w.first, w.evictedFront]).toEqual(["c d e", 2, 2]);
  });
  it("puts older rows in front and says how many newer ones left", () => {
    const w = make(4);
    w.append(["e", "f", "g"]);
    expect(w.prepend(["c", "d"])).toBe(1);
    expect([content(w), w.first, w.evictedBack]).toEqual(["c d e f", -2, 1]);
    expect(w.at(0 - w.first)).toBe("e");
  });
  it("puts late rows where their time belongs", () => {
    const w = make(10);
    w.append(["a", "c", "e"]);
    expect(w.insert("b")).toBe(1);
    expect(w.insert("f")).toBe(4);
    expect(content(w)).toBe("a b c e f");
  });
  it("keeps rows of one time in the order they came", () => {
    const w = new LineWindow<{ t: string; n: number }>(10, (r) => r.t);
    w.append([{ t: "a", n: 1 }, { t: "a", n: 2 }]);
    w.insert({ t: "a", n: 3 });
    expect(w.all().map((r) => r.n)).toEqual([1, 2, 3]);
  });
  it("never holds more than its bound, whatever happens to it", () => {
    const w = make(5);
    for (let i = 0; i < 200; i += 1) {
      const row = String((i * 37) % 100).padStart(3, "0");
      if (i % 3 === 0) w.append([row]);
      else if (i % 3 === 1) w.insert(row);
      else w.prepend([row, row]);
      expect(w.length).toBeLessThanOrEqual(5);
    }
  });
});
