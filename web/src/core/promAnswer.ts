/** Answers of the Prometheus API as a chart and a table need them: one grid of times, gaps as `null`, what is not a number counted. */

import type { Value } from "./decimate";

export type LabelSet = Readonly<Record<string, string>>;

/** `[seconds, text]` as the API writes a sample. */
export type Sample = readonly [number, string];

export type PromData =
  | { readonly resultType: "matrix"; readonly result: readonly { readonly metric: LabelSet; readonly values?: readonly Sample[]; readonly histograms?: readonly unknown[] }[] }
  | { readonly resultType: "vector"; readonly result: readonly { readonly metric: LabelSet; readonly value?: Sample; readonly histogram?: unknown }[] }
  | { readonly resultType: "scalar" | "string"; readonly result: Sample };

export interface GridSpec {
  readonly startMs: number;
  /** The last step's time. */
  readonly endMs: number;
  readonly stepMs: number;
}

export interface SeriesLine {
  /** `A` to `D`, the query that gave it. */
  readonly query: string;
  readonly labels: LabelSet;
  /** The same for the same query and labels, whatever else is in the answer. */
  readonly key: string;
  readonly points: readonly Value[];
}

export interface Gridded {
  readonly times: readonly number[];
  readonly lines: readonly SeriesLine[];
  /** Samples that cannot be drawn: NaN and both infinities. */
  readonly odd: number;
  /** Series of native histograms, which are not drawn. */
  readonly histograms: number;
  readonly samples: number;
}

export function timesOf(grid: GridSpec): readonly number[] {
  return Array.from({ length: Math.floor((grid.endMs - grid.startMs) / grid.stepMs + 1e-6) + 1 }, (_, i) => grid.startMs + i * grid.stepMs);
}

/** A number as the API writes it. */
export function numberOf(text: string): number {
  if (text === "+Inf" || text === "Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

export const keyOf = (query: string, labels: LabelSet): string => `${query} ${Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(",")}`;

/** A range answer on its grid. A scalar or string gives no line. */
export function gridded(query: string, data: PromData, grid: GridSpec): Gridded {
  const times = timesOf(grid);
  const lines: SeriesLine[] = [];
  let odd = 0;
  let histograms = 0;
  let samples = 0;
  for (const one of data.resultType === "matrix" ? data.result : []) {
    if ((one.values ?? []).length === 0) {
      if ((one.histograms ?? []).length > 0) histograms += 1;
      continue;
    }
    const points = new Array<Value>(times.length).fill(null);
    for (const [seconds, text] of one.values ?? []) {
      const i = Math.round((seconds * 1000 - grid.startMs) / grid.stepMs);
      const value = numberOf(text);
      samples += 1;
      if (!Number.isFinite(value)) odd += 1;
      else if (i >= 0 && i < times.length) points[i] = value;
    }
    lines.push({ query, labels: one.metric, key: keyOf(query, one.metric), points });
  }
  return { times, lines, odd, histograms, samples };
}

/** Labels that all series share: they are said once, in the head. */
export function shared(lines: readonly { readonly labels: LabelSet }[]): LabelSet {
  const [first, ...rest] = lines;
  if (!first || rest.length === 0) return {};
  return Object.fromEntries(Object.entries(first.labels).filter(([name, value]) => rest.every((l) => l.labels[name] === value)));
}

/** `name{a="b"}` of what tells a series apart; `value` for one that has no labels. */
export function seriesTitle(labels: LabelSet, common: LabelSet = {}): string {
  const own = Object.entries(labels).filter(([name]) => !(name in common));
  const name = own.find(([n]) => n === "__name__")?.[1] ?? "";
  const rest = own.filter(([n]) => n !== "__name__").map(([n, v]) => `${n}=${JSON.stringify(v)}`);
  if (name === "" && rest.length === 0) return labels["__name__"] ?? (Object.keys(labels).length > 0 ? "all labels shared" : "value");
  return rest.length === 0 ? name : `${name}{${rest.join(", ")}}`;
}

/** As `seriesTitle`, values alone, for what is short: `checkout-1 app`. */
export function seriesShort(labels: LabelSet, common: LabelSet = {}): string {
  const own = Object.entries(labels).filter(([name]) => !(name in common) && name !== "__name__").map(([, v]) => v).filter((v) => v !== "");
  return own.length > 0 ? own.join(" ") : seriesTitle(labels, common);
}

export interface Figures {
  readonly at: Value;
  readonly last: Value;
  /** Steps since the last value, 0 when it is the newest. */
  readonly lastAgo: number;
  readonly min: Value;
  readonly mean: Value;
  readonly max: Value;
}

export function figures(points: readonly Value[], index: number): Figures {
  let min: Value = null;
  let max: Value = null;
  let sum = 0;
  let n = 0;
  let lastIndex = -1;
  points.forEach((p, i) => {
    if (p === null) return;
    min = min === null || p < min ? p : min;
    max = max === null || p > max ? p : max;
    sum += p;
    n += 1;
    lastIndex = i;
  });
  return { at: points[index] ?? null, last: points[lastIndex] ?? null, lastAgo: lastIndex === -1 ? points.length : points.length - 1 - lastIndex, min, mean: n === 0 ? null : sum / n, max };
}

/** Lines on top of each other, in order; where one has nothing it adds nothing, and where none has anything there is a gap. */
export function stacked(lines: readonly (readonly Value[])[]): Value[][] {
  const length = Math.max(0, ...lines.map((l) => l.length));
  const sums = new Array<number>(length).fill(0);
  const any = Array.from({ length }, (_, i) => lines.some((l) => typeof l[i] === "number"));
  return lines.map((line) => Array.from({ length }, (_, i) => {
    sums[i] = (sums[i] ?? 0) + (line[i] ?? 0);
    return any[i] === true ? (sums[i] ?? 0) : null;
  }));
}

export interface LabelCount {
  readonly name: string;
  readonly values: readonly { readonly value: string; readonly series: number }[];
}

/** Labels with more than one value, those with the fewest first, each with its values by number of series. */
export function labelCounts(lines: readonly { readonly labels: LabelSet }[]): readonly LabelCount[] {
  const all = new Map<string, Map<string, number>>();
  for (const { labels } of lines) {
    for (const [name, value] of Object.entries(labels)) {
      if (name === "__name__") continue;
      const values = all.get(name) ?? new Map<string, number>();
      values.set(value, (values.get(value) ?? 0) + 1);
      all.set(name, values);
    }
  }
  return [...all]
    .filter(([, values]) => values.size > 1)
    .map(([name, values]) => ({ name, values: [...values].map(([value, series]) => ({ value, series })).sort((a, b) => b.series - a.series || (a.value < b.value ? -1 : 1)) }))
    .sort((a, b) => a.values.length - b.values.length || (a.name < b.name ? -1 : 1));
}
