/** Traces: filter over spans, the traces that pass, newest first, as list and as points, and the service map of the window. */

import "./traces.css";

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Fragment, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

import { callsOfDependencies, dependenciesQuery, msOfNs, servicesQuery, TRIED_MOST, tracesQuery } from "../../api/traces";
import type { Service, TraceSummary } from "../../api/types";
import { also, asks, equal, flip, only } from "../../core/expr";
import { clock, count, moment, plural } from "../../core/format";
import { spanTime } from "../../core/spans";
import { Frame, Here, ScopeCrumbs } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { Copy, Empty, Fault, Loading } from "../../ui/parts";
import { useMedia, usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { useAskSpan, useCarried, useChangeView, useNow, useOrg, useScope, useView } from "../../ui/view";
import { FilterBox } from "./FilterBox";
import { huesOf } from "./hues";
import { MapView } from "./MapView";
import { Scatter } from "./Scatter";

const FEW = 100;
const MOST = 1000;
const HEAD_PX = 24;
const ROW_PX = 26;
const TOUCH_ROW_PX = 44;
const SETTLE_MS = 400;

/** The text once it has rested, so that half a word is not asked for; at once when it was run. */
function useSettled(text: string): readonly [string, () => void] {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return [settled, () => setSettled(text)];
}

/** Begins with a brace, perhaps after parentheses: the server reads it as TraceQL. */
function isTraceQl(text: string): boolean {
  return /^[\s(]*\{/.test(text);
}

/** The filter with the namespaces of the scope. A selector in braces stands alone and is not narrowed. */
function scoped(text: string, namespaces: readonly string[]): string {
  if (namespaces.length === 0 || isTraceQl(text)) return text;
  return also(text, namespaces.length === 1 ? equal("namespace", namespaces[0] ?? "") : `namespace:(${namespaces.map((n) => `"${n}"`).join(" or ")})`);
}

export function Traces() {
  const view = useView();
  const change = useChangeView();
  const scope = useScope();
  const span = useAskSpan();
  const org = useOrg();
  const carried = useCarried();
  const navigate = useNavigate();
  const tape = useTape();
  const phone = usePhone();
  const text = view.q ?? "";
  const [settled, run] = useSettled(text);
  const limit = view.most === String(MOST) ? MOST : FEW;
  const answer = useQuery(tracesQuery({ q: scoped(settled, scope.namespaces) || undefined, cluster: scope.clusters.join(",") || undefined, limit, ...span }));
  const services = useQuery(servicesQuery(span));
  const dependencies = useQuery(dependenciesQuery(span));
  const page = useDeferredValue(answer.data);
  const sort = view.sort === "longest" || view.sort === "spans" || view.sort === "errors" ? view.sort : "newest";
  const shown = useMemo(() => sorted(page?.items ?? [], sort), [page, sort]);
  const hues = useMemo(() => huesOf([...(services.data?.items ?? []).map((s) => s.name), ...(page?.items ?? []).flatMap((t) => t.services.map((s) => s.service))]), [services.data, page]);
  const chosen = shown.find((t) => t.trace_id === view.sel);
  const at = chosen ? shown.indexOf(chosen) : -1;
  const box = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const coarse = useMedia("(pointer: coarse)");
  const rowPx = phone || coarse ? TOUCH_ROW_PX : ROW_PX;
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => list.current, estimateSize: () => rowPx, overscan: 12, paddingStart: phone ? 0 : HEAD_PX });
  useEffect(() => virtual.measure(), [rowPx, virtual]);
  const longest = Math.max(1, ...shown.map((t) => t.duration_ns));

  const pick = (i: number): void => {
    const next = Math.min(shown.length - 1, Math.max(0, i));
    const trace = shown[next];
    if (!trace) return;
    change({ sel: trace.trace_id }, true);
    virtual.scrollToIndex(next);
  };
  const open = (id: string | undefined): void => {
    if (id !== undefined) void navigate({ to: "/o/$org/traces/$id", params: { org, id }, search: { ...carried, ...(view.q ? { q: view.q } : {}) } as never });
  };
  const filter = (q: string): void => change({ q: q || undefined });
  useKeys({
    j: () => pick(at + 1), k: () => pick(at === -1 ? 0 : at - 1), ArrowDown: () => pick(at + 1), ArrowUp: () => pick(at === -1 ? 0 : at - 1),
    Enter: () => open(chosen?.trace_id), e: () => filter(flip(text, "status=error")), "/": () => box.current?.focus(),
    Escape: () => change(chosen ? { sel: undefined } : { q: undefined }, true),
  });
  const operations = useMemo(() => [...new Set((services.data?.items ?? []).flatMap((s) => s.operations.map((o) => o.name)))], [services.data]);
  const bad = text.trim() !== "" && answer.error !== null;
  return (
    <Frame
      title="Traces" className="r-traces" crumbs={<ScopeCrumbs><Here icon="waypoints">Traces</Here></ScopeCrumbs>}
      tape={{ ...tape, left: phone ? 12 : 225, right: phone ? 12 : 424 }}
      truth={<Truth page={page} limit={limit} braces={isTraceQl(text) && scope.namespaces.length > 0} asking={answer.isFetching} />}
      keys={[["j k", "trace"], ["⏎", "open"], ["e", "errors"], ["/", "filter"]]}
    >
      <section className="pane facets0" aria-label="Services and operations">
        <div className="ph"><h2>Services</h2><span className="n">{services.data ? count(services.data.items.length) : ""}</span></div>
        <div className="pb">{services.isPending ? <Loading rows={6} what="services" /> : services.error && !services.data ? <Fault error={services.error} what="the services" retry={() => void services.refetch()} /> : services.data?.items.length === 0 ? <Empty title="No service sent spans">in this window</Empty> : <ServiceList services={services.data?.items ?? []} text={text} hues={hues} onFilter={filter} />}</div>
      </section>
      <div className="split mid0">
        <div className="pane">
          <div className="srch">
            <FilterBox text={text} error={answer.error} services={(services.data?.items ?? []).map((s) => s.name)} operations={operations} box={box} onChange={(q) => change({ q: q || undefined }, true)} onRun={run} />
            <button type="button" className="btn" aria-pressed={asks(text, "status=error")} onClick={() => filter(flip(text, "status=error"))}><Mark kind="crit" label="" />Errors <kbd>e</kbd></button>
          </div>
        </div>
        <section className="pane" aria-label="Durations"><Scatter traces={shown} marks={(tape.marks ?? []).map((m) => m.at)} chosen={chosen?.trace_id} onPick={(id) => change({ sel: id }, true)} /></section>
        <section className="pane" aria-labelledby="h-traces">
          <div className="ph">
            <h2 id="h-traces">Traces</h2>
            <span className="n">{answer.isPending ? "asking" : `${count(shown.length)}${page?.next ? ", there are more" : ""} · ${sort === "newest" ? "newest first" : `${sort === "longest" ? "longest" : `most ${sort}`} first, of these`}`}</span>
            <span className="sp" />
            {page?.next && limit === FEW ? <button type="button" className="btn sm" onClick={() => change({ most: String(MOST) })}>Show {count(MOST)}</button> : null}
            {limit === MOST ? <button type="button" className="btn quiet sm" onClick={() => change({ most: undefined })}>Show {FEW}</button> : null}
          </div>
          <div className="vt" ref={list} role="grid" aria-label="Traces" aria-rowcount={shown.length}>
            <div className="vh" role="row">
              <Head sort={sort} by="newest">Began</Head><span role="columnheader">Service and operation</span><Head sort={sort} by="longest">Duration</Head><Head sort={sort} by="spans" num>Spans</Head><Head sort={sort} by="errors" num>Errors</Head><span role="columnheader">Services</span>
            </div>
            {answer.isPending ? <Loading rows={12} what="traces" /> : answer.error && (!page || bad) ? <Fault error={answer.error} what="the traces" retry={() => void answer.refetch()} /> : shown.length === 0 ? (
              <Empty title="No trace passes" action={text !== "" ? <button type="button" className="btn" onClick={() => filter("")}>Clear filter <kbd>esc</kbd></button> : undefined}>{text !== "" ? "in this window, with this filter." : "Nothing sent spans in this window and scope. Programs send them by OTLP, Jaeger or Zipkin."}</Empty>
            ) : (
              <div style={{ height: virtual.getTotalSize() - (phone ? 0 : HEAD_PX) }}>
                {virtual.getVirtualItems().map((v) => {
                  const t = shown[v.index];
                  return t ? <Row key={t.trace_id} trace={t} top={v.start} index={v.index} longest={longest} hues={hues} selected={t === chosen} onPick={() => change({ sel: t === chosen ? undefined : t.trace_id }, true)} onOpen={() => open(t.trace_id)} /> : null;
                })}
              </div>
            )}
          </div>
        </section>
      </div>
      <div className="split right0">
        <section className="pane well" aria-labelledby="h-map">
          <div className="ph" style={{ background: "var(--panel)" }}><h2 id="h-map">Service map</h2><span className="n">of the window{dependencies.data && dependencies.data.items.length > 0 ? ` · ${plural(dependencies.data.items.length, "link")}` : ""}</span></div>
          <div className="pb mapbox" tabIndex={0} role="group" aria-label="Service map">{dependencies.isPending ? <Loading rows={4} what="the service map" /> : dependencies.error && !dependencies.data ? <Fault error={dependencies.error} what="the service map" retry={() => void dependencies.refetch()} /> : dependencies.data?.items.length === 0 ? <Empty title="No service called another">in this window</Empty> : <MapView calls={callsOfDependencies(dependencies.data?.items ?? [])} seconds={(span.end - span.start) / 1000} focus={serviceIn(text)} hues={hues} onPick={(s) => filter(only(text, "service", s))} />}</div>
        </section>
        <Peek trace={chosen} hues={hues} onOpen={() => open(chosen?.trace_id)} />
      </div>
    </Frame>
  );
}

const serviceIn = (text: string): string | undefined => /(?:^|\s)service=("([^"]*)"|\S+)/.exec(text)?.slice(1).reverse().find((s) => s !== undefined);

function sorted(all: readonly TraceSummary[], sort: string): readonly TraceSummary[] {
  if (sort === "newest") return all;
  const by = (t: TraceSummary): number => (sort === "longest" ? t.duration_ns : sort === "spans" ? t.spans : t.errors);
  return [...all].sort((a, b) => by(b) - by(a));
}

function Truth({ page, limit, braces, asking }: { readonly page: { readonly items: readonly unknown[]; readonly next?: string | null; readonly incomplete?: readonly string[] } | undefined; readonly limit: number; readonly braces: boolean; readonly asking: boolean }) {
  const missing = page?.incomplete ?? [];
  return (
    <>
      {page === undefined ? <span>{asking ? "asking" : "nothing asked"}</span> : missing.length > 0 ? <span title={missing.join("\n")}><Mark kind="warn" /><b>not whole</b> {missing[0]}{missing.length > 1 ? ` and ${missing.length - 1} more` : ""}</span> : <span><Mark kind="ok" label="" /><b>complete</b>{page.next ? (page.items.length < limit ? ` for the newest ${count(TRIED_MOST)} traces of the window: narrow it to look at older ones` : ` to the newest ${count(limit)}`) : ""}</span>}
      {braces ? <span><Mark kind="unknown" label="" />namespaces do not narrow a selector in braces</span> : null}
    </>
  );
}

function Head({ sort, by, num = false, children }: { readonly sort: string; readonly by: string; readonly num?: boolean; readonly children: string }) {
  const change = useChangeView();
  return <span role="columnheader" className={num ? "num" : ""} aria-sort={sort === by ? "descending" : "none"}><button type="button" aria-pressed={sort === by} onClick={() => change({ sort: by === "newest" ? undefined : by })}>{children}</button></span>;
}

const SERVICES_SHOWN = 40;
const OPERATIONS_SHOWN = 30;

function ServiceList({ services, text, hues, onFilter }: { readonly services: readonly Service[]; readonly text: string; readonly hues: ReadonlyMap<string, string>; readonly onFilter: (q: string) => void }) {
  const [all, setAll] = useState(false);
  const busiest = [...services].sort((a, b) => b.spans - a.spans);
  const most = busiest[0]?.spans ?? 1;
  const named = serviceIn(text);
  const one = services.find((s) => s.name === named);
  const operations = one ? [...one.operations].sort((a, b) => b.spans - a.spans) : [];
  const top = operations[0]?.spans ?? 1;
  const shown = all ? busiest : busiest.slice(0, SERVICES_SHOWN);
  return (
    <>
      {shown.map((s) => (
        <button type="button" key={s.name} className="fv0" aria-pressed={s.name === named} title={`${s.name}: ${plural(s.spans, "span")}, ${plural(s.errors, "error")}`} onClick={() => onFilter(flip(s.name === named ? text : text.replace(/(?:^|\s)name=("([^"]*)"|\S+)/, ""), equal("service", s.name)))}>
          <i className="hue0" style={{ background: hues.get(s.name) ?? "var(--s-rest)" }} /><span className="trunc">{s.name}</span>{s.errors > 0 ? <span className="c-crit s11 tn"><Mark kind="crit" label="errors" /> {count(s.errors)}</span> : null}<span className="num t3 s11">{count(s.spans)}</span><i className="bar0" style={{ width: `${(s.spans / most) * 100}%` }} />
        </button>
      ))}
      {shown.length < busiest.length ? <button type="button" className="opt link" onClick={() => setAll(true)}>{busiest.length - shown.length} more</button> : null}
      {one ? (
        <>
          <div className="ph bt"><h2>Operations</h2><span className="n trunc">of {one.name}</span></div>
          {operations.slice(0, OPERATIONS_SHOWN).map((o) => (
            <button type="button" key={`${o.name} ${o.kind}`} className="fv0" aria-pressed={asks(text, equal("name", o.name))} title={`${o.name} (${o.kind})`} onClick={() => onFilter(flip(text, equal("name", o.name)))}>
              <span className="t3 s11" style={{ width: 14 }}>{o.kind.charAt(0)}</span><span className="trunc">{o.name}</span>{o.errors > 0 ? <span className="c-crit s11 tn"><Mark kind="crit" label="errors" /> {count(o.errors)}</span> : null}<span className="num t3 s11">{count(o.spans)}</span><i className="bar0" style={{ width: `${(o.spans / top) * 100}%` }} />
            </button>
          ))}
          {operations.length > OPERATIONS_SHOWN ? <p className="t3 s11" style={{ padding: "4px 12px" }}>{operations.length - OPERATIONS_SHOWN} rarer ones are not listed; type <span className="mono">name=</span></p> : null}
        </>
      ) : null}
    </>
  );
}

interface RowProps {
  readonly trace: TraceSummary;
  readonly top: number;
  readonly index: number;
  readonly longest: number;
  readonly hues: ReadonlyMap<string, string>;
  readonly selected: boolean;
  readonly onPick: () => void;
  readonly onOpen: () => void;
}

const CHIPS = 4;

function Row({ trace: t, top, index, longest, hues, selected, onPick, onOpen }: RowProps) {
  const now = useNow();
  const start = msOfNs(t.start_ns);
  const bySpans = [...t.services].sort((a, b) => b.spans - a.spans);
  return (
    <div role="row" aria-rowindex={index + 1} aria-selected={selected} className={`vr${selected ? " sel" : ""}`} style={{ top }} onClick={onPick} onDoubleClick={onOpen}>
      <span role="gridcell" className="t2 tn" title={new Date(start).toISOString()}>{moment(start, now).length === 8 ? `${clock(start)}.${String(Math.floor(start % 1000)).padStart(3, "0")}` : moment(start, now)}</span>
      <span role="gridcell" className="nm"><Mark kind={t.errors > 0 ? "crit" : "ok"} label={t.errors > 0 ? "has errors" : "no errors"} /><i className="hue0" style={{ background: hues.get(t.root_service) ?? "var(--s-rest)" }} /><span className="strong nowrap">{t.root_service}</span><button type="button" className="trunc t2 lk" title={`Open ${t.root_name}`} onClick={(e) => { e.stopPropagation(); onOpen(); }}>{t.root_name}</button>{t.rooted ? null : <span className="chip" title="the span without parent is not stored: shown is the earliest">no root</span>}{t.orphans > 0 ? <span className="chip warn" title={`${plural(t.orphans, "span")} whose parent is not stored`}>{plural(t.orphans, "orphan")}</span> : null}</span>
      <span role="gridcell" className="dur"><span className="dbar"><i className={t.errors > 0 ? "err" : ""} style={{ width: `${Math.max(0.5, (t.duration_ns / longest) * 100)}%` }} /></span><span className="num">{spanTime(t.duration_ns)}</span></span>
      <span role="gridcell" className="num">{count(t.spans)}</span>
      <span role="gridcell" className={`num ${t.errors > 0 ? "c-crit" : "t3"}`}>{count(t.errors)}</span>
      <span role="gridcell" className="svcs">{bySpans.slice(0, CHIPS).map((s) => <span key={s.service} title={`${s.service}: ${plural(s.spans, "span")}, ${plural(s.errors, "error")}`}><i className="hue0" style={{ background: hues.get(s.service) ?? "var(--s-rest)" }} />{s.service}</span>)}{bySpans.length > CHIPS ? <span className="t3">+{bySpans.length - CHIPS}</span> : null}</span>
    </div>
  );
}

/** What `select(…)` asked for, of the earliest spans that were found. */
function Selected({ spans }: { readonly spans: NonNullable<TraceSummary["selected"]> }) {
  return (
    <>
      <h3 className="t3 s11" style={{ margin: "10px 0 3px", fontWeight: 500 }}>Selected fields</h3>
      {spans.map((span) => (
        <dl className="dl" key={`${span.span_id}${span.start_ns}`}>
          <dt>{span.service}</dt><dd className="trunc">{span.name}</dd>
          {Object.entries(span.fields).map(([name, value]) => <Fragment key={name}><dt className="mono">{name}</dt><dd className="mono trunc" title={value}>{value}</dd></Fragment>)}
        </dl>
      ))}
    </>
  );
}

function Peek({ trace: t, hues, onOpen }: { readonly trace: TraceSummary | undefined; readonly hues: ReadonlyMap<string, string>; readonly onOpen: () => void }) {
  if (!t) return <section className="pane" aria-label="Trace"><Empty title="No trace is chosen"><kbd>j</kbd> <kbd>k</kbd> or a click on a row or point.</Empty></section>;
  const start = msOfNs(t.start_ns);
  const most = Math.max(1, ...t.services.map((s) => s.spans));
  return (
    <section className="pane" aria-label="Trace">
      <div className="ph"><Mark kind={t.errors > 0 ? "crit" : "ok"} label={t.errors > 0 ? "has errors" : "no errors"} /><h2 className="trunc">{t.root_name}</h2><span className="n">{t.root_service}</span><span className="sp" /><button type="button" className="btn beam" onClick={onOpen}>Open <kbd>⏎</kbd></button></div>
      <div className="pb" style={{ padding: "9px 12px" }}>
        <dl className="dl">
          <dt>Trace</dt><dd className="mono row g4"><span className="trunc">{t.trace_id}</span><Copy text={t.trace_id} what="the trace's id" /></dd>
          <dt>Began</dt><dd>{new Date(start).toISOString()}</dd><dt>Duration</dt><dd>{spanTime(t.duration_ns)}</dd><dt>Spans</dt><dd>{count(t.spans)}, {count(t.matched)} of them passed the filter</dd><dt>Errors</dt><dd className={t.errors > 0 ? "c-crit" : ""}>{count(t.errors)}</dd>
        </dl>
        {t.selected?.length ? <Selected spans={t.selected} /> : null}
        <h3 className="t3 s11" style={{ margin: "10px 0 3px", fontWeight: 500 }}>Services</h3>
        {[...t.services].sort((a, b) => b.spans - a.spans).map((s) => <div className="fv0" key={s.service}><i className="hue0" style={{ background: hues.get(s.service) ?? "var(--s-rest)" }} /><span className="trunc">{s.service}</span>{s.errors > 0 ? <span className="c-crit s11"><Mark kind="crit" label="errors" /> {s.errors}</span> : null}<span className="num t3 s11">{count(s.spans)}</span><i className="bar0" style={{ width: `${(s.spans / most) * 100}%` }} /></div>)}
        <p className="t3 s11" style={{ marginTop: 8 }}><Icon name="waypoints" small /> over all spans from 5 minutes before the window to 5 minutes after it</p>
      </div>
    </section>
  );
}
