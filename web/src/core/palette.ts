/** Colour of a series by its identity, so that a pod keeps its colour in every chart and in the log gutter. */

const SERIES = 8;

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  return h >>> 0;
}

/** 1–8: which of the series tokens an identity prefers. */
export function seriesIndex(identity: string): number {
  return (hash(identity) % SERIES) + 1;
}

/** One index for each identity: its own where that is free, else the next free one; the ninth and later share 0, the rest colour. */
export function assign(identities: readonly string[]): number[] {
  const taken = new Set<number>();
  return identities.map((identity) => {
    const own = seriesIndex(identity);
    for (let i = 0; i < SERIES; i += 1) {
      const candidate = ((own - 1 + i) % SERIES) + 1;
      if (!taken.has(candidate)) {
        taken.add(candidate);
        return candidate;
      }
    }
    return 0;
  });
}

/** Dash pattern by place in the chart, from 1: from the fifth on a line is told apart by more than its colour. */
export function dashOf(index: number): number[] | undefined {
  switch (index <= 8 ? index : 5 + ((index - 5) % 4)) {
    case 5:
      return [6, 3];
    case 6:
      return [2, 3];
    case 7:
      return [8, 3, 2, 3];
    case 8:
      return [4, 2];
    default:
      return undefined;
  }
}
