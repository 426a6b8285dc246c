import { describe, expect, it } from "vitest";

import { LineWindow } from "./lines";

const name = (n: number): string => String(n).padStart(6, "0");
const make = (most: number): LineWindow<string> => new LineWindow<string>(most, (row) => row);
const content = (w: LineWindow<string>): string => w.all().join(" ");
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => name(from + i));

describe("the line window", () => {
  it("evicts whole chunks of the oldest above its bound, and knows where to read them again", () => {
    const w = make(1300);
    for (let i = 0; i < 4; i += 1) w.append(range(i * 400, i * 400 + 400), `t${i * 400 + 400}`);
    expect([w.length, w.at(0), w.start, w.end]).toEqual([800, name(800), "t800", "t1600"]);
  });
  it("evicts the newest when older ones come, and knows where to read those again", () => {
    const w = make(1000);
    w.append(range(1000, 1600), "t1600");
    w.append(range(1600, 1900), "t1900");
    w.start = "t1000";
    expect(w.prepend(range(400, 1000), "t400")).toBe(900);
    expect([w.at(0), w.at(w.length - 1), w.start, w.end]).toEqual([name(400), name(999), "t400", "t1000"]);
  });
  it("joins small batches, so that what follows live stays in few chunks", () => {
    const w = make(1000);
    for (let i = 0; i < 1100; i += 1) w.append([name(i)], `t${i + 1}`);
    expect([w.length, w.at(0), w.start]).toEqual([600, name(500), "t500"]);
  });
  it("puts late rows where their time belongs, and rows of one time in the order they came", () => {
    const w = make(10);
    w.append(["a", "c", "e"], "t");
    w.insert("b");
    w.place("f");
    w.place("c");
    expect(content(w)).toBe("a b c c e f");
  });
  it("never parts a late line from the batch that brought it: both are left and read again together", () => {
    const w = make(900);
    w.append(range(0, 500), "t500");
    w.append(range(501, 801), "t801");
    w.insert(name(500));
    w.append(range(801, 1000), "t1000");
    expect([w.length, w.at(0), w.start]).toEqual([500, name(500), "t500"]);
  });
  it("reads any walk up and down as one log: every row once, in order, within the bound", () => {
    // The log is the numbers 0 to 5999; a token is the number that reading goes on at.
    const w = make(900);
    const up = (): void => { const to = Number(w.start); const from = Math.max(0, to - 250); w.prepend(range(from, to), from === 0 ? null : String(from)); };
    const down = (): void => { const from = Number(w.end); w.append(range(from, Math.min(6000, from + 250)), String(Math.min(6000, from + 250))); };
    w.append(range(3000, 3250), "3250");
    w.start = "3000";
    for (let i = 0; i < 400; i += 1) {
      if ((i * 7919) % 97 < (i % 150 < 75 ? 70 : 20)) { if (w.start !== null) up(); } else if (w.end !== "6000") down();
      const rows = w.all().map(Number);
      expect(rows.length).toBeLessThanOrEqual(900);
      expect(rows.every((n, k) => k === 0 || n === (rows[k - 1] ?? 0) + 1)).toBe(true);
      expect(rows[0]).toBe(w.start === null ? 0 : Number(w.start));
      expect((rows.at(-1) ?? 0) + 1).toBe(Number(w.end));
    }
  });
});
