/** Ticks and tags of the time tape: which times to mark, and where names fit without running into each other. */

import type { Span } from "./window";

export interface Tick {
  readonly at: number;
  readonly major: boolean;
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800] as const;
const FEWEST_PIXELS = 84;
const MINOR_PER_MAJOR = 5;

/** Ticks at round times, majors at least 84 px apart. Ordered; empty for an empty span. */
export function ticks(span: Span, widthPx: number): Tick[] {
  const length = span.toMs - span.fromMs;
  if (length <= 0 || widthPx <= 0) return [];
  const wanted = (FEWEST_PIXELS / widthPx) * length;
  const major = (STEPS_S.find((s) => s * 1000 >= wanted) ?? 604_800) * 1000;
  const minor = major / MINOR_PER_MAJOR;
  const out: Tick[] = [];
  for (let i = Math.ceil(span.fromMs / minor); i * minor <= span.toMs; i += 1) {
    out.push({ at: i * minor, major: (i * minor) % major === 0 });
  }
  return out;
}

export interface Tag {
  readonly x: number;
  readonly width: number;
}

export interface PlacedTag {
  readonly side: "left" | "right" | "hidden";
}

/** Sets each name right of its mark, left when that side is taken, and hides it when neither fits. Tags ascend by `x`. */
export function placeTags(tags: readonly Tag[], left: number, right: number, taken: readonly [number, number][] = []): PlacedTag[] {
  const free = (from: number, to: number, all: readonly (readonly [number, number])[]): boolean =>
    from >= left && to <= right && all.every(([a, b]) => to <= a || from >= b);
  const used: [number, number][] = tags.map((t) => [t.x - 5, t.x + 5]);
  const busy: [number, number][] = [...taken];
  return tags.map((tag, i) => {
    const others = [...busy, ...used.filter((_, j) => j !== i)];
    const after: [number, number] = [tag.x + 6, tag.x + 8 + tag.width];
    const before: [number, number] = [tag.x - 8 - tag.width, tag.x - 6];
    if (free(after[0], after[1], others)) {
      busy.push(after);
      return { side: "right" };
    }
    if (free(before[0], before[1], others)) {
      busy.push(before);
      return { side: "left" };
    }
    return { side: "hidden" };
  });
}
