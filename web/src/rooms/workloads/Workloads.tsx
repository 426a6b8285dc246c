/** All workloads of the scope, trouble first: facets, two-axis health, the tightest pod; one row peeked. */

import "./workloads.css";

import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useMemo, useRef } from "react";

import { useClusters, useFleetObjects, usePodUsage, WORKLOAD_KINDS } from "../../api/queries";
import { age, bytes, cores, count, plural } from "../../core/format";
import { readList } from "../../core/list";
import { Frame, Here, ScopeCrumbs } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { logSource, objectAddress } from "../../ui/links";
import { HealthPair, Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Gauge, Loading } from "../../ui/parts";
import { useMedia, usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { useCarried, useChangeView, useNow, useOrg, useScope, useView } from "../../ui/view";
import { Facets } from "./Facets";
import { Peek } from "./Peek";
import { keeps, rows, sorted, SORTS, type Filters, type Sort, type WorkloadRow } from "./rows";

const HEAD_PX = 24;
const ROW_PX = 26;
const TALL_ROW_PX = 32;
const TOUCH_ROW_PX = 44;
const KINDS = [...WORKLOAD_KINDS, "Pod"];

export function Workloads() {
  const view = useView();
  const change = useChangeView();
  const scope = useScope();
  const org = useOrg();
  const carried = useCarried();
  const navigate = useNavigate();
  const tape = useTape();
  const now = useNow();
  const clusters = useClusters();
  const inScope = useMemo(() => clusters.items.filter((c) => scope.clusters.length === 0 || scope.clusters.includes(c.name)), [clusters.items, scope.clusters]);
  const objects = useFleetObjects(inScope, KINDS);
  const usage = usePodUsage(inScope);
  const all = useMemo(() => rows({ objects: objects.items, clusters: inScope, usage }), [objects.items, inScope, usage]);
  const text = useDeferredValue(view.q ?? "");
  const filters = useMemo<Filters>(() => ({ text, state: readList(view.state), kind: readList(view.kind), clusters: scope.clusters, namespaces: scope.namespaces }), [text, view.state, view.kind, scope]);
  const sort: Sort = SORTS.find((s) => s === view.sort) ?? "trouble";
  const shown = useMemo(() => sorted(all.filter((r) => keeps(r, filters)), sort), [all, filters, sort]);
  const chosen = shown.find((r) => r.object.uid === view.sel);
  const at = chosen ? shown.indexOf(chosen) : -1;
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const phone = usePhone();
  const coarse = useMedia("(pointer: coarse)");
  const rowPx = phone || coarse ? TOUCH_ROW_PX : document.documentElement.dataset["density"] === "comfortable" ? TALL_ROW_PX : ROW_PX;
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => list.current, estimateSize: () => rowPx, overscan: 12, paddingStart: phone ? 0 : HEAD_PX });

  const pick = (i: number): void => {
    const row = shown[Math.min(shown.length - 1, Math.max(0, i))];
    if (!row) return;
    change({ sel: row.object.uid }, true);
    virtual.scrollToIndex(shown.indexOf(row));
  };
  const open = (row: WorkloadRow | undefined): void => {
    if (row) void navigate({ ...objectAddress(org, row.object.cluster, row.object), search: carried as never });
  };
  const logs = (row: WorkloadRow | undefined): void => {
    if (row) void navigate({ to: "/o/$org/logs", params: { org }, search: { ...carried, src: logSource(row.object.cluster, row.object) } as never });
  };
  useKeys({
    j: () => pick(at + 1),
    k: () => pick(at === -1 ? 0 : at - 1),
    ArrowDown: () => pick(at + 1),
    ArrowUp: () => pick(at === -1 ? 0 : at - 1),
    " ": () => (chosen ? change({ sel: undefined }, true) : pick(0)),
    Enter: () => open(chosen),
    l: () => logs(chosen),
    Escape: () => change(chosen ? { sel: undefined } : { q: undefined, state: undefined, kind: undefined }, true),
    "/": () => search.current?.focus(),
  });
  useEffect(() => virtual.measure(), [rowPx, virtual]);

  const stale = all.filter((r) => r.stale).length;
  const filtered = view.q || view.state || view.kind;
  return (
    <Frame
      title="Workloads"
      className="r-work"
      crumbs={<ScopeCrumbs><Here>Workloads</Here></ScopeCrumbs>}
      tape={{ ...tape, right: chosen && !phone ? 384 : 12, sum: `${plural(tape.marks?.length ?? 0, "change")}, ${plural(tape.bars?.length ?? 0, "problem")}` }}
      truth={
        <>
          <span><b>watched</b> {count(objects.items.length)} objects{objects.at > 0 ? `, ${age(now - objects.at)} old` : ""}</span>
          {stale > 0 ? <span><Mark kind="unknown" /><b>{stale} stale</b> {[...new Set(all.filter((r) => r.stale).map((r) => r.object.cluster))].join(", ")}</span> : null}
        </>
      }
      keys={[["j k", "move"], ["space", "peek"], ["⏎", "open"], ["l", "logs"], ["/", "filter"]]}
    >
      <div className="split" style={{ gridTemplateRows: "auto auto minmax(0, 1fr)", gridColumn: chosen ? undefined : "1 / -1" }}>
        <div className="pane">
          <div className="srch">
            <div className="inp code">
              <Icon name="search" small className="t3" />
              <input ref={search} aria-label="Filter workloads" placeholder="name, kind, namespace, image; -word leaves out" value={view.q ?? ""} onChange={(e) => change({ q: e.target.value || undefined }, true)} onKeyDown={(e) => { if (e.key === "Escape") e.currentTarget.blur(); }} />
              {view.q ? <button type="button" aria-label="Clear the filter" onClick={() => change({ q: undefined })}><Icon name="x" small className="t3" /></button> : <kbd>/</kbd>}
            </div>
          </div>
        </div>
        <Facets all={all} filters={filters} />
        <section className="pane" aria-labelledby="h-list">
          <div className="ph">
            <h2 id="h-list">Workloads</h2>
            <span className="n">{objects.status === "loading" ? "asking" : shown.length === all.length ? count(all.length) : `${count(shown.length)} of ${count(all.length)}`} · {sort === "trouble" ? "trouble first" : `by ${sort}`}</span>
            {objects.status === "stale" ? <span className="chip"><Mark kind="unknown" />not live now</span> : null}
            <span className="sp" />
            <div className="legend"><span><i className="used" />used</span><span><i className="asked" />requested</span><span className="t3">scale = limit, of the tightest pod</span></div>
          </div>
          <div className="vt" ref={list} role="grid" aria-label="Workloads" aria-rowcount={shown.length}>
            <div className="vh" role="row">
              <Head sort={sort} by="trouble">Health</Head><Head sort={sort} by="name">Workload</Head><span role="columnheader">Namespace · cluster</span><span role="columnheader" className="num">Ready</span><Head sort={sort} by="restarts" num>Restarts</Head><Head sort={sort} by="cpu">CPU of limit</Head><Head sort={sort} by="memory">Memory of limit</Head><Head sort={sort} by="age" num>Age</Head>
            </div>
            {objects.status === "loading" && (clusters.status === "loading" || inScope.length > 0) ? <Loading rows={14} what="workloads" /> : objects.status === "denied" ? <Fault error={new Error(objects.reason)} what="workloads" /> : shown.length === 0 ? (
              all.length > 0 && filtered ? (
                <Empty title="Nothing matches" action={<button type="button" className="btn" onClick={() => change({ q: undefined, state: undefined, kind: undefined })}>Clear filter <kbd>esc</kbd></button>}>{plural(all.length, "workload")} {all.length === 1 ? "matches" : "match"} without it.</Empty>
              ) : <Empty title="No workload is known here">{inScope.length === 0 ? "No cluster is connected in this scope." : "The clusters of this scope report none."}</Empty>
            ) : (
              <div style={{ height: virtual.getTotalSize() - (phone ? 0 : HEAD_PX) }}>
                {virtual.getVirtualItems().map((v) => {
                  const row = shown[v.index];
                  return row ? <Row key={row.object.uid} row={row} top={v.start} index={v.index} selected={row === chosen} now={now} onPick={() => change({ sel: row === chosen ? undefined : row.object.uid }, true)} onOpen={() => open(row)} /> : null;
                })}
              </div>
            )}
          </div>
        </section>
      </div>
      {chosen ? <Peek row={chosen} position={`${at + 1} of ${shown.length}`} usage={usage} onClose={() => change({ sel: undefined }, true)} onOpen={() => open(chosen)} onLogs={() => logs(chosen)} /> : null}
    </Frame>
  );
}

function Head({ sort, by, num = false, children }: { readonly sort: Sort; readonly by: Sort; readonly num?: boolean; readonly children: string }) {
  const change = useChangeView();
  return <span role="columnheader" className={num ? "num" : ""} aria-sort={sort === by ? "descending" : "none"}><button type="button" aria-pressed={sort === by} onClick={() => change({ sort: by === "trouble" ? undefined : by })}>{children}</button></span>;
}

interface RowProps {
  readonly row: WorkloadRow;
  readonly top: number;
  readonly index: number;
  readonly selected: boolean;
  readonly now: number;
  readonly onPick: () => void;
  readonly onOpen: () => void;
}

function Row({ row, top, index, selected, now, onPick, onOpen }: RowProps) {
  const { object: o } = row;
  const short = o.health.wanted > 0 && o.health.ready < o.health.wanted;
  const ready = o.health.available === "suspended" ? "suspended" : o.health.wanted === 0 && o.health.ready === 0 ? (o.columns["phase"] ?? o.columns["status"] ?? (o.health.available === "n/a" ? "n/a" : "0 / 0")) : `${o.health.ready} / ${o.health.wanted}`;
  const running = row.pods.length > 0;
  return (
    <div role="row" aria-rowindex={index + 1} aria-selected={selected} className={`vr${selected ? " sel" : ""}${row.stale ? " dim" : ""}`} style={{ top }} onClick={onPick} onDoubleClick={onOpen}>
      <span role="gridcell">{row.stale ? <span className="mk2"><Mark kind="unknown" label="no fresh data" /><Mark kind="unknown" label="no fresh data" /></span> : <HealthPair health={o.health} />}</span>
      <span role="gridcell" className="nm"><span className="strong trunc" title={o.name}>{o.name}</span><span className="t3 s11">{o.kind}</span></span>
      <span role="gridcell" className={row.stale ? "trunc" : "t2 trunc"}>{o.namespace ? `${o.namespace} · ` : ""}{o.cluster}</span>
      <span role="gridcell" className={`num ${short && !row.stale ? `c-${row.state === "ok" ? "warn" : row.state}` : ""}`}><span className={row.stale ? "old" : ""}>{ready}</span></span>
      <span role="gridcell" className={`num ${row.restarts === 0 ? "t3" : row.restarts > 4 && !row.stale ? "c-crit" : ""}`}>{count(row.restarts)}</span>
      <span role="gridcell">{running ? <Gauge what="CPU" used={row.cpu.used} requested={row.cpu.requested} scale={row.cpu.limit} text={row.cpu.used === null ? "" : cores(row.cpu.used)} judged={!row.stale} /> : <span className="t3">not running</span>}</span>
      <span role="gridcell">{running ? <Gauge what="Memory" used={row.memory.used} requested={row.memory.requested} scale={row.memory.limit} text={row.memory.used === null ? "" : bytes(row.memory.used)} judged={!row.stale} /> : <span className="t3">not running</span>}</span>
      <span role="gridcell" className="num t3" title={o.created_ms ? new Date(o.created_ms).toISOString() : ""}>{o.created_ms ? age(now - o.created_ms) : "unknown"}</span>
    </div>
  );
}
