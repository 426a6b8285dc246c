/** Fewer points for a chart without losing what stands out: each bucket keeps its smallest and largest value in order. */

export type Value = number | null;

/** At most about `2 × buckets` points as `[index, value]`. A gap stays a gap: a bucket of nulls gives one null. */
export function minMax(values: readonly Value[], buckets: number): [index: number, value: Value][] {
  if (buckets <= 0) return [];
  if (values.length <= buckets * 2) return values.map((v, i) => [i, v]);
  const out: [number, Value][] = [];
  for (let b = 0; b < buckets; b += 1) {
    const from = Math.floor((b * values.length) / buckets);
    const to = Math.floor(((b + 1) * values.length) / buckets);
    pushBucket(values, from, to, out);
  }
  return out;
}

function pushBucket(values: readonly Value[], from: number, to: number, out: [number, Value][]): void {
  let low = -1;
  let high = -1;
  let gap = -1;
  for (let i = from; i < to; i += 1) {
    const v = values[i];
    if (v === null || v === undefined) {
      gap = gap === -1 ? i : gap;
      continue;
    }
    if (low === -1 || v < (values[low] ?? v)) low = i;
    if (high === -1 || v > (values[high] ?? v)) high = i;
  }
  const kept = [...new Set([low, high, gap].filter((i) => i !== -1))].sort((a, b) => a - b);
  for (const i of kept) out.push([i, values[i] ?? null]);
}

/** Runs of missing points longer than one step, as half-open index ranges: what a chart hatches. */
export function gaps(series: readonly (readonly Value[])[], length: number): [from: number, to: number][] {
  const out: [number, number][] = [];
  let start = -1;
  for (let i = 0; i <= length; i += 1) {
    const missing = i < length && series.length > 0 && series.every((s) => s[i] === null || s[i] === undefined);
    if (missing && start === -1) start = i;
    if (!missing && start !== -1) {
      if (i - start > 1) out.push([start, i]);
      start = -1;
    }
  }
  return out;
}

/** Bridges single missing steps so that a line is not broken by one late sample. */
export function bridge(values: readonly Value[]): Value[] {
  return values.map((v, i) => {
    if (v !== null) return v;
    const before = values[i - 1];
    const after = values[i + 1];
    return typeof before === "number" && typeof after === "number" ? (before + after) / 2 : null;
  });
}
