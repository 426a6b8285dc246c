/** Words and places of the traces room: fields that a filter may name, durations on a logarithmic scale, pods behind spans. */

import type { Span } from "./trace";

/** Fields that every span has, as the filter language calls them. */
export const SPAN_FIELDS = ["service", "name", "kind", "status", "duration", "cluster", "namespace", "workload", "pod", "container", "node", "trace_id", "span_id", "parent_id"] as const;

export interface Suggestion {
  readonly text: string;
  readonly note: string;
}

export interface Completion {
  readonly from: number;
  readonly to: number;
  readonly all: readonly Suggestion[];
}

const VALUES: Readonly<Record<string, readonly string[]>> = { status: ["error", "ok", "unset"], kind: ["server", "client", "producer", "consumer", "internal"], duration: ["100ms", "500ms", "1s", "5s"] };
const MOST = 12;

/** What may stand at the caret: a field, or a value of the field before its operator. */
export function completeSpans(text: string, at: number, known: { readonly services: readonly string[]; readonly operations: readonly string[] }): Completion | null {
  const before = text.slice(0, at);
  const value = /(?:^|[\s(])(-?[a-z_.]+)(:|=|!=|>=|<=|>|<)("[^"]*|[^\s()"]*)$/i.exec(before);
  if (value) {
    const [, name = "", , typed = ""] = value;
    const plain = typed.replace(/^"/, "").toLowerCase();
    const pool = name.endsWith("service") ? known.services : name.endsWith("name") ? known.operations : (VALUES[name.replace(/^-/, "")] ?? []);
    const all = pool.filter((v) => v.toLowerCase().includes(plain) && v.toLowerCase() !== plain).slice(0, MOST).map((v) => ({ text: /^[\w./-]+$/.test(v) ? v : `"${v.replace(/["\\]/g, "\\$&")}"`, note: name.replace(/^-/, "") }));
    return all.length === 0 ? null : { from: at - typed.length, to: at, all };
  }
  const word = /(?:^|[\s(])-?([a-z_.]*)$/i.exec(before);
  if (!word) return null;
  const typed = word[1] ?? "";
  const all = SPAN_FIELDS.filter((f) => f.startsWith(typed.toLowerCase()) && f !== typed).map((f) => ({ text: `${f}${f === "duration" ? ">" : "="}`, note: "field" }));
  return all.length === 0 ? null : { from: at - typed.length, to: at, all };
}

/** Where a duration stands between the shortest and the longest on a logarithmic scale, 0 to 1. */
export function logPlace(ns: number, least: number, most: number): number {
  if (most <= least || ns <= least) return 0;
  return Math.min(1, Math.log(Math.max(1, ns) / Math.max(1, least)) / Math.log(most / Math.max(1, least)));
}

/** Decades between two durations, ns: marks of a logarithmic axis. */
export function decades(least: number, most: number): readonly number[] {
  const first = Math.ceil(Math.log10(Math.max(1, least)));
  const last = Math.floor(Math.log10(Math.max(1, most)));
  return last < first ? [] : Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** ns as `5.09 s`, `184 ms`, `12.4 µs`, `90 ns`: three figures, since spans are compared. */
export function spanTime(ns: number): string {
  const three = (v: number): string => (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)).replace(/\.0+$|(\.\d*?)0+$/, "$1");
  if (ns < 1000) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${three(ns / 1000)} µs`;
  if (ns < 999_500_000) return `${three(ns / 1_000_000)} ms`;
  if (ns < 60_000_000_000) return `${three(ns / 1_000_000_000)} s`;
  const seconds = Math.round(ns / 1_000_000_000);
  return seconds < 3600 ? `${Math.floor(seconds / 60)} m ${seconds % 60} s` : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
}

/** The source of the span's own log lines, `cluster/namespace/Pod/name`; `null` when it came from no pod that is known. */
export const podSource = (s: Span): string | null => (s.cluster !== "" && s.namespace !== "" && s.pod !== "" ? `${s.cluster}/${s.namespace}/Pod/${s.pod}` : null);

/** What the exception of a span said: from its event, else from its status. */
export function failure(s: Span): { readonly type: string; readonly text: string } | null {
  const event = s.events.find((e) => e.name === "exception");
  if (event) return { type: String(event.attributes["exception.type"] ?? "exception"), text: String(event.attributes["exception.message"] ?? s.statusText) };
  return s.status === "error" ? { type: "error", text: s.statusText } : null;
}
