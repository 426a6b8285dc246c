/** What the screens ask of the server about traces, services and who calls whom; and its answers in the terms of `core/trace`. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { Call } from "../core/serviceMap";
import type { Span, SpanStatus } from "../core/trace";
import { ApiError, get } from "./client";
import type { Dependency, Page, Service, Trace, TraceLine, TraceQuery, TraceSummary } from "./types";

const REFRESH_MS = 15_000;

export interface TracesAsk extends Omit<TraceQuery, "from" | "to"> {
  readonly start: number;
  readonly end: number;
  readonly live: boolean;
}

/** A window that follows the present is named by its length, so that its last answer stays while a newer one is asked for. */
const windowKey = (start: number, end: number, live: boolean): readonly (string | number)[] => (live ? ["last", end - start] : [start, end]);

function windowNow(start: number, end: number, live: boolean): { from: number; to: number } {
  const to = live ? Date.now() : end;
  return { from: to - (end - start), to };
}

/** A question that the server refused stays refused until it is changed. */
const refused = (error: unknown): boolean => error instanceof ApiError && error.problem.status >= 400 && error.problem.status < 500;

/** A page about whole traces may stop after this many of them and say where to go on. */
const TRIED_BY_PAGE = 20_000;
const PAGES = 5;
/** So many traces, the newest, are looked at for one answer. */
export const TRIED_MOST = TRIED_BY_PAGE * PAGES;

/** Pages of one answer, until as many traces are found as were asked for. */
async function whole(ask: TraceQuery, signal: AbortSignal): Promise<Page<TraceSummary>> {
  const wanted = ask.limit ?? 0;
  let all = await get<Page<TraceSummary>>("/traces", { ...ask }, signal);
  for (let page = 1; page < PAGES && all.next && all.items.length < wanted; page++) {
    const older = await get<Page<TraceSummary>>("/traces", { ...ask, limit: wanted - all.items.length, cursor: all.next }, signal);
    all = { ...older, items: [...all.items, ...older.items], incomplete: [...(all.incomplete ?? []), ...(older.incomplete ?? [])] };
  }
  return all;
}

export const tracesQuery = ({ start, end, live, ...ask }: TracesAsk) =>
  queryOptions({
    queryKey: ["traces", ask, ...windowKey(start, end, live)],
    queryFn: ({ signal }) => whole({ ...ask, ...windowNow(start, end, live) }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: (asked) => (live && !refused(asked.state.error) ? REFRESH_MS : false),
    retry: false,
  });

/** Spans still arrive while `complete` is false: then it is asked again. */
export const traceQuery = (id: string) =>
  queryOptions({
    queryKey: ["trace", id],
    // A trace may have a hundred thousand spans: comparing two answers span by span would cost more than drawing the new one.
    structuralSharing: false,
    queryFn: ({ signal }) => get<Trace>(`/traces/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: (asked) => (asked.state.data?.complete === false && asked.state.data.incomplete === undefined ? 5000 : false),
    staleTime: 60_000,
    retry: false,
  });

/** Each reading of lines is an entry in the audit log: ask when a person asks to see them. */
export const traceLinesQuery = (id: string, from: number, to: number) =>
  queryOptions({ queryKey: ["trace-lines", id, from, to], queryFn: ({ signal }) => get<Page<TraceLine>>(`/logs/trace/${encodeURIComponent(id)}`, { from, to }, signal), staleTime: 5 * 60_000, retry: false });

interface Window {
  readonly start: number;
  readonly end: number;
  readonly live: boolean;
}

export const servicesQuery = ({ start, end, live }: Window) =>
  queryOptions({ queryKey: ["services", ...windowKey(start, end, live)], queryFn: ({ signal }) => get<Page<Service>>("/services", windowNow(start, end, live), signal), placeholderData: keepPreviousData, refetchInterval: live ? REFRESH_MS * 2 : false, retry: false });

export const dependenciesQuery = ({ start, end, live }: Window) =>
  queryOptions({ queryKey: ["dependencies", ...windowKey(start, end, live)], queryFn: ({ signal }) => get<Page<Dependency>>("/dependencies", windowNow(start, end, live), signal), placeholderData: keepPreviousData, refetchInterval: live ? REFRESH_MS * 2 : false, retry: false });

/** ns from `base` to a time that the server wrote in decimal digits: exact, where the time itself would not fit. */
export const since = (ns: string, base: string): number => Number(BigInt(ns) - BigInt(base));

/** ms UTC with decimals. */
export function msOfNs(ns: string): number {
  const whole = BigInt(ns);
  return Number(whole / 1000n) / 1000;
}

const STATUS: Readonly<Record<string, SpanStatus>> = { ok: "ok", error: "error" };

export function spansOf(trace: Trace): Span[] {
  return trace.spans.map((s) => ({
    id: s.span_id, parent: s.parent_id ?? null, service: s.service, name: s.name, kind: s.kind, status: STATUS[s.status] ?? "unset", statusText: s.status_text ?? "",
    start: since(s.start_ns, trace.start_ns), duration: s.duration_ns,
    cluster: s.cluster ?? "", namespace: s.namespace ?? "", workloadKind: s.workload_kind ?? "", workload: s.workload ?? "", pod: s.pod ?? "", container: s.container ?? "", node: s.node ?? "",
    attributes: s.attributes as Span["attributes"], resource: s.resource as Span["resource"], scope: s.scope ?? "",
    events: (s.events ?? []).map((e) => ({ name: e.name, at: since(e.at_ns, trace.start_ns), attributes: e.attributes as Span["attributes"] })),
    links: (s.links ?? []).map((l) => ({ traceId: l.trace_id, spanId: l.span_id, attributes: l.attributes as Span["attributes"] })),
  }));
}

export const callsOfDependencies = (all: readonly Dependency[]): Call[] => all.map((d) => ({ parent: d.parent, child: d.child, kind: d.kind, calls: d.calls, errors: d.errors, p95: d.p95_ns }));
