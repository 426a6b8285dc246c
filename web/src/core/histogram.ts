/** Bars over time from the server's counts: one bucket a level becomes one bar with its levels; gaps and what is not covered stay apart from nothing. */

import type { LogBucket } from "../api/types";

export interface Bar {
  readonly fromMs: number;
  readonly toMs: number;
  readonly error: number;
  readonly warn: number;
  readonly rest: number;
}

const time = (text: string | null | undefined): number => (text ? Date.parse(/^\d+$/.test(text) ? new Date(Number(text)).toISOString() : text.replace(/(\.\d{3})\d+/, "$1")) : Number.NaN);

/** Ascending by time; buckets without a time are left out. */
export function bars(buckets: readonly LogBucket[]): Bar[] {
  const out = new Map<number, { fromMs: number; toMs: number; error: number; warn: number; rest: number }>();
  for (const b of buckets) {
    const fromMs = time(b.from);
    const toMs = time(b.to);
    if (Number.isNaN(fromMs) || Number.isNaN(toMs)) continue;
    const bar = out.get(fromMs) ?? { fromMs, toMs, error: 0, warn: 0, rest: 0 };
    if (b.key === "error" || b.key === "fatal") bar.error += b.count;
    else if (b.key === "warn") bar.warn += b.count;
    else bar.rest += b.count;
    out.set(fromMs, bar);
  }
  return [...out.values()].sort((a, b) => a.fromMs - b.fromMs);
}

/** Lines of each level, and in all. */
export function levels(buckets: readonly LogBucket[]): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const b of buckets) out.set(b.key || "unknown", (out.get(b.key || "unknown") ?? 0) + b.count);
  return out;
}

/** Said to those who cannot see the bars. */
export function sentence(all: readonly Bar[], clock: (ms: number) => string): string {
  const sum = (b: Bar): number => b.error + b.warn + b.rest;
  const most = all.reduce<Bar | null>((best, b) => (best === null || sum(b) > sum(best) ? b : best), null);
  if (most === null || sum(most) === 0) return "no lines";
  const errors = all.reduce((n, b) => n + b.error, 0);
  return `${all.reduce((n, b) => n + sum(b), 0)} lines, ${errors} of them errors; most at ${clock(most.fromMs)}`;
}
