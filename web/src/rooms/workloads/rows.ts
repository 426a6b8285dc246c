/** Rows of the workload list: objects joined with their pods, usage of the tightest pod, order and filters. */

import type { PodUsage } from "../../api/queries";
import type { Cluster, Container, Object as KubeObject } from "../../api/types";
import { passes } from "../../core/list";
import { axes, badness, markOf, type Mark } from "../../core/marks";

/** Use of one resource in the pod that is nearest to its limit. */
export interface Tightest {
  readonly used: number | null;
  readonly requested: number | null;
  readonly limit: number | null;
}

export interface WorkloadRow {
  readonly object: KubeObject;
  readonly state: Mark;
  readonly pods: readonly KubeObject[];
  readonly restarts: number;
  readonly cpu: Tightest;
  readonly memory: Tightest;
  /** The cluster is not connected: what is shown is old. */
  readonly stale: boolean;
  readonly changedMs: number | null;
}

const sum = (containers: readonly Container[], of: (c: Container) => number | null | undefined): number | null => {
  let total: number | null = null;
  for (const c of containers) {
    const value = of(c);
    if (typeof value === "number" && (c.role === "main" || c.role === "sidecar")) total = (total ?? 0) + value;
  }
  return total;
};

/** Only a limit on every container limits the pod. */
const limitOf = (containers: readonly Container[], of: (c: Container) => number | null | undefined): number | null =>
  containers.filter((c) => c.role === "main" || c.role === "sidecar").every((c) => typeof of(c) === "number") ? sum(containers, of) : null;

/** Requests, limits and use of one pod. */
export function podResources(pod: KubeObject, usage: ReadonlyMap<string, PodUsage>): { cpu: Tightest; memory: Tightest } {
  const used = usage.get(pod.uid);
  const containers = pod.containers ?? [];
  return {
    cpu: { used: used?.cpu ?? null, requested: sum(containers, (c) => c.cpu_request), limit: limitOf(containers, (c) => c.cpu_limit) },
    memory: { used: used?.memory ?? null, requested: sum(containers, (c) => c.memory_request), limit: limitOf(containers, (c) => c.memory_limit) },
  };
}

export function tightest(all: readonly Tightest[]): Tightest {
  const share = (t: Tightest): number => (t.used === null ? -1 : t.used / (t.limit ?? t.requested ?? Number.POSITIVE_INFINITY));
  let best: Tightest = { used: null, requested: null, limit: null };
  for (const t of all) if (best.used === null || share(t) > share(best) || (share(t) === share(best) && (t.used ?? 0) > (best.used ?? 0))) best = t;
  return best;
}

export const restartsOf = (pod: KubeObject): number => (pod.containers ?? []).reduce((n, c) => n + c.restarts, 0);

export interface Inputs {
  readonly objects: readonly KubeObject[];
  readonly clusters: readonly Cluster[];
  readonly usage: ReadonlyMap<string, PodUsage>;
}

/** Joins and sorts: worst first, then by name. Jobs of a CronJob are left to it; a pod whose workload may not be seen stands for itself. */
export function rows({ objects, clusters, usage }: Inputs): WorkloadRow[] {
  const keyOf = (cluster: string, w: { kind: string; namespace: string; name: string }): string => `${cluster}/${w.namespace}/${w.kind}/${w.name}`;
  const seen = new Set(objects.filter((o) => o.kind !== "Pod").map((o) => keyOf(o.cluster_id, o)));
  const stands = (o: KubeObject): boolean => o.kind === "Pod" && (!o.workload || !seen.has(keyOf(o.cluster_id, o.workload)));
  const podsOf = new Map<string, KubeObject[]>();
  for (const o of objects) {
    if (o.kind !== "Pod" || !o.workload) continue;
    const key = keyOf(o.cluster_id, o.workload);
    const list = podsOf.get(key);
    if (list) list.push(o);
    else podsOf.set(key, [o]);
  }
  const silent = new Set(clusters.filter((c) => c.status !== "connected").map((c) => c.id));
  const out: WorkloadRow[] = [];
  for (const object of objects) {
    const bare = stands(object);
    if ((object.kind === "Pod" && !bare) || (object.kind === "Job" && object.workload)) continue;
    const pods = bare || object.kind === "Container" ? [object] : (podsOf.get(keyOf(object.cluster_id, object)) ?? []);
    const resources = pods.map((p) => podResources(p, usage));
    const pair = axes(object.health);
    const worse = badness(pair.available) < badness(pair.converged) ? pair.available : pair.converged;
    const state = markOf(object.health.state);
    const stale = silent.has(object.cluster_id);
    const changed = Number(object.columns["changed_ms"]);
    out.push({
      object,
      state: stale ? "unknown" : state === "unknown" ? worse : state,
      pods,
      restarts: pods.reduce((n, p) => n + restartsOf(p), 0),
      cpu: tightest(resources.map((r) => r.cpu)),
      memory: tightest(resources.map((r) => r.memory)),
      stale,
      changedMs: Number.isFinite(changed) && changed > 0 ? changed : null,
    });
  }
  return out.sort(byTrouble);
}

const by = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function byTrouble(a: WorkloadRow, b: WorkloadRow): number {
  return badness(a.state) - badness(b.state) || by(a.object.name, b.object.name) || by(a.object.namespace, b.object.namespace) || by(a.object.cluster, b.object.cluster);
}

export interface Filters {
  readonly text: string;
  readonly state: readonly string[];
  readonly kind: readonly string[];
  readonly clusters: readonly string[];
  readonly namespaces: readonly string[];
}

/** Words all have to stand in name, kind, namespace, cluster, image or node; `-word` must not. */
export function matchesText(row: WorkloadRow, text: string): boolean {
  const hay = [row.object.name, row.object.kind, row.object.namespace, row.object.cluster, row.object.columns["images"] ?? "", row.object.columns["node"] ?? ""].join(" ").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== "" && w !== "-")
    .every((w) => (w.startsWith("-") ? !hay.includes(w.slice(1)) : hay.includes(w)));
}

/** Which filters a row passes; `but` leaves one out, for the counts of its own facet. */
export function keeps(row: WorkloadRow, f: Filters, but?: keyof Filters): boolean {
  return (
    (but === "text" || matchesText(row, f.text)) &&
    (but === "state" || passes(f.state, row.state)) &&
    (but === "kind" || passes(f.kind, row.object.kind)) &&
    (but === "clusters" || passes(f.clusters, row.object.cluster)) &&
    (but === "namespaces" || passes(f.namespaces, row.object.namespace || "none"))
  );
}

export const SORTS = ["trouble", "name", "restarts", "cpu", "memory", "age"] as const;
export type Sort = (typeof SORTS)[number];

export function sorted(list: readonly WorkloadRow[], sort: Sort): readonly WorkloadRow[] {
  const share = (t: Tightest): number => (t.used === null ? -1 : t.limit ? t.used / t.limit : 0);
  switch (sort) {
    case "name":
      return [...list].sort((a, b) => by(a.object.name, b.object.name) || byTrouble(a, b));
    case "restarts":
      return [...list].sort((a, b) => b.restarts - a.restarts || byTrouble(a, b));
    case "cpu":
      return [...list].sort((a, b) => share(b.cpu) - share(a.cpu) || byTrouble(a, b));
    case "memory":
      return [...list].sort((a, b) => share(b.memory) - share(a.memory) || byTrouble(a, b));
    case "age":
      return [...list].sort((a, b) => (b.object.created_ms ?? 0) - (a.object.created_ms ?? 0) || byTrouble(a, b));
    case "trouble":
      return list;
  }
}
