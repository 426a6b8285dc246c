/** The service of a line's pod, as its spans name it, and the traces around the line. */

import type { QueryClient } from "@tanstack/react-query";

import { spansOf, traceQuery, tracesQuery } from "../../api/traces";
import type { LogSource } from "../../api/types";
import { equal } from "../../core/expr";
import { windowText } from "../../ui/view";

/** Spans of the pod are looked for so far around the line. */
const NEAR_MS = 15 * 60_000;
/** Traces are shown so far around the line: a request logs while it runs. */
export const AROUND_MS = 5000;

const podFilter = (s: LogSource): string => [equal("cluster", s.cluster), equal("namespace", s.namespace), equal("pod", s.pod)].join(" ");

/** The service that spans of the pod near that moment name; `null` when none is stored. */
export async function serviceOf(client: QueryClient, source: LogSource, at: number): Promise<string | null> {
  const found = await client.fetchQuery(tracesQuery({ q: podFilter(source), limit: 1, start: at - NEAR_MS, end: at + NEAR_MS, live: false }));
  const id = found.items[0]?.trace_id;
  if (id === undefined) return null;
  const trace = await client.fetchQuery(traceQuery(id));
  return spansOf(trace).find((s) => s.pod === source.pod && s.namespace === source.namespace && s.cluster === source.cluster)?.service ?? null;
}

/** Filter, window and cursor of the traces room. Without a service the workload, else the pod, stands for it. */
export function tracesAround(source: LogSource, service: string | null, at: number): { readonly q: string; readonly t: string; readonly c: string; readonly in: string; readonly ns: string | undefined } {
  const who = service !== null ? equal("service", service) : source.workload !== "" ? equal("workload", source.workload) : equal("pod", source.pod);
  const second = (ms: number, to: (n: number) => number): number => to(ms / 1000) * 1000;
  return { q: who, t: windowText(second(at - AROUND_MS, Math.floor), second(at + AROUND_MS, Math.ceil)), c: new Date(at).toISOString(), in: source.cluster, ns: source.namespace || undefined };
}
