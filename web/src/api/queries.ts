/** What the screens ask of the server, each with its key, so that views share answers. */

import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { get } from "./client";
import { useChannel, useChannels } from "./live";
import type {
  Agent, AuditQuery, AuditRow, AuditVerified, AuthMethods, Cluster, ConnectCheck, Event, EventQuery, Json, Me, Object as KubeObject, ObjectDetail, ObjectMetrics, Page, PodField,
  LiveValue, ProblemRow, Summary,
} from "./types";

/** Lists come as pages; some short ones as plain arrays. */
export function itemsOf<T>(answer: Page<T> | readonly T[]): readonly T[] {
  return "items" in answer ? answer.items : answer;
}

type List<T> = Page<T> | readonly T[];

const FAST_MS = 5000;
const SLOW_MS = 15_000;

export const methodsQuery = queryOptions({ queryKey: ["methods"], queryFn: ({ signal }) => get<AuthMethods>("/auth/methods", {}, signal) });
export const meQuery = queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => get<Me>("/me", {}, signal), staleTime: 60_000, retry: false });

export const summaryQuery = (cluster?: string) =>
  queryOptions({ queryKey: ["summary", cluster], queryFn: ({ signal }) => get<Summary>("/summary", { cluster }, signal), refetchInterval: FAST_MS });

export const podFieldQuery = () =>
  queryOptions({ queryKey: ["podfield"], queryFn: ({ signal }) => get<List<PodField>>("/podfield", {}, signal).then(itemsOf), refetchInterval: FAST_MS });

/** A window that follows the present is named by its length, so that old answers stay while newer ones are asked for. */
function windowKey(start: number, end: number, follow: boolean): readonly (number | string)[] {
  return follow ? ["last", end - start] : [start, end];
}

/** The window to ask for now. */
function windowNow(start: number, end: number, follow: boolean): { start: number; end: number } {
  if (!follow) return { start, end };
  const now = Math.floor(Date.now() / SLOW_MS) * SLOW_MS;
  return { start: now - (end - start), end: now };
}

export const eventsQuery = (ask: EventQuery & { readonly from: number; readonly to: number }, follow = true) =>
  queryOptions({
    queryKey: ["events", { ...ask, from: null, to: null }, ...windowKey(ask.from, ask.to, follow)],
    queryFn: ({ signal }) => {
      const { start, end } = windowNow(ask.from, ask.to, follow);
      return get<Page<Event>>("/events", { ...ask, from: start, to: end + SLOW_MS }, signal);
    },
    refetchInterval: follow ? SLOW_MS : false,
    placeholderData: keepPreviousData,
  });

export const checksQuery = (cluster: string) =>
  queryOptions({
    queryKey: ["checks", cluster],
    queryFn: ({ signal }) => get<List<ConnectCheck>>(`/clusters/${encodeURIComponent(cluster)}/checks`, {}, signal).then(itemsOf),
    refetchInterval: 1000,
    enabled: cluster !== "",
  });

export const auditQuery = (ask: AuditQuery, follow: boolean) =>
  queryOptions({ queryKey: ["audit", ask], queryFn: ({ signal }) => get<Page<AuditRow>>("/audit", { ...ask }, signal), refetchInterval: follow ? SLOW_MS : false, placeholderData: keepPreviousData });

export const verifyQuery = queryOptions({ queryKey: ["audit-verify"], queryFn: ({ signal }) => get<AuditVerified>("/audit/verify", {}, signal), staleTime: SLOW_MS * 4 });

export type MetricsOf = "nodes" | "pods" | "workloads" | "containers" | "hosts";

export const metricsQuery = (of: MetricsOf, id: string, span: { start: number; end: number }, follow: boolean) =>
  queryOptions({
    queryKey: ["metrics", of, id, ...windowKey(span.start, span.end, follow)],
    queryFn: ({ signal }) => get<ObjectMetrics>(`/${of}/${encodeURIComponent(id)}/metrics`, windowNow(span.start, span.end, follow), signal),
    enabled: id !== "",
    placeholderData: keepPreviousData,
    refetchInterval: follow ? SLOW_MS : false,
  });

export const detailQuery = (kind: string, uid: string) =>
  queryOptions({
    queryKey: ["object", kind, uid],
    queryFn: ({ signal }) => get<ObjectDetail>(`/objects/${kind}/${encodeURIComponent(uid)}`, {}, signal),
    enabled: uid !== "",
    refetchInterval: SLOW_MS,
  });

const values = <T extends object>(items: ReadonlyMap<string, Json>): T[] => [...items.values()] as unknown[] as T[];

export interface Listing<T> {
  readonly items: readonly T[];
  readonly status: "loading" | "live" | "stale" | "denied";
  readonly at: number;
  readonly reason: string;
}

function useListing<T extends object>(channel: string): Listing<T> {
  const state = useChannel(channel);
  return useMemo(() => ({ items: values<T>(state.items), status: state.status, at: state.at, reason: state.reason }), [state]);
}

export function useClusters(): Listing<Cluster> {
  const list = useListing<Cluster>("clusters");
  return useMemo(() => ({ ...list, items: list.items.filter((c) => c.status !== "removed").sort((a, b) => (a.name < b.name ? -1 : 1)) }), [list]);
}

export const useAgents = (): Listing<Agent> => useListing<Agent>("agents");
export const useProblems = (): Listing<ProblemRow> => useListing<ProblemRow>("problems");

export const WORKLOAD_KINDS = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"] as const;

/** Objects of several kinds in several clusters, kept by the live channel. */
export function useObjects(clusterIds: readonly string[], kinds: readonly string[]): Listing<KubeObject> {
  return useObjectChannels(clusterIds.flatMap((id) => kinds.map((kind) => `objects:${id}/${kind}`)));
}

function useObjectChannels(names: readonly string[]): Listing<KubeObject> {
  const states = useChannels(names);
  return useMemo(() => {
    const answered = states.filter((s) => s.status !== "loading");
    const denied = states.filter((s) => s.status === "denied");
    const status = states.length > 0 && answered.length === 0 ? "loading" : states.length > 0 && denied.length === states.length ? "denied" : states.some((s) => s.status === "stale") ? "stale" : "live";
    return { items: states.flatMap((s) => values<KubeObject>(s.items)), status, at: Math.max(0, ...states.map((s) => s.at)), reason: denied[0]?.reason ?? "" };
  }, [states]);
}

export function useMe(): Me | undefined {
  return useQuery(meQuery).data;
}

/** A cluster that was never seen has nothing to watch. */
const known = (c: Cluster): boolean => c.status !== "waiting";

/** Objects of the clusters given; containers stand for pods and workloads on Docker hosts. */
export function useFleetObjects(clusters: readonly Cluster[], kinds: readonly string[]): Listing<KubeObject> {
  const names = clusters.filter(known).flatMap((c) => (c.kind === "kubernetes" ? kinds : c.kind === "docker" ? ["Container"] : []).map((kind) => `objects:${c.id}/${kind}`));
  return useObjectChannels(names);
}

export interface PodUsage {
  readonly cpu: number | null;
  readonly memory: number | null;
}

const POD_CPU = ["k8s.pod.cpu.usage", "container.cpu.usage"];
const POD_MEMORY = ["k8s.pod.memory.working_set", "container.memory.working_set"];

/** Newest CPU (cores) and working set (bytes) of pods by UID, and of Docker containers by id. */
export function usePodUsage(clusters: readonly Cluster[]): ReadonlyMap<string, PodUsage> {
  const states = useChannels(clusters.filter(known).map((c) => `metrics:${c.id}/${c.kind === "kubernetes" ? "pods" : "containers"}`));
  return useMemo(() => {
    const out = new Map<string, { cpu: number | null; memory: number | null }>();
    for (const state of states) {
      for (const v of values<LiveValue>(state.items)) {
        const cpu = POD_CPU.includes(v.metric);
        if (!cpu && !POD_MEMORY.includes(v.metric)) continue;
        const id = v.labels["k8s.pod.uid"] ?? v.labels["container.id"];
        if (id === undefined) continue;
        const entry = out.get(id) ?? { cpu: null, memory: null };
        if (cpu) entry.cpu = v.value;
        else entry.memory = v.value;
        out.set(id, entry);
      }
    }
    return out;
  }, [states]);
}
