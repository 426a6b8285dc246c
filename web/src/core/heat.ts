/** Heat maps: how much is in each bucket of a histogram at each step, from series that count everything up to their `le`. */

import type { Value } from "./decimate";
import { inUnit } from "./format";
import type { SeriesLine } from "./promAnswer";

export interface HeatRow {
  /** Lower and upper bound; `null` below for the lowest bucket. */
  readonly from: number | null;
  readonly to: number;
  /** One a step; `null` where nothing was counted. */
  readonly cells: readonly Value[];
}

export interface Heat {
  /** The highest bucket first, as they are drawn. */
  readonly rows: readonly HeatRow[];
  /** The most in any cell. */
  readonly most: number;
}

const boundOf = (text: string | undefined): number | null => {
  if (text === undefined || text === "") return null;
  const bound = /^\+?inf(inity)?$/i.test(text) ? Infinity : Number(text);
  return Number.isNaN(bound) ? null : bound;
};

/** Series of one bound are added up; what has no bound is in no bucket. */
export function heatOf(lines: readonly SeriesLine[], steps: number): Heat {
  const sums = new Map<number, Value[]>();
  for (const line of lines) {
    const bound = boundOf(line.labels["le"]);
    if (bound === null) continue;
    const sum = sums.get(bound) ?? Array.from({ length: steps }, (): Value => null);
    line.points.forEach((v, i) => { if (v !== null) sum[i] = (sum[i] ?? 0) + v; });
    sums.set(bound, sum);
  }
  let most = 0;
  let below: { readonly bound: number; readonly sum: readonly Value[] } | null = null;
  const rows: HeatRow[] = [];
  for (const [bound, sum] of [...sums].sort(([a], [b]) => a - b)) {
    const under = below;
    const cells = sum.map((v, i) => (v === null ? null : Math.max(0, v - (under?.sum[i] ?? 0))));
    for (const v of cells) if (v !== null && v > most) most = v;
    rows.push({ from: under?.bound ?? null, to: bound, cells });
    below = { bound, sum };
  }
  return { rows: rows.reverse(), most };
}

/** How strongly a cell is coloured, 0 to 1: a single event is still seen beside thousands. */
export const strength = (value: Value, most: number): number => (value === null || value <= 0 || most <= 0 ? 0 : 0.12 + 0.88 * Math.sqrt(value / most));

const plain = (value: number): string => String(Number(value.toPrecision(6)));

/** A bound as it is, not rounded as values are: 2.5 s is not 2 s. */
export const boundText = (value: number, unit: string): string => (unit === "s" ? (Math.abs(value) < 1 ? `${plain(value * 1000)} ms` : `${plain(value)} s`) : unit === "ms" ? `${plain(value)} ms` : unit === "" ? plain(value) : inUnit(value, unit));
