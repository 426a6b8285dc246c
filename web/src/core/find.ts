/** Find in text: highlights and counts matches, never filters. */

export interface Finder {
  /** Start and end of each match in `text`, ascending, without overlaps and without empty matches. */
  ranges(text: string): [start: number, end: number][];
}

export interface FindOptions {
  readonly regex: boolean;
  readonly matchCase: boolean;
}

const MOST_PER_LINE = 200;

/** A finder, `null` for an empty needle, or the words of what is wrong with the pattern. */
export function finder(needle: string, options: FindOptions): Finder | null | { readonly error: string } {
  if (needle === "") return null;
  let pattern: RegExp;
  try {
    const source = options.regex ? needle : needle.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    pattern = new RegExp(source, options.matchCase ? "gu" : "giu");
  } catch (cause) {
    return { error: cause instanceof Error ? cause.message : String(cause) };
  }
  return {
    ranges(text) {
      const out: [number, number][] = [];
      pattern.lastIndex = 0;
      for (let m = pattern.exec(text); m !== null && out.length < MOST_PER_LINE; m = pattern.exec(text)) {
        if (m[0].length === 0) pattern.lastIndex += 1;
        else out.push([m.index, m.index + m[0].length]);
      }
      return out;
    },
  };
}

export interface Match {
  readonly row: number;
  readonly start: number;
}

/** The match after (or before) a place, around the ends; `null` when there is none. `matches` ascends. */
export function step(matches: readonly Match[], from: Match | null, direction: 1 | -1): number | null {
  if (matches.length === 0) return null;
  if (from === null) return direction === 1 ? 0 : matches.length - 1;
  const past = (m: Match): boolean => m.row > from.row || (m.row === from.row && m.start > from.start);
  const next = matches.findIndex(past);
  if (direction === 1) return next === -1 ? 0 : next;
  const same = matches.findIndex((m) => m.row === from.row && m.start === from.start);
  const before = (same !== -1 ? same : next === -1 ? matches.length : next) - 1;
  return before < 0 ? matches.length - 1 : before;
}
