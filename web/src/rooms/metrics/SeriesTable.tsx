/** All series of the view with their values at the cursor: a click shows one alone, alt-click hides it. */

import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";

import { age, clock, count, inUnit } from "../../core/format";
import { seriesTitle, shared } from "../../core/promAnswer";
import { Icon } from "../../ui/Mark";
import { copyText } from "../../ui/parts";
import { useCarried, useChangeView, useOrg, useView } from "../../ui/view";
import { leadsOf, type Drawn } from "./series";

const ROW_PX = 26;
const HEAD_PX = 24;

interface SeriesTableProps {
  readonly all: readonly Drawn[];
  readonly units: Readonly<Record<string, string>>;
  readonly stepMs: number;
  readonly at: number | null;
  readonly alone: string | undefined;
  readonly hidden: readonly string[];
  readonly onAlone: (id: string | undefined) => void;
  readonly onHide: (id: string) => void;
}

type By = "at" | "last" | "min" | "mean" | "max" | "name";

export function SeriesTable({ all, units, stepMs, at, alone, hidden, onAlone, onHide }: SeriesTableProps) {
  const view = useView();
  const change = useChangeView();
  const by = (["at", "last", "min", "mean", "name"] as const).find((b) => b === view.sort) ?? "max";
  const rows = useMemo(() => sorted(all, by), [all, by]);
  const common = useMemo(() => new Map([...new Set(all.map((d) => d.line.query))].map((q) => [q, shared(all.filter((d) => d.line.query === q).map((d) => d.line))])), [all]);
  const list = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => list.current, estimateSize: () => ROW_PX, overscan: 12, paddingStart: HEAD_PX });
  const head = (name: By, text: string): React.ReactNode => <span role="columnheader" className={name === "name" ? "" : "num"} aria-sort={by === name ? "descending" : "none"}><button type="button" aria-pressed={by === name} onClick={() => change({ sort: name === "max" ? undefined : name })}>{text}</button></span>;
  const csv = (): string => ["query,series,at,last,min,mean,max", ...rows.map((d) => [d.line.query, `"${seriesTitle(d.line.labels).replaceAll('"', '""')}"`, d.figures.at, d.figures.last, d.figures.min, d.figures.mean, d.figures.max].map((v) => v ?? "").join(","))].join("\n");
  return (
    <section className="pane" aria-labelledby="h-series">
      <div className="ph"><h2 id="h-series">Series</h2><span className="n">{count(all.length)}{at === null ? "" : ` · at cursor ${clock(at)}`}{hidden.length > 0 ? ` · ${hidden.length} hidden` : ""}{alone ? " · one alone" : ""}</span><span className="sp" /><span className="t3 s11">click isolates, <kbd>alt</kbd> click hides</span>{alone || hidden.length > 0 ? <button type="button" className="btn sm" onClick={() => change({ sel: undefined, hide: undefined }, true)}>Show all</button> : null}<button type="button" className="btn quiet icon" aria-label="Copy the table as CSV" title="Copy as CSV" onClick={() => void copyText(csv(), "the table as CSV")}><Icon name="copy" /></button></div>
      <div className="vt st1" ref={list} role="grid" aria-label="Series" aria-rowcount={rows.length}>
        <div className="vh" role="row"><span role="columnheader" />{head("name", "Series")}{head("at", "At cursor")}{head("last", "Last")}{head("min", "Min")}{head("mean", "Mean")}{head("max", "Max")}<span role="columnheader"><span className="sr">Go on</span></span></div>
        <div style={{ height: Math.max(0, virtual.getTotalSize() - HEAD_PX) }}>
          {virtual.getVirtualItems().map((v) => {
            const d = rows[v.index];
            return d ? <Row key={`${d.line.query}${d.id}`} drawn={d} top={v.start} index={v.index} unit={units[d.line.query] ?? ""} title={seriesTitle(d.line.labels, common.get(d.line.query))} stepMs={stepMs} at={at} off={hidden.includes(d.id) || (alone !== undefined && alone !== d.id)} selected={alone === d.id} onPick={(hide) => (hide ? onHide(d.id) : onAlone(alone === d.id ? undefined : d.id))} /> : null;
          })}
        </div>
      </div>
    </section>
  );
}

function sorted(all: readonly Drawn[], by: By): readonly Drawn[] {
  if (by === "name") return [...all].sort((a, b) => (a.line.key < b.line.key ? -1 : 1));
  return [...all].sort((a, b) => (b.figures[by] ?? -Infinity) - (a.figures[by] ?? -Infinity) || (a.line.key < b.line.key ? -1 : 1));
}

interface RowProps {
  readonly drawn: Drawn;
  readonly top: number;
  readonly index: number;
  readonly unit: string;
  readonly title: string;
  readonly stepMs: number;
  readonly at: number | null;
  readonly off: boolean;
  readonly selected: boolean;
  readonly onPick: (hide: boolean) => void;
}

const OLD_STEPS = 2;

function Row({ drawn: d, top, index, unit, title, stepMs, at, off, selected, onPick }: RowProps) {
  const org = useOrg();
  const carried = useCarried();
  const { figures: f } = d;
  const text = (v: number | null): string => (v === null ? "no data" : inUnit(v, unit));
  const leads = leadsOf(d.line.labels);
  const moved = at === null ? carried : { ...carried, c: new Date(at).toISOString() };
  return (
    <div role="row" aria-rowindex={index + 1} aria-selected={selected} className={`vr${selected ? " sel" : ""}${off ? " off" : ""}`} style={{ top }} title={seriesTitle(d.line.labels)} onClick={(e) => onPick(e.altKey)}>
      <span role="gridcell" className="row g6"><i className="sw" style={{ color: `var(${d.token})`, borderTopStyle: d.dash ? "dashed" : "solid" }} /><span className="t2">{d.line.query}</span></span>
      <span role="gridcell" className="mono trunc"><button type="button" className="trunc lk" onClick={(e) => { e.stopPropagation(); onPick(e.altKey); }}>{title}</button></span>
      <span role="gridcell" className="num strong">{text(f.at)}</span>
      <span role="gridcell" className="num">{f.last !== null && f.lastAgo > OLD_STEPS ? <span className="t2">no data {age(f.lastAgo * stepMs)}</span> : text(f.last)}</span>
      <span role="gridcell" className="num">{text(f.min)}</span><span role="gridcell" className="num">{text(f.mean)}</span><span role="gridcell" className="num">{text(f.max)}</span>
      <span role="gridcell" className="row g4 go">
        {leads.logs ? <Link className="btn quiet icon sm" aria-label="Logs of it" title="Logs of it, same window and cursor" to="/o/$org/logs" params={{ org }} search={{ ...moved, src: leads.logs } as never} onClick={(e) => e.stopPropagation()}><Icon name="scroll-text" /></Link> : null}
        {leads.traces ? <Link className="btn quiet icon sm" aria-label="Traces of it" title="Traces of it, same window and cursor" to="/o/$org/traces" params={{ org }} search={{ ...moved, q: leads.traces } as never} onClick={(e) => e.stopPropagation()}><Icon name="waypoints" /></Link> : null}
      </span>
    </div>
  );
}
