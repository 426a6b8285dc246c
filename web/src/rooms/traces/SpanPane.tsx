/** One span in full: what failed, its attributes, events, links, where it ran, the log lines of its trace, and ways on. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { msOfNs, traceLinesQuery } from "../../api/traces";
import type { Json, TraceLine } from "../../api/types";
import { equal } from "../../core/expr";
import { clock, duration, moment, percent, plural } from "../../core/format";
import { failure, podSource, spanTime } from "../../core/spans";
import type { SpanTree } from "../../core/trace";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, copyText, Empty, Fault, Loading } from "../../ui/parts";
import { useChanges } from "../../ui/tapeData";
import { useCarried, useChangeView, useNow, useOrg, useView, windowText } from "../../ui/view";

const TABS = ["attributes", "events", "logs", "resource"] as const;
const AROUND_MS = 300_000;

interface SpanPaneProps {
  readonly tree: SpanTree;
  readonly node: number;
  readonly traceId: string;
  readonly startMs: number;
  /** ns of the critical path that this span alone accounts for. */
  readonly critical: number;
  readonly hue: string;
}

export function SpanPane({ tree, node, traceId, startMs, critical, hue }: SpanPaneProps) {
  const view = useView();
  const change = useChangeView();
  const n = tree.nodes[node];
  if (!n) return <section className="pane" aria-label="Span"><Empty title="No span is chosen" /></section>;
  const { span: s } = n;
  const tab = TABS.find((t) => t === view.tab) ?? "attributes";
  const attributes = Object.entries(s.attributes);
  const failed = failure(s);
  const counts = { attributes: attributes.length, events: s.events.length + s.links.length, logs: null, resource: Object.keys(s.resource).length };
  return (
    <section className="pane spn" aria-labelledby="h-span">
      <div className="ph"><i className="hue0" style={{ background: hue }} /><h2 id="h-span" className="trunc">{s.name}</h2><span className="n">{s.service}, {spanTime(s.duration)}</span><span className="sp" /><button type="button" className="btn quiet icon" aria-label="Copy link to this span" onClick={() => { const url = new URL(location.href); url.searchParams.set("sel", s.id); void copyText(url.href, "the link to this span"); }}><Icon name="link" /></button></div>
      <div className="pb" tabIndex={0} role="group" aria-label="The span in full">
        <div className="says">
          {failed ? <div className="note crit"><Mark kind="crit" label="" /><div style={{ minWidth: 0 }}><b className="strong">{failed.type}</b> {failed.text === "" ? null : <span className="quote">{failed.text}</span>}</div></div> : null}
          {n.orphan ? <div className="note warn"><Mark kind="warn" label="" /><div>It names the parent <span className="mono">{s.parent}</span>, which is not stored: lost, left out by sampling, or not arrived yet.</div></div> : null}
          {n.early > 0 ? <div className="note"><Mark kind="unknown" label="" /><div>It begins {spanTime(n.early)} before its parent. The two clocks differ by at least that, or the parent is the wrong one. Nothing is shifted here.</div></div> : null}
          {n.late > 0 ? <div className="note"><Mark kind="unknown" label="" /><div>It ends {spanTime(n.late)} after its parent: work that goes on behind the call, or clocks that differ.</div></div> : null}
          <p className="t2 s12">{critical > 0 ? `${percent(critical / Math.max(1, tree.duration))} of the trace is spent here alone (${spanTime(critical)}).` : "Not on the critical path: the trace would be no shorter without it."}</p>
        </div>
        <Ways traceId={traceId} tree={tree} node={node} startMs={startMs} />
        <div className="tabs" role="tablist" aria-label="Parts of the span">
          {TABS.map((t) => <button type="button" role="tab" key={t} aria-selected={t === tab} onClick={() => change({ tab: t === "attributes" ? undefined : t }, true)}>{t === "attributes" ? "Attributes" : t === "events" ? "Events" : t === "logs" ? "Logs" : "Resource"} <span className="n">{counts[t] ?? ""}</span></button>)}
        </div>
        {tab === "attributes" ? <><Pairs pairs={attributes} empty="The span has no attributes." /><Facts span={s} parent={tree.nodes[n.parent]?.span.name ?? null} startMs={startMs} /></> : tab === "resource" ? <Pairs pairs={Object.entries(s.resource)} empty="The span's resource has no attributes." /> : tab === "events" ? <Events node={n.span} startMs={startMs} /> : <Lines traceId={traceId} from={Math.floor(startMs)} to={Math.ceil(startMs + tree.duration / 1e6)} spanId={s.id} />}
        <AtTheSameMoment at={startMs + s.start / 1e6} />
      </div>
    </section>
  );
}

function Ways({ traceId, tree, node, startMs }: { readonly traceId: string; readonly tree: SpanTree; readonly node: number; readonly startMs: number }) {
  const org = useOrg();
  const carried = useCarried();
  const s = tree.nodes[node]?.span;
  if (!s) return null;
  const at = startMs + s.start / 1e6;
  const moved = { ...carried, t: windowText(at - AROUND_MS, at + s.duration / 1e6 + AROUND_MS), c: new Date(at).toISOString() };
  const pod = podSource(s);
  return (
    <div className="row wrap0" style={{ gap: 5, padding: "0 12px 9px" }}>
      {pod ? <Link className="btn" to="/o/$org/logs" params={{ org }} search={{ ...moved, src: pod } as never}><Icon name="scroll-text" />Logs of the pod</Link> : null}
      {s.cluster !== "" && s.namespace !== "" ? <Link className="btn" to="/o/$org/metrics" params={{ org }} search={{ ...moved, in: s.cluster, ns: s.namespace, board: "namespace-pods" } as never}><Icon name="chart-spline" />Metrics</Link> : null}
      {pod ? <Link className="btn" to="/o/$org/workloads/$cluster/$namespace/$kind/$name" params={{ org, cluster: s.cluster, namespace: s.namespace, kind: "pod", name: s.pod }} search={moved as never}><Icon name="boxes" />Pod</Link> : null}
      <Link className="btn" to="/o/$org/traces" params={{ org }} search={{ ...carried, q: `${equal("service", s.service)} ${equal("name", s.name)}`, sel: traceId } as never}>Like it</Link>
    </div>
  );
}

const textOf = (v: Json): string => (typeof v === "string" ? v : JSON.stringify(v));
const kindOf = (v: Json): string => (typeof v === "string" ? (/^\[?masked|^«|^\*{3}/i.test(v) ? "redact" : "string") : "number");

function Pairs({ pairs, empty }: { readonly pairs: readonly (readonly [string, Json])[]; readonly empty: string }) {
  if (pairs.length === 0) return <p className="t3 s12" style={{ padding: "8px 12px" }}>{empty}</p>;
  return <dl className="kv mono">{pairs.map(([k, v]) => <div key={k}><dt title={k}>{k}</dt><dd className={kindOf(v)}>{textOf(v)}<Copy text={textOf(v)} what={k} /></dd></div>)}</dl>;
}

function Facts({ span: s, parent, startMs }: { readonly span: NonNullable<SpanTree["nodes"][number]>["span"]; readonly parent: string | null; readonly startMs: number }) {
  const place = [s.cluster, s.namespace, s.workload !== "" ? `${s.workloadKind} ${s.workload}` : "", s.pod, s.container].filter((p) => p.trim() !== "");
  return (
    <>
      <div className="ph bt"><h2>Span</h2></div>
      <dl className="dl" style={{ padding: "7px 12px" }}>
        <dt>Id</dt><dd className="mono row g4">{s.id}<Copy text={s.id} what="the span's id" /></dd>
        <dt>Parent</dt><dd>{s.parent === null ? "none: a root" : (parent ?? <span className="mono">{s.parent}, not stored</span>)}</dd>
        <dt>Kind</dt><dd>{s.kind}</dd><dt>Status</dt><dd className={s.status === "error" ? "c-crit" : ""}>{s.status}{s.statusText ? `: ${s.statusText}` : ""}</dd>
        <dt>Began</dt><dd>{new Date(startMs + s.start / 1e6).toISOString()}, {spanTime(s.start)} into the trace</dd>
        {place.length > 0 ? <><dt>Where</dt><dd>{place.join(" / ")}{s.node ? ` on ${s.node}` : ""}</dd></> : null}
        {s.scope ? <><dt>Library</dt><dd>{s.scope}</dd></> : null}
      </dl>
    </>
  );
}

function Events({ node: s, startMs }: { readonly node: NonNullable<SpanTree["nodes"][number]>["span"]; readonly startMs: number }) {
  const org = useOrg();
  const carried = useCarried();
  if (s.events.length === 0 && s.links.length === 0) return <p className="t3 s12" style={{ padding: "8px 12px" }}>The span has neither events nor links.</p>;
  return (
    <>
      {s.events.map((e, i) => <div className="evt0" key={i}><div className="row"><Mark kind={e.name === "exception" ? "crit" : "move"} label="" /><b className="strong">{e.name}</b><span className="t3 tn">{clock(startMs + e.at / 1e6)}, {spanTime(e.at - s.start)} in</span></div><Pairs pairs={Object.entries(e.attributes)} empty="" /></div>)}
      {s.links.map((l, i) => <div className="evt0" key={`l${i}`}><div className="row"><Icon name="link" small /><Link className="link mono" to="/o/$org/traces/$id" params={{ org, id: l.traceId }} search={{ ...carried, sel: l.spanId } as never}>{l.traceId}</Link></div><Pairs pairs={Object.entries(l.attributes)} empty="" /></div>)}
    </>
  );
}

const LEVEL: Readonly<Record<string, string>> = { fatal: "FTL", error: "ERR", warn: "WRN", info: "INF", debug: "DBG", trace: "TRC" };

function Lines({ traceId, from, to, spanId }: { readonly traceId: string; readonly from: number; readonly to: number; readonly spanId: string }) {
  const answer = useQuery(traceLinesQuery(traceId, from, to));
  if (answer.isPending) return <Loading rows={5} what="the lines of the trace" />;
  if (answer.error && !answer.data) return <Fault error={answer.error} what="the lines of the trace" retry={() => void answer.refetch()} />;
  const all = answer.data?.items ?? [];
  if (all.length === 0) return <Empty title="No stored line names this trace">Lines belong to a trace when they were sent with its id. What is only in files is found in the logs of the pod.</Empty>;
  const own = all.filter((l) => l.span_id === spanId).length;
  return (
    <div className="tlines">
      <p className="t3 s11" style={{ padding: "5px 12px 2px" }}>{plural(all.length, "line")} of the trace, oldest first; {own === 0 ? "none of this span" : `${own} of this span lit`}{answer.data?.next ? "; there are more" : ""}{(answer.data?.incomplete ?? []).map((i) => `; ${i}`)}</p>
      {all.map((l, i) => <Line key={i} line={l} lit={l.span_id === spanId} />)}
    </div>
  );
}

function Line({ line: l, lit }: { readonly line: TraceLine; readonly lit: boolean }) {
  const org = useOrg();
  const carried = useCarried();
  const at = msOfNs(l.ts_ns);
  const body = <><span className="t3">{clock(at)}.{String(Math.floor(at % 1000)).padStart(3, "0")}</span><span style={{ color: `var(--lv-${l.level === "unknown" ? "info" : l.level})` }}>{LEVEL[l.level] ?? "   "}</span><span className="m" title={`${l.service}${l.pod ? ` · ${l.pod}` : ""}`}>{l.message}</span></>;
  const src = l.cluster !== "" && l.namespace !== "" && l.pod !== "" ? `${l.cluster}/${l.namespace}/Pod/${l.pod}${l.container ? `/${l.container}` : ""}` : null;
  if (src === null) return <div className={`tl0${lit ? " lit" : ""}`}>{body}</div>;
  return <Link className={`tl0${lit ? " lit" : ""}`} to="/o/$org/logs" params={{ org }} search={{ ...carried, src, t: windowText(at - AROUND_MS, at + AROUND_MS), c: new Date(at).toISOString() } as never}>{body}</Link>;
}

/** What was changed shortly before and after: the usual suspects. */
function AtTheSameMoment({ at }: { readonly at: number }) {
  const { events } = useChanges();
  const now = useNow();
  const near = events.filter((e) => Math.abs(e.at_ms - at) <= AROUND_MS).sort((a, b) => Math.abs(a.at_ms - at) - Math.abs(b.at_ms - at)).slice(0, 6);
  return (
    <>
      <div className="ph bt"><h2>At the same moment</h2><span className="n">changes within 5 minutes</span></div>
      {near.length === 0 ? <p className="t3 s12" style={{ padding: "6px 12px 9px" }}>None was seen in this scope and window.</p> : near.map((e) => <div className="row" style={{ padding: "4px 12px" }} key={e.uid}><Mark kind="hand" label="change" /><span className="strong">{e.object_name}</span><span className="t2 trunc">{e.message || e.reason}</span><span className="sp" /><span className="t3 s11 nowrap" title={moment(e.at_ms, now)}>{duration(Math.abs(e.at_ms - at))} {e.at_ms <= at ? "before" : "after"}</span></div>)}
    </>
  );
}
