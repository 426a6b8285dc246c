/** Calls of the Prometheus HTTP API: its envelope taken off, its faults as problems with its words. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { LabelSet, PromData } from "../core/promAnswer";
import { ApiError, call } from "./client";

const PREFIX = "/prometheus/api/v1";
const REFRESH_MS = 15_000;

interface Envelope<T> {
  readonly status: "success" | "error";
  readonly data?: T;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

export interface PromAnswer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** ms between asking and the whole answer. */
  readonly tookMs: number;
}

/** A fault of the API has the words in `error`; the others are problems already. */
function inWords(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  const body = error.problem as unknown as { readonly error?: unknown; readonly errorType?: unknown };
  return typeof body.error === "string" ? new ApiError({ ...error.problem, detail: body.error, kind: typeof body.errorType === "string" ? body.errorType : error.problem.kind }) : error;
}

export async function prom<T>(path: string, params: Readonly<Record<string, string | number | undefined>>, signal?: AbortSignal): Promise<PromAnswer<T>> {
  const began = performance.now();
  let answer: Envelope<T>;
  try {
    answer = await call<Envelope<T>>("GET", path, { prefix: PREFIX, params, ...(signal ? { signal } : {}) });
  } catch (error) {
    throw inWords(error);
  }
  if (answer.status !== "success" || answer.data === undefined) throw new Error(answer.error ?? "the answer has no data");
  return { data: answer.data, warnings: answer.warnings ?? [], infos: answer.infos ?? [], tookMs: performance.now() - began };
}

export interface QueryStats {
  readonly timings?: Readonly<Record<string, number>>;
  readonly samples?: { readonly totalQueryableSamples?: number; readonly peakSamples?: number };
  readonly seriesFetched?: string;
}

export type QueryData = PromData & { readonly stats?: QueryStats };

export interface RangeAsk {
  readonly expr: string;
  /** ms. */
  readonly start: number;
  readonly end: number;
  readonly stepS: number;
  readonly live: boolean;
}

export interface RangeAnswer extends PromAnswer<QueryData> {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Steps at whole multiples of the step, so that two queries share their grid and equal ones their answer. */
export function grid(start: number, end: number, stepS: number): { startMs: number; endMs: number; stepMs: number } {
  const stepMs = stepS * 1000;
  return { startMs: Math.ceil(start / stepMs) * stepMs, endMs: Math.floor(end / stepMs) * stepMs, stepMs };
}

const refused = (error: unknown): boolean => error instanceof ApiError && error.problem.status >= 400 && error.problem.status < 500;

export const rangeQuery = ({ expr, start, end, stepS, live }: RangeAsk) =>
  queryOptions({
    queryKey: ["prom-range", expr, stepS, ...(live ? ["last", end - start] : [start, end])],
    queryFn: async ({ signal }): Promise<RangeAnswer> => {
      const to = live ? Date.now() : end;
      const g = grid(to - (end - start), to, stepS);
      const answer = await prom<QueryData>("/query_range", { query: expr, start: g.startMs / 1000, end: g.endMs / 1000, step: stepS, stats: "all" }, signal);
      return { ...answer, ...g };
    },
    enabled: expr.trim() !== "",
    placeholderData: keepPreviousData,
    refetchInterval: (asked) => (live && !refused(asked.state.error) ? REFRESH_MS : false),
    retry: false,
  });

const MINUTE_MS = 60_000;
const seconds = (ms: number): number => Math.floor(ms / MINUTE_MS) * 60;

/** Names of the metrics that have samples in the window, by minutes, so that it is not asked anew with every tick. */
export const namesQuery = (start: number, end: number) =>
  queryOptions({ queryKey: ["prom-names", seconds(end) - seconds(start)], queryFn: ({ signal }) => prom<string[]>("/label/__name__/values", { start: seconds(start), end: seconds(end) + 60 }, signal), staleTime: MINUTE_MS, placeholderData: keepPreviousData, retry: false });

export interface MetricAbout {
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

export const metadataQuery = queryOptions({ queryKey: ["prom-metadata"], queryFn: ({ signal }) => prom<Record<string, MetricAbout[]>>("/metadata", {}, signal).then((a) => Object.fromEntries(Object.entries(a.data).flatMap(([name, all]) => (all[0] ? [[name, all[0]] as const] : [])))), staleTime: 5 * MINUTE_MS, retry: false });

export const labelsQuery = (match: string, start: number, end: number) =>
  queryOptions({ queryKey: ["prom-labels", match, seconds(end) - seconds(start)], queryFn: ({ signal }) => prom<string[]>("/labels", { "match[]": match || undefined, start: seconds(start), end: seconds(end) + 60 }, signal), staleTime: MINUTE_MS, retry: false });

/** A label's name in a path: names that are not plain are escaped as Prometheus does. */
export function escaped(label: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) return label;
  return `U__${[...label].map((c) => (c === "_" ? "__" : /[a-zA-Z0-9]/.test(c) ? c : `_${(c.codePointAt(0) ?? 0).toString(16)}_`)).join("")}`;
}

export const valuesQuery = (label: string, match: string, start: number, end: number) =>
  queryOptions({ queryKey: ["prom-values", label, match, seconds(end) - seconds(start)], queryFn: ({ signal }) => prom<string[]>(`/label/${escaped(label)}/values`, { "match[]": match || undefined, start: seconds(start), end: seconds(end) + 60 }, signal), staleTime: MINUTE_MS, enabled: label !== "", retry: false });

/** What is wrong with an expression, in the server's words; `null` when it is right, or the server does not judge without asking. */
export async function judge(expr: string, signal: AbortSignal): Promise<string | null> {
  try {
    await prom<string>("/format_query", { query: expr }, signal);
    return null;
  } catch (error) {
    return error instanceof ApiError && error.problem.status === 400 ? error.problem.detail : null;
  }
}

export type { LabelSet };
