/** What deviates now, with its first cause; the pod field; the fleet; what changed. */

import "./overview.css";

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { summaryQuery, useClusters, useProblems } from "../../api/queries";
import type { Event, ProblemRow, Summary } from "../../api/types";
import { age, bytes, clock, cores, count, duration, moment, percent, plural, siParts } from "../../core/format";
import { badness, markOf } from "../../core/marks";
import { Frame, Here, ScopeCrumbs } from "../../ui/Frame";
import { Mark } from "../../ui/Mark";
import { Empty, Fault, Loading, Seg, Spark } from "../../ui/parts";
import { useChanges, useTape } from "../../ui/tapeData";
import { useChangeView, useNow, useScope, useView } from "../../ui/view";
import { Fleet } from "./Fleet";
import { PodFieldPane } from "./PodFieldPane";
import { Problems } from "./Problems";
import { useRing } from "./ring";

export function Overview() {
  const scope = useScope();
  const summary = useQuery(summaryQuery(scope.clusters.join(",") || undefined));
  const clusters = useClusters();
  const problems = useProblems();
  const tape = useTape();
  const shown = useMemo(
    () =>
      problems.items
        .filter((p) => (scope.clusters.length === 0 || scope.clusters.includes(p.cluster)) && (scope.namespaces.length === 0 || p.object.namespace === "" || scope.namespaces.includes(p.object.namespace)))
        .sort((a, b) => badness(markOf(a.state)) - badness(markOf(b.state)) || b.pods - a.pods || a.since_ms - b.since_ms),
    [problems.items, scope],
  );
  const inScope = clusters.items.filter((c) => scope.clusters.length === 0 || scope.clusters.includes(c.name));
  return (
    <Frame
      title="Overview"
      className="r-over"
      crumbs={<ScopeCrumbs><Here>Overview</Here></ScopeCrumbs>}
      tape={tape}
      truth={<Truth summary={summary.data} />}
      keys={[["j k", "move"], ["⏎", "open"], ["l", "logs"], ["Ctrl K", "palette"]]}
    >
      <Readouts summary={summary.data} problems={shown} error={summary.error} retry={() => void summary.refetch()} />
      <div className="split left">
        <ProblemsPane problems={shown} status={problems.status} reason={problems.reason} summary={summary.data} connected={clusters.items.length > 0} clustersKnown={clusters.status !== "loading"} />
        <PodFieldPane scope={scope} />
        <Fleet clusters={inScope} status={clusters.status} reason={clusters.reason} />
      </div>
      <div className="split side" style={{ gridTemplateRows: "minmax(0, 1fr)" }}>
        <Changes />
      </div>
    </Frame>
  );
}

function Truth({ summary }: { readonly summary: Summary | undefined }) {
  const now = useNow();
  if (!summary) return <span>asking</span>;
  const newest = summary.newest_ms;
  const oldest = summary.oldest_ms;
  return (
    <>
      <span><b>newest sample</b> {typeof newest === "number" ? duration(newest) : "none yet"}</span>
      {typeof oldest === "number" && oldest > 60_000 ? <span><Mark kind="unknown" /><b>oldest</b> {duration(oldest)}, {summary.oldest_source}</span> : null}
      <span title={clock(summary.updated_ms)}><b>data</b> {age(now - summary.updated_ms)} old</span>
    </>
  );
}

function Readout({ label, value, spark, title }: { readonly label: string; readonly value: React.ReactNode; readonly spark?: readonly (number | null)[]; readonly title?: string }) {
  return (
    <div className="rd" title={title}>
      <span className="l">{label}</span>
      <span className="v">{value}</span>
      <span>{spark ? <Spark values={spark} width={46} /> : null}</span>
    </div>
  );
}

const NOTHING = <small>no data</small>;

function Readouts({ summary, problems, error, retry }: { readonly summary: Summary | undefined; readonly problems: readonly ProblemRow[]; readonly error: unknown; readonly retry: () => void }) {
  const ring = useRing(summary);
  const since = "drawn since this page was opened";
  if (!summary) {
    return <section className="reads" aria-label="Readouts" style={{ gridTemplateColumns: "1fr" }}><div className="pane">{error ? <div className="row" style={{ padding: "0 12px", flex: 1 }}><Mark kind="crit" /><span>The summary could not be read: <span className="quote">{error instanceof Error ? error.message : String(error)}</span></span><button type="button" className="btn" onClick={retry}>Try again</button></div> : null}</div></section>;
  }
  const of = (state: string): number => problems.filter((p) => p.state === state).length;
  const part = (used: number | null | undefined, all: number | null | undefined) => (typeof used === "number" && all ? percent(used / all) : null);
  const lines = typeof summary.log_lines_per_s === "number" ? siParts(summary.log_lines_per_s) : null;
  const samples = typeof summary.samples_per_s === "number" ? siParts(summary.samples_per_s) : null;
  return (
    <section className="reads" aria-label="Readouts">
      <Readout label="Problems" value={problems.length === 0 ? <span>none</span> : <>{(["crit", "warn", "unknown"] as const).map((kind) => (of(kind) === 0 ? null : <span key={kind}><Mark kind={kind} size={13} />{of(kind)}</span>))}</>} />
      <Readout label="Pods ready" title={since} value={<>{count(summary.pods_ready)} <small>/ {count(summary.pods)}</small></>} spark={ring.map((s) => s.pods_ready)} />
      <Readout label="Nodes ready" title={since} value={<>{count(summary.nodes_ready)} <small>/ {count(summary.nodes)}</small></>} spark={ring.map((s) => s.nodes_ready)} />
      <Readout label="CPU used" title={since} value={part(summary.cpu_used, summary.cpu_allocatable) === null ? NOTHING : <>{cores(summary.cpu_used ?? 0)} <small>of {cores(summary.cpu_allocatable ?? 0)}</small></>} spark={ring.map((s) => s.cpu_used ?? null)} />
      <Readout label="Memory used" title={since} value={part(summary.memory_used, summary.memory_allocatable) === null ? NOTHING : <>{bytes(summary.memory_used ?? 0)}</>} spark={ring.map((s) => s.memory_used ?? null)} />
      <Readout label="Samples" title={since} value={samples ? <>{samples[0]} <small>{samples[1]}/s</small></> : NOTHING} spark={ring.map((s) => s.samples_per_s ?? null)} />
      <Readout label="Log lines" title={since} value={lines ? <>{lines[0]} <small>{lines[1]}/s</small></> : NOTHING} spark={ring.map((s) => s.log_lines_per_s ?? null)} />
    </section>
  );
}

interface ProblemsPaneProps {
  readonly problems: readonly ProblemRow[];
  readonly status: string;
  readonly reason: string;
  readonly summary: Summary | undefined;
  readonly connected: boolean;
  readonly clustersKnown: boolean;
}

function ProblemsPane({ problems, status, reason, summary, connected, clustersKnown }: ProblemsPaneProps) {
  const view = useView();
  const change = useChangeView();
  const by = view.by === "cluster" ? "cluster" : "cause";
  const of = (state: string): number => problems.filter((p) => p.state === state).length;
  const sorted = by === "cluster" ? [...problems].sort((a, b) => (a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0)) : problems;
  return (
    <section className="pane" aria-labelledby="h-problems">
      <div className="ph">
        <h2 id="h-problems">Problems</h2>
        <span className="n">{problems.length === 0 ? "" : [["crit", "critical"], ["warn", "warning"], ["unknown", "unknown"]].filter(([k]) => of(k ?? "") > 0).map(([k, word]) => `${of(k ?? "")} ${word ?? ""}`).join(" · ")}</span>
        {status === "stale" ? <span className="chip"><Mark kind="unknown" />not live now</span> : null}
        <span className="sp" />
        <Seg label="Group by" value={by} options={[["cause", "By cause"], ["cluster", "By cluster"]]} onPick={(v) => change({ by: v === "cause" ? undefined : v })} />
      </div>
      {status === "loading" ? <Loading rows={5} what="problems" /> : status === "denied" ? <Fault error={new Error(reason)} what="problems" /> : problems.length > 0 ? <Problems problems={sorted} /> : (
        <Empty title={connected || !clustersKnown ? "Nothing deviates" : "No cluster is connected yet"}>
          {connected ? `${[[summary?.pods ?? 0, "pod"], [summary?.nodes ?? 0, "node"], [summary?.hosts ?? 0, "host"]].filter(([n]) => n !== 0).map(([n, word]) => plural(Number(n), String(word))).join(", ")}: as they should be.` : "Connect one with a single command; its agents dial out, nothing listens in it."}
        </Empty>
      )}
    </section>
  );
}

const MOST_CHANGES = 40;

function Changes() {
  const { events, pending, error, retry, more } = useChanges();
  const now = useNow();
  const [all, setAll] = useState(false);
  const shown = all ? events : events.slice(0, MOST_CHANGES);
  return (
    <section className="pane" aria-labelledby="h-changes">
      <div className="ph"><h2 id="h-changes">Changes</h2><span className="n">in this window{events.length > 0 ? ` · ${events.length}${more ? " newest" : ""}` : ""}</span></div>
      <div className="pb">
        {pending ? <Loading rows={6} what="changes" /> : error ? <Fault error={error} what="changes" retry={retry} /> : events.length === 0 ? <Empty title="Nothing was changed">No rollout, scaling or edit was seen in this window and scope.</Empty> : null}
        {shown.map((e) => <Change key={e.uid} event={e} now={now} />)}
        {shown.length < events.length ? <button type="button" className="opt link" onClick={() => setAll(true)}>{events.length - shown.length} more</button> : null}
      </div>
    </section>
  );
}

function Change({ event, now }: { readonly event: Event; readonly now: number }) {
  return (
    <div className="chg">
      <time dateTime={new Date(event.at_ms).toISOString()}>{moment(event.at_ms, now)}</time>
      <div style={{ minWidth: 0 }}>
        <div className="row g6"><span className="strong trunc">{event.object_name}</span><span className="t3 trunc">{event.namespace ? `${event.namespace} · ` : ""}{event.cluster}</span><span className="sp" /><Mark kind="hand" label="change" /></div>
        <div className="w trunc" title={event.message}>{event.message || event.reason}</div>
      </div>
    </div>
  );
}

