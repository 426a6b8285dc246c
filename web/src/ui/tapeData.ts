/** What the tape shows in most rooms: changes and problems of the scope, and clusters that are silent. */

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { eventsQuery, useClusters, useProblems } from "../api/queries";
import type { Event } from "../api/types";
import { changesOf } from "../core/changes";
import type { TapeProps } from "./Tape";
import { useAskSpan, useScope } from "./view";

export interface ScopeEvents {
  readonly events: readonly Event[];
  readonly pending: boolean;
  readonly error: unknown;
  readonly more: boolean;
  readonly retry: () => void;
}

const MOST_CHANGES = 200;

/** Changes in the window and scope, newest first. */
export function useChanges(): ScopeEvents {
  const span = useAskSpan();
  const scope = useScope();
  const ask = { from: span.start, to: span.end, limit: MOST_CHANGES, cluster: scope.clusters.join(",") || null, namespace: scope.namespaces.join(",") || null };
  const changes = useQuery(eventsQuery({ ...ask, type: "change" }, span.live));
  const scaling = useQuery(eventsQuery({ ...ask, reason: "ScalingReplicaSet" }, span.live));
  const events = useMemo(() => changesOf(changes.data?.items ?? [], scaling.data?.items ?? []), [changes.data, scaling.data]);
  return {
    events,
    pending: changes.isPending || scaling.isPending,
    error: (changes.data ? null : changes.error) ?? (scaling.data ? null : scaling.error),
    more: Boolean(changes.data?.next ?? scaling.data?.next),
    retry: () => void Promise.all([changes.refetch(), scaling.refetch()]),
  };
}

export function useTape(): TapeProps {
  const { events } = useChanges();
  const problems = useProblems();
  const clusters = useClusters();
  const scope = useScope();
  const span = useAskSpan();
  return useMemo(() => {
    const inCluster = (name: string): boolean => scope.clusters.length === 0 || scope.clusters.includes(name);
    const inNamespace = (name: string): boolean => scope.namespaces.length === 0 || name === "" || scope.namespaces.includes(name);
    return {
      marks: events.map((e) => ({ at: e.at_ms, label: e.object_name })),
      bars: problems.items
        .filter((p) => inCluster(p.cluster) && inNamespace(p.object.namespace) && (p.state === "crit" || p.state === "warn"))
        .map((p) => ({ from: p.since_ms, kind: p.state === "crit" ? ("crit" as const) : ("warn" as const), label: `${p.object.name}: ${p.effect}` }))
        .sort((a, b) => (a.kind === b.kind ? b.from - a.from : a.kind === "warn" ? -1 : 1)),
      gaps: clusters.items
        .filter((c) => inCluster(c.name) && c.status === "disconnected" && typeof c.last_seen_ms === "number")
        .map((c) => ({ from: c.last_seen_ms ?? span.end, to: span.end, label: `${c.name} silent` })),
    };
  }, [events, problems, clusters, scope, span]);
}
