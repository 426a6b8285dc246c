/** One trace: waterfall with its critical path, the calls between its services, one span in full, and traces like it. */

import "./traces.css";

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";

import { callsOfDependencies, dependenciesQuery, msOfNs, spansOf, traceQuery, tracesQuery } from "../../api/traces";
import type { Trace as TraceAnswer } from "../../api/types";
import { equal } from "../../core/expr";
import { count, plural } from "../../core/format";
import { quantile } from "../../core/quantile";
import { podSource, spanTime } from "../../core/spans";
import { callsOf, criticalPath, fastSpans, onPath, rowsOf, treeOf } from "../../core/trace";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, copyText, Empty, Fault, Loading, Seg } from "../../ui/parts";
import { usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { useAskSpan, useCarried, useChangeView, useOrg, useView, windowText } from "../../ui/view";
import { huesOf } from "./hues";
import { MapView } from "./MapView";
import { Scatter } from "./Scatter";
import { SpanPane } from "./SpanPane";
import { Waterfall, type WaterfallHandle } from "./Waterfall";

const FAST = 0.01;
const ALIKE = 500;
const AROUND_MS = 300_000;
const NEAR_MS = 5000;
const MOST_SOURCES = 8;
const NONE: ReadonlySet<string> = new Set();

export function Trace() {
  const { id } = useParams({ strict: false }) as { id: string };
  const org = useOrg();
  const carried = useCarried();
  const view = useView();
  const tape = useTape();
  const answer = useQuery(traceQuery(id));
  const crumbs = <><Link className="crumb" to="/o/$org/traces" params={{ org }} search={{ ...carried, ...(view.q ? { q: view.q } : {}), sel: id } as never}><Icon name="waypoints" small />Traces</Link><CrumbSep /><Here>Trace {id.slice(0, 8)}</Here></>;
  if (answer.data && answer.data.spans.length > 0) return <Found trace={answer.data} crumbs={crumbs} />;
  return (
    <Frame title={`Trace ${id.slice(0, 8)}`} className="r-trace" crumbs={crumbs} tape={tape}>
      <div className="pane" style={{ gridColumn: "1 / -1", gridRow: "1 / -1" }}>
        {answer.isPending ? <Loading rows={14} what="the trace" /> : answer.error ? <Fault error={answer.error} what="the trace" retry={() => void answer.refetch()} /> : <Empty title="No span of this trace is stored">{answer.data?.incomplete?.join("; ") ?? "It was never sent here, or it is older than what is kept."}</Empty>}
      </div>
    </Frame>
  );
}

function Found({ trace, crumbs }: { readonly trace: TraceAnswer; readonly crumbs: React.ReactNode }) {
  const org = useOrg();
  const carried = useCarried();
  const view = useView();
  const change = useChangeView();
  const navigate = useNavigate();
  const tape = useTape();
  const span = useAskSpan();
  const phone = usePhone();
  const tree = useMemo(() => treeOf(spansOf(trace)), [trace]);
  const path = useMemo(() => onPath(criticalPath(tree)), [tree]);
  const hues = useMemo(() => huesOf(tree.services), [tree]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(NONE);
  const order = view.by === "service" ? "service" : "tree";
  const rows = useMemo(() => {
    if (order === "tree") return rowsOf(tree, folded);
    return rowsOf(tree, NONE).toSorted((a, b) => { const [x, y] = [tree.nodes[a]?.span, tree.nodes[b]?.span]; return (x?.service ?? "") < (y?.service ?? "") ? -1 : (x?.service ?? "") > (y?.service ?? "") ? 1 : (x?.start ?? 0) - (y?.start ?? 0); });
  }, [tree, folded, order]);
  const root = tree.nodes[tree.main]?.span;
  const wanted = useMemo(() => (view.sel === undefined ? -1 : tree.nodes.findIndex((n) => n.span.id === view.sel)), [tree, view.sel]);
  const chosen = wanted === -1 ? tree.main : wanted;
  const handle = useRef<WaterfallHandle>(null);
  const startMs = msOfNs(trace.start_ns);
  const alike = useQuery(tracesQuery({ q: root ? `${equal("service", root.service)} ${equal("name", root.name)}` : undefined, limit: ALIKE, ...span }));
  const dependencies = useQuery(dependenciesQuery(span));
  const own = useMemo(() => callsOf(tree), [tree]);
  const lit = useMemo(() => new Set(own.map((c) => `${c.parent}\n${c.child}`)), [own]);
  const known = dependencies.data ? callsOfDependencies(dependencies.data.items) : [];
  const map = known.some((c) => lit.has(`${c.parent}\n${c.child}`)) ? known : own.map((c) => ({ parent: c.parent, child: c.child, kind: "call", calls: c.calls, errors: c.errors, p95: c.longest }));
  const sources = useMemo(() => [...new Set(tree.nodes.flatMap((n) => podSource(n.span) ?? []))], [tree]);
  const fast = useMemo(() => fastSpans(tree, FAST), [tree]);

  const pick = (node: number): void => change({ sel: tree.nodes[node]?.span.id }, true);
  const goTo = (row: number): void => {
    const node = rows[Math.min(rows.length - 1, Math.max(0, row))];
    if (node === undefined) return;
    pick(node);
    handle.current?.show(rows.indexOf(node));
  };
  const fold = (node: number, want?: boolean): void => {
    const n = tree.nodes[node];
    if (!n || n.children.length === 0) return;
    setFolded((old) => {
      const next = new Set(old);
      if (want ?? !old.has(n.span.id)) next.add(n.span.id);
      else next.delete(n.span.id);
      return next;
    });
  };
  const error = (by: 1 | -1): void => {
    const start = rows.indexOf(chosen);
    for (let i = start + by; i >= 0 && i < rows.length; i += by) if (tree.nodes[rows[i] ?? -1]?.span.status === "error") return goTo(i);
  };
  const logs = { to: "/o/$org/logs" as const, params: { org }, search: { ...carried, src: sources.slice(0, MOST_SOURCES).join(","), q: equal("trace_id", trace.trace_id), t: windowText(startMs - AROUND_MS, startMs + trace.duration_ns / 1e6 + AROUND_MS) } as never };
  // Programs that write no trace ids have lines too: all of these pods, while the trace ran and a few seconds around.
  const around = { to: "/o/$org/logs" as const, params: { org }, search: { ...carried, src: sources.slice(0, MOST_SOURCES).join(","), t: windowText(Math.floor((startMs - NEAR_MS) / 1000) * 1000, Math.ceil((startMs + trace.duration_ns / 1e6 + NEAR_MS) / 1000) * 1000), c: new Date(startMs).toISOString() } as never };
  const pods = sources.length > MOST_SOURCES ? `the first ${MOST_SOURCES} of its ${sources.length} pods` : plural(sources.length, "pod");
  const at = rows.indexOf(chosen);
  useKeys({
    j: () => goTo(at + 1), k: () => goTo(at - 1), ArrowDown: () => goTo(at + 1), ArrowUp: () => goTo(at - 1),
    ArrowRight: () => fold(chosen, false),
    ArrowLeft: () => { const n = tree.nodes[chosen]; if (n && (n.children.length === 0 || folded.has(n.span.id)) && n.parent !== -1) goTo(rows.indexOf(n.parent)); else fold(chosen, true); },
    n: () => error(1), N: () => error(-1), f: () => setFolded(folded === fast ? NONE : fast),
    l: () => { if (sources.length > 0) void navigate(logs); },
    L: () => { if (sources.length > 0) void navigate(around); },
    y: () => void copyText(trace.trace_id, "the trace's id"),
    Escape: () => void navigate({ to: "/o/$org/traces", params: { org }, search: { ...carried, ...(view.q ? { q: view.q } : {}), sel: trace.trace_id } as never }),
  });
  return (
    <Frame
      title={`${root?.name ?? "Trace"} ${trace.trace_id.slice(0, 8)}`} className="r-trace" crumbs={crumbs} tape={{ ...tape, right: phone ? 12 : 424 }}
      truth={<>{trace.complete ? <span><Mark kind="ok" label="" /><b>{plural(trace.spans.length, "span")}</b>, none younger than 30 s</span> : <span><Mark kind="move" label="" /><b>{plural(trace.spans.length, "span")} so far</b>{trace.incomplete && trace.incomplete.length > 0 ? `, ${trace.incomplete.join("; ")}` : ", more may come"}</span>}{tree.skewed > 0 ? <span><Mark kind="unknown" label="" /><b>clocks</b> {plural(tree.skewed, "span")} before their parents</span> : null}</>}
      keys={[["j k", "span"], ["← →", "fold, open"], ["n N", "error"], ["f", "fold fast ones"], ["l L", "logs"], ["y", "copy id"]]}
    >
      <header className="pane hd0">
        <Mark kind={tree.errors > 0 ? "crit" : "ok"} size={15} label={tree.errors > 0 ? "has errors" : "no errors"} /><b className="name trunc" title={root?.name}>{root?.name ?? "no root"}</b><span className="mono t3 s12">{trace.trace_id}</span><Copy text={trace.trace_id} what="the trace's id" />
        <dl className="st0">
          <div><dt>Duration</dt><dd className={tree.errors > 0 ? "c-crit" : ""}>{spanTime(trace.duration_ns)}</dd></div>
          <Against durations={(alike.data?.items ?? []).map((t) => t.duration_ns)} own={trace.duration_ns} />
          <div><dt>Spans</dt><dd>{count(trace.spans.length)} in {plural(tree.services.length, "service")}</dd></div>
          <div><dt>Errors</dt><dd className={tree.errors > 0 ? "c-crit" : ""}>{count(tree.errors)}</dd></div>
          {tree.orphans > 0 ? <div><dt>Without parent</dt><dd className="c-warn">{count(tree.orphans)}</dd></div> : null}
          <div><dt>Began</dt><dd>{new Date(startMs).toISOString().slice(11, 23)} UTC</dd></div>
        </dl>
        <span className="sp" />
        {sources.length > 0 ? <><Link className="btn" {...logs} title={`Lines of ${pods} that name this trace`}><Icon name="scroll-text" />Logs <kbd>l</kbd></Link><Link className="btn quiet" {...around} title={`All lines of ${pods} while the trace ran, and ${NEAR_MS / 1000} s around it`}>Lines around it <kbd>L</kbd></Link></> : null}
      </header>
      <div className="split wf0">
        <section className="pane" aria-labelledby="h-wf">
          <div className="ph"><h2 id="h-wf">Waterfall</h2><Seg label="Order" value={order} options={[["tree", "Waterfall"], ["service", "By service"]]} onPick={(v) => change({ by: v === "tree" ? undefined : v })} /><span className="sp" /><span className="legend"><span><i className="cpl" />critical path</span><span><Mark kind="crit" label="" />error</span></span>{order === "tree" && fast.size > 0 ? <button type="button" className="btn quiet sm" aria-pressed={folded === fast} onClick={() => setFolded(folded === fast ? NONE : fast)}>{folded === fast ? "Open all" : "Fold fast spans"} <kbd>f</kbd></button> : null}</div>
          <Waterfall tree={tree} rows={rows} path={path} hues={hues} startMs={startMs} folded={order === "tree" ? folded : NONE} chosen={chosen} onPick={pick} onFold={(n) => fold(n)} handle={handle} />
        </section>
        <section className="pane" aria-labelledby="h-like">
          <div className="ph"><h2 id="h-like">Traces like this</h2><span className="n">{root ? `${root.service} ${root.name}, ` : ""}{alike.data ? `${count(alike.data.items.length)}${alike.data.next ? " newest" : ""} in the window` : alike.error ? "not known" : "asking"}</span><span className="sp" /><span className="legend"><span><Mark kind="crit" label="" />error</span><span><i className="dot0" />ok</span></span></div>
          {alike.error && !alike.data ? <Fault error={alike.error} what="traces like this" retry={() => void alike.refetch()} /> : <Scatter traces={alike.data?.items ?? []} marks={(tape.marks ?? []).map((m) => m.at)} chosen={trace.trace_id} onPick={(other) => void navigate({ to: "/o/$org/traces/$id", params: { org, id: other }, search: carried as never })} />}
        </section>
      </div>
      <div className="split right1">
        <section className="pane well" aria-labelledby="h-map">
          <div className="ph" style={{ background: "var(--panel)" }}><h2 id="h-map">Service map</h2><span className="n">{map === known ? "of the window, this trace lit" : "of this trace"}</span></div>
          <div className="pb mapbox" tabIndex={0} role="group" aria-label="Service map">{map.length === 0 ? <Empty title={`All in ${tree.services[0] ?? "one service"}`}>No service called another in this trace.</Empty> : <MapView calls={map} seconds={map === known ? (span.end - span.start) / 1000 : 0} focus={tree.nodes[chosen]?.span.service} lit={lit} hues={hues} onPick={(s) => { const i = rows.findIndex((r) => tree.nodes[r]?.span.service === s); if (i !== -1) goTo(i); }} />}</div>
        </section>
        <SpanPane tree={tree} node={chosen} traceId={trace.trace_id} startMs={startMs} critical={path.get(chosen)?.total ?? 0} hue={hues.get(tree.nodes[chosen]?.span.service ?? "") ?? "var(--s-rest)"} />
      </div>
    </Frame>
  );
}

const FEWEST_ALIKE = 10;

/** How this trace stands against the others of its kind, when there are enough to say. */
function Against({ durations, own }: { readonly durations: readonly number[]; readonly own: number }) {
  if (durations.length < FEWEST_ALIKE) return null;
  const times = (q: number): string => `${(own / Math.max(1, quantile(durations, q))).toLocaleString("en", { maximumSignificantDigits: 2 })}×`;
  return <div title={`of ${durations.length} traces like it in the window`}><dt>Against p50, p95</dt><dd>{times(0.5)}, {times(0.95)}</dd></div>;
}
