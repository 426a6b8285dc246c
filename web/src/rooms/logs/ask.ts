/** What the logs room asks of the server beside lines: counts, completion, context, sources, saved views. */

import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo, useRef } from "react";

import { ApiError, get, post } from "../../api/client";
import { eventsQuery, itemsOf, useProblems } from "../../api/queries";
import type { Event, LogCompletion, LogCount, LogLines, LogQuery, LogSelect, LogSource, LogSources, LogView, Page, ProblemRow } from "../../api/types";
import { changesOf } from "../../core/changes";
import { byteOf } from "../../core/expr";
import { useAskSpan } from "../../ui/view";
import { concerns, parseSource } from "./select";

const REFRESH_MS = 15_000;
/** A query that reads more than this says so and waits to be run. */
export const CONFIRM_BYTES = 1024 ** 3;

export const selectsOf = (chosen: readonly string[]): LogSelect[] => chosen.flatMap((c) => parseSource(c) ?? []);

export function useSources(chosen: readonly string[]): UseQueryResult<LogSources> {
  return useQuery({ queryKey: ["log-sources", chosen], queryFn: ({ signal }) => post<LogSources>("/logs/sources", { sources: selectsOf(chosen) }, signal), refetchInterval: REFRESH_MS, enabled: chosen.length > 0, placeholderData: keepPreviousData });
}

export interface CountOf {
  readonly query: LogQuery;
  readonly by: "time" | "field" | "pattern";
  readonly field?: string;
  readonly buckets: number;
  readonly enabled: boolean;
}

/** Counts what the query matches in the window of the view. */
export function useCount({ query, by, field, buckets, enabled }: CountOf): UseQueryResult<LogCount> {
  const span = useAskSpan();
  const window = span.live ? ["last", span.end - span.start] : [span.start, span.end];
  return useQuery({
    queryKey: ["log-count", query, by, field, buckets, ...window],
    queryFn: ({ signal }) => {
      const length = span.end - span.start;
      const end = span.live ? Math.floor(Date.now() / 1000) * 1000 : span.end;
      return post<LogCount>("/logs/count", { query: { ...query, from: String(end - length), to: String(end) }, by, ...(field === undefined ? {} : { field }), buckets }, signal);
    },
    enabled: enabled && query.sources.length > 0,
    refetchInterval: (asked) => (span.live && !lacks(asked.state.error) ? REFRESH_MS : false),
    placeholderData: keepPreviousData,
    retry: false,
  });
}

/** Whether a server has no such call: an older one. */
export const lacks = (error: unknown): boolean => error instanceof ApiError && (error.problem.status === 404 || error.problem.status === 405 || error.problem.status === 501);

export const complete = (text: string, at: number, sources: readonly LogSelect[], signal: AbortSignal): Promise<LogCompletion> => post<LogCompletion>("/logs/complete", { text, at: byteOf(text, at), sources }, signal);

/** What is wrong with a filter text, asked once a text; `null` when it is right. A server that cannot read filters would show every line, so the text is not run there. */
export function useFault(text: string, sources: readonly LogSelect[]): { readonly fault: LogCompletion["error"]; readonly pending: boolean } {
  const answer = useQuery({ queryKey: ["log-check", text], queryFn: ({ signal }) => complete(text, text.length, sources, signal), enabled: text.trim() !== "", staleTime: Infinity, retry: false });
  const old = answer.error !== null && lacks(answer.error) && text.trim() !== "";
  return { fault: old ? { from: 0, to: byteOf(text, text.length), text: "this server does not read filters; update it" } : (answer.data?.error ?? null), pending: answer.isPending && text.trim() !== "" };
}

export function useContext(cursor: string, lines: number): UseQueryResult<LogLines> {
  return useQuery({ queryKey: ["log-lines", cursor, lines], queryFn: ({ signal }) => get<LogLines>(`/logs/lines/${encodeURIComponent(cursor)}`, { before: lines, after: lines }, signal), staleTime: 60_000, retry: false, placeholderData: keepPreviousData });
}

export const VIEWS_KEY = ["log-views"] as const;

export function useSavedViews(enabled: boolean): UseQueryResult<readonly LogView[]> {
  return useQuery({ queryKey: VIEWS_KEY, queryFn: ({ signal }) => get<Page<LogView> | LogView[]>("/logs/views", {}, signal).then(itemsOf), enabled, retry: false });
}

/** Events and rollouts of the sources' namespaces, oldest first, to stand between the lines. */
export function useEvents(sources: readonly LogSource[]): readonly { readonly event: Event; readonly change: boolean }[] {
  const span = useAskSpan();
  const clusters = [...new Set(sources.map((s) => s.cluster))].sort().join(",");
  const namespaces = [...new Set(sources.map((s) => s.namespace).filter((n) => n !== ""))].sort().join(",");
  const enabled = namespaces !== "";
  const ask = { from: span.start, to: span.end, limit: 200, cluster: clusters, namespace: namespaces };
  const warnings = useQuery({ ...eventsQuery({ ...ask, type: "Warning" }, span.live), enabled });
  const changes = useQuery({ ...eventsQuery({ ...ask, type: "change" }, span.live), enabled });
  const scaling = useQuery({ ...eventsQuery({ ...ask, reason: "ScalingReplicaSet" }, span.live), enabled });
  const pods = sources.map((s) => s.pod_uid).sort().join(",");
  const workloads = [...new Set(sources.map((s) => s.workload))].filter((w) => w !== "").sort().join(",");
  return useMemo(() => {
    const inPods = new Set(pods.split(","));
    const inWorkloads = workloads.split(",");
    const ours = (e: Event): boolean => inPods.has(e.object_uid) || inWorkloads.some((w) => w !== "" && (e.object_name === w || e.object_name.startsWith(`${w}-`)));
    const changed = changesOf(changes.data?.items ?? [], scaling.data?.items ?? []).filter(ours);
    return [...(warnings.data?.items ?? []).filter(ours).map((event) => ({ event, change: false })), ...changed.map((event) => ({ event, change: true }))].sort((a, b) => a.event.at_ms - b.event.at_ms);
  }, [warnings.data, changes.data, scaling.data, pods, workloads]);
}

/** Alerts on the sources' pods, workloads and nodes: what is wrong now, by when it began. The same while none begins or ends. */
export function useAlerts(sources: readonly LogSource[]): readonly ProblemRow[] {
  const problems = useProblems();
  const found = useMemo(() => problems.items.filter((p) => sources.some((s) => concerns(p, s))), [problems.items, sources]);
  const kept = useRef(found);
  const same = found.length === kept.current.length && found.every((p, i) => p.id === kept.current[i]?.id && p.effect === kept.current[i]?.effect);
  if (!same) kept.current = found;
  return kept.current;
}
