import { describe, expect, it } from "vitest";

import { placeTags, ticks } from "./tape";

describe("the tape", () => {
  it("marks round times, majors at least 84 px apart", () => {
    const span = { fromMs: Date.UTC(2026, 10, 18, 13, 32), toMs: Date.UTC(2026, 10, 18, 14, 32) };
    const all = ticks(span, 1200);
    const majors = all.filter((t) => t.major);
    expect(majors[0]?.at).toBe(Date.UTC(2026, 10, 18, 13, 35));
    expect(majors).toHaveLength(12);
    expect(all.every((t) => t.at >= span.fromMs && t.at <= span.toMs)).toBe(true);
    expect(ticks({ fromMs: 5, toMs: 5 }, 100)).toEqual([]);
  });
  it("puts names to the right, to the left when that is taken, else nowhere", () => {
    expect(placeTags([{ x: 50, width: 40 }, { x: 70, width: 40 }, { x: 195, width: 60 }], 0, 200).map((p) => p.side)).toEqual(["left", "right", "left"]);
    expect(placeTags([{ x: 30, width: 100 }, { x: 45, width: 100 }], 0, 120).map((p) => p.side)).toEqual(["hidden", "hidden"]);
  });
});
