import { describe, expect, it } from "vitest";

import { parseMoment, parseWindow, printWindow, spanOf, windowName } from "./window";

const NOW = Date.UTC(2026, 10, 18, 14, 32, 8);

describe("time windows", () => {
  it("come back from the address as they went", () => {
    for (const text of ["-1h", "-15m", "-7d", "-90s", "2026-11-18T13:32:00Z..2026-11-18T14:32:00Z"]) {
      const window = parseWindow(text, NOW);
      expect(window && printWindow(window)).toBe(text);
    }
  });
  it("are read from what people type", () => {
    const from = Date.UTC(2026, 10, 18, 14, 0);
    expect(parseWindow("90m", NOW)).toEqual({ kind: "relative", spanMs: 5_400_000 });
    expect(parseWindow("since 14:00", NOW)).toEqual({ kind: "absolute", fromMs: from, toMs: NOW });
    expect(parseWindow("23:00", NOW)).toEqual({ kind: "absolute", fromMs: Date.UTC(2026, 10, 17, 23), toMs: NOW });
    expect(parseWindow("yesterday", NOW)).toEqual({ kind: "absolute", fromMs: Date.UTC(2026, 10, 17), toMs: Date.UTC(2026, 10, 18) });
    expect(parseWindow("2026-11-18T13:32Z..2026-11-18T14:32Z", NOW)).toEqual({ kind: "absolute", fromMs: Date.UTC(2026, 10, 18, 13, 32), toMs: Date.UTC(2026, 10, 18, 14, 32) });
  });
  it("are refused when reversed, empty or nonsense", () => {
    for (const text of ["", "soon", "-0h", "2026-11-18T14:32Z..2026-11-18T13:32Z", "-999999d"]) expect(parseWindow(text, NOW)).toBeNull();
  });
  it("reads moments in UTC unless they say otherwise", () => {
    expect(parseMoment("2026-11-18 14:00")).toBe(Date.UTC(2026, 10, 18, 14));
    expect(parseMoment("2026-11-18T14:00+01:00")).toBe(Date.UTC(2026, 10, 18, 13));
    expect(parseMoment("1763476328")).toBe(1763476328_000);
    expect(parseMoment("x")).toBeNull();
  });
  it("moves with now when relative", () => {
    expect(spanOf({ kind: "relative", spanMs: 1000 }, NOW)).toEqual({ fromMs: NOW - 1000, toMs: NOW });
    expect(windowName({ kind: "relative", spanMs: 3_600_000 })).toBe("Last 1 h");
  });
});
