/** Spans of a trace as rows under a time axis: only rows in view are drawn, so a hundred thousand are no more work than fifty. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useImperativeHandle, useMemo, useRef, type Ref } from "react";

import { spanTime } from "../../core/spans";
import { timeMarks, type SpanNode, type SpanTree, type Stretch } from "../../core/trace";
import { Icon, Mark } from "../../ui/Mark";
import { useMedia } from "../../ui/size";
import { cursor, useCursor } from "../../ui/view";

export interface WaterfallHandle {
  show(row: number): void;
}

interface WaterfallProps {
  readonly tree: SpanTree;
  readonly rows: readonly number[];
  readonly path: ReadonlyMap<number, { readonly total: number; readonly parts: readonly Stretch[] }>;
  readonly hues: ReadonlyMap<string, string>;
  readonly startMs: number;
  readonly folded: ReadonlySet<string>;
  readonly chosen: number;
  readonly onPick: (node: number) => void;
  readonly onFold: (node: number) => void;
  readonly handle: Ref<WaterfallHandle>;
}

const HEAD_PX = 26;
const ROW_PX = 26;
const TOUCH_ROW_PX = 44;
const INDENT = 14;
const DEEPEST = 14;
const LABEL_SHARE = 0.12;

export function Waterfall({ tree, rows, path, hues, startMs, folded, chosen, onPick, onFold, handle }: WaterfallProps) {
  const list = useRef<HTMLDivElement>(null);
  const coarse = useMedia("(pointer: coarse)");
  const rowPx = coarse ? TOUCH_ROW_PX : ROW_PX;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => list.current, estimateSize: () => rowPx, overscan: 20, paddingStart: HEAD_PX });
  useEffect(() => virtual.measure(), [rowPx, virtual]);
  useImperativeHandle(handle, () => ({ show: (row) => virtual.scrollToIndex(row) }), [virtual]);
  const marks = useMemo(() => timeMarks(tree.duration), [tree.duration]);
  const at = useCursor();
  const share = (ns: number): number => (tree.duration === 0 ? 0 : (ns / tree.duration) * 100);
  const line = at === null ? null : share((at - startMs) * 1_000_000);
  return (
    <div className="wf" ref={list} role="treegrid" aria-label="Spans" aria-rowcount={rows.length} tabIndex={0}>
      <div className="wh" role="row">
        <span role="columnheader">Service and operation</span>
        <span role="columnheader" className="axis" onPointerMove={(e) => moveCursor(e, startMs, tree.duration)} onPointerLeave={() => cursor.write(null)}>{marks.map((m) => <i key={m} className={share(m) > 95 ? "end" : ""} style={{ left: `${share(m)}%` }}>{m === 0 ? "0" : spanTime(m)}</i>)}</span>
      </div>
      <div style={{ height: virtual.getTotalSize() - HEAD_PX, position: "relative" }}>
        {virtual.getVirtualItems().map((v) => {
          const node = rows[v.index];
          const n = node === undefined ? undefined : tree.nodes[node];
          if (n === undefined || node === undefined) return null;
          return <Row key={node} node={n} index={v.index} top={v.start - HEAD_PX} share={share} parts={path.get(node)?.parts ?? []} hue={hues.get(n.span.service) ?? "var(--s-rest)"} folded={folded.has(n.span.id)} selected={node === chosen} onPick={() => onPick(node)} onFold={() => onFold(node)} onMove={(e) => moveCursor(e, startMs, tree.duration)} />;
        })}
        {line !== null && line >= 0 && line <= 100 ? <i className="lub" style={{ left: `calc(var(--names) + (100% - var(--names)) * ${line / 100})` }} /> : null}
      </div>
    </div>
  );
}

function moveCursor(event: React.PointerEvent<HTMLElement>, startMs: number, duration: number): void {
  const box = event.currentTarget.getBoundingClientRect();
  cursor.write(startMs + (((event.clientX - box.left) / box.width) * duration) / 1_000_000);
}

interface RowProps {
  readonly node: SpanNode;
  readonly index: number;
  readonly top: number;
  readonly share: (ns: number) => number;
  readonly parts: readonly Stretch[];
  readonly hue: string;
  readonly folded: boolean;
  readonly selected: boolean;
  readonly onPick: () => void;
  readonly onFold: () => void;
  readonly onMove: (event: React.PointerEvent<HTMLElement>) => void;
}

function Row({ node: n, index, top, share, parts, hue, folded, selected, onPick, onFold, onMove }: RowProps) {
  const { span: s } = n;
  const left = share(s.start);
  const width = share(s.duration);
  const inside = width / 100 >= LABEL_SHARE;
  const beforeEnd = left + width > 86;
  return (
    <div role="row" className={`wr${selected ? " sel" : ""}`} aria-rowindex={index + 1} aria-level={n.depth + 1} aria-selected={selected} {...(n.children.length > 0 ? { "aria-expanded": !folded } : {})} style={{ top }} onClick={onPick}>
      <span role="gridcell" className="wn" style={{ paddingLeft: 8 + Math.min(n.depth, DEEPEST) * INDENT }} title={`${s.service} ${s.name}`}>
        {n.children.length > 0 ? <button type="button" className="tw" aria-label={folded ? `Open ${n.below} spans` : "Fold"} tabIndex={-1} onClick={(e) => { e.stopPropagation(); onFold(); }}><Icon name={folded ? "chevron-right" : "chevron-down"} small /></button> : <i className="tw" />}
        {n.depth > DEEPEST ? <span className="t3 s11">{n.depth}</span> : null}
        <i className="hue0" style={{ background: hue }} /><span className="svc">{s.service}</span><span className="op0 trunc">{s.name}</span>
        {s.status === "error" ? <Mark kind="crit" label="error" /> : folded && n.failing ? <Mark kind="warn" label="an error below" /> : null}
        {folded ? <span className="t3 s11 nowrap">+{n.below}</span> : null}
        {n.orphan ? <span className="chip warn" title="It names a parent that is not stored: it may have been lost, left out by sampling, or not arrived yet">no parent</span> : null}
        {n.early > 0 ? <span className="chip" title={`It begins ${spanTime(n.early)} before its parent: the clocks differ, or the parent is the wrong one`}><Mark kind="unknown" label="" />clock {spanTime(n.early)}</span> : null}
      </span>
      <span role="gridcell" className="wt" aria-label={`${spanTime(s.duration)} from ${spanTime(s.start)}`} onPointerMove={onMove} onPointerLeave={() => cursor.write(null)}>
        <i className="b" style={{ left: `${left}%`, width: `${width}%`, background: hue }} />
        {parts.map((p) => <i key={p.from} className="cp" style={{ left: `${share(p.from)}%`, width: `${share(p.to - p.from)}%` }} />)}
        {s.events.slice(0, 50).map((e, i) => <i key={i} className="evm" style={{ left: `${share(e.at)}%` }} title={e.name} />)}
        <span className={`d${inside ? " in" : ""}`} style={inside ? { right: `calc(${100 - left - width}% + 5px)` } : beforeEnd ? { right: `calc(${100 - left}% + 4px)` } : { left: `calc(${left + width}% + 5px)` }}>{spanTime(s.duration)}</span>
      </span>
    </div>
  );
}
