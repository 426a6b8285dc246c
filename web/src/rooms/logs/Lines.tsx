/** The list of lines: virtual, pinned to the end while following, with gaps, restarts and ends as rows in place. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useLayoutEffect, useRef, type ReactNode } from "react";

import type { LogSource } from "../../api/types";
import type { Finder } from "../../core/find";
import { count } from "../../core/format";
import { parts } from "../../core/message";
import { seriesIndex } from "../../core/palette";
import { Mark } from "../../ui/Mark";
import { usePhone } from "../../ui/size";
import type { FeedView, Row } from "./feed";
import { Rail } from "./Rail";
import { clockOf, LEVEL_WORD, textOf } from "./text";

const GAP_PX = 26;
const MARKER_PX = 22;
/** Two lines a record: time, level and pod above the message. */
const PHONE_PX = 44;
const NEAR_END_PX = 10;
const NEAR_START_PX = 60;

export interface LinesHandle {
  readonly show: (index: number) => void;
}

interface LinesProps {
  readonly view: FeedView;
  readonly finder: Finder | null;
  readonly current: { readonly row: number; readonly start: number } | null;
  readonly selected: string | undefined;
  readonly wrap: boolean;
  readonly handle: React.RefObject<LinesHandle | null>;
  readonly onHold: () => void;
  readonly onFollow: () => void;
  readonly onOlder: () => void;
  readonly onPick: (row: Row) => void;
}

export function Lines({ view, finder, current, selected, wrap, handle, onHold, onFollow, onOlder, onPick }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const phone = usePhone();
  const linePx = phone ? PHONE_PX : document.documentElement.dataset["density"] === "comfortable" ? 24 : 20;
  const { rows } = view;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (i) => (rows[i]?.kind === "gap" ? GAP_PX : rows[i]?.kind === "marker" ? MARKER_PX : linePx),
    getItemKey: (i) => rows[i]?.key ?? i,
    overscan: 20,
  });
  const self = useRef(0);
  const first = useRef(view.first);
  handle.current = { show: (index) => virtual.scrollToIndex(index, { align: "center" }) };

  // Keeps what is being read in place when rows come in front or leave there.
  useLayoutEffect(() => {
    const element = box.current;
    const moved = first.current - view.first;
    first.current = view.first;
    if (!element) return;
    if (view.following) {
      self.current = Date.now();
      element.scrollTop = element.scrollHeight;
    } else if (moved !== 0) {
      self.current = Date.now();
      element.scrollTop += moved * linePx;
    }
  }, [view.version, view.following, view.first, linePx]);
  useEffect(() => virtual.measure(), [wrap, linePx, virtual]);

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    const left = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (element.scrollTop < NEAR_START_PX && view.older && !view.loadingOlder && rows.length > 0 && Date.now() - self.current > 60) onOlder();
    if (view.following && left > NEAR_END_PX * 4 && Date.now() - self.current > 60) onHold();
    else if (!view.following && left <= NEAR_END_PX && !view.tailCut && !view.waiting && view.status === "open" && Date.now() - self.current > 300) onFollow();
  };
  return (
    <div style={{ position: "relative", flex: 1, minHeight: 0, display: "flex" }}>
      <div className="lg" ref={box} tabIndex={0} role="log" aria-live="off" aria-label={view.following ? "Log lines, following" : "Log lines, held"} onScroll={scrolled} onWheel={(e) => { if (e.deltaY < 0) onHold(); }}>
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((v) => {
            const row = rows[v.index];
            if (!row) return null;
            const source = "record" in row ? view.sources[row.record.source] : "marker" in row ? view.sources[row.marker.source] : undefined;
            const now = current !== null && current.row === v.index ? current.start : -1;
            return (
              <div key={v.key} data-index={v.index} ref={wrap ? virtual.measureElement : undefined} style={{ position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${v.start}px)`, height: wrap ? undefined : v.size }}>
                {row.kind === "line" ? <Line row={row} source={source} finder={finder} now={now} selected={row.key === selected} wrap={wrap} onPick={onPick} /> : row.kind === "gap" ? <GapRow row={row} /> : <MarkerRow row={row} source={source} />}
              </div>
            );
          })}
        </div>
      </div>
      <Rail rows={rows} version={view.version} onPick={(i) => { onHold(); virtual.scrollToIndex(i, { align: "center" }); }} />
    </div>
  );
}

interface LineProps {
  readonly row: Extract<Row, { kind: "line" }>;
  readonly source: LogSource | undefined;
  readonly finder: Finder | null;
  /** Start of the current match in this line, -1 for none. */
  readonly now: number;
  readonly selected: boolean;
  readonly wrap: boolean;
  readonly onPick: (row: Row) => void;
}

/** Short name of a source: the end of the pod's name tells pods apart. */
export function shortName(source: LogSource | undefined): string {
  if (!source) return "";
  return source.pod === "" ? source.container : (source.pod.split("-").at(-1) ?? source.pod);
}

const Line = memo(function Line({ row, source, finder, now, selected, wrap, onPick }: LineProps) {
  const { record } = row;
  const text = textOf(record);
  const colour = `var(--s${seriesIndex(source?.pod || source?.container || "")})`;
  return (
    <div className={`ln ${record.level}${selected ? " sel" : ""}${wrap ? " wrap" : ""}`} style={wrap ? { position: "relative", right: "auto" } : undefined} aria-current={selected || undefined} onClick={() => onPick(row)}>
      <span className="t">{clockOf(record.ts)}</span>
      <span className="lv">{LEVEL_WORD[record.level] ?? ""}</span>
      <span className="so" title={source ? `${source.cluster} / ${source.namespace} / ${source.pod} / ${source.container}` : ""}><i style={{ background: colour }} />{shortName(source)}</span>
      <span className="m">{draw(text, finder, now)}{record.full_bytes ? <span className="c-warn"> cut, {count(record.full_bytes)} bytes in all</span> : null}</span>
    </div>
  );
});

/** The message in syntax colours, with matches lit on top. Text only. */
function draw(text: string, finder: Finder | null, now: number): ReactNode {
  const marks = finder?.ranges(text) ?? [];
  return parts(text).map((part) => {
    const inside = marks.filter(([a, b]) => b > part.at && a < part.at + part.text.length);
    const body = inside.length === 0 ? part.text : cut(part.text, part.at, inside, now);
    return part.kind === "text" ? <span key={part.at}>{body}</span> : <span key={part.at} className={part.kind}>{body}</span>;
  });
}

function cut(text: string, at: number, marks: readonly (readonly [number, number])[], now: number): ReactNode[] {
  const out: ReactNode[] = [];
  let done = 0;
  for (const [a, b] of marks) {
    const from = Math.max(0, a - at);
    const to = Math.min(text.length, b - at);
    if (from > done) out.push(text.slice(done, from));
    out.push(<mark key={from} className={a === now ? "now" : ""}>{text.slice(from, to)}</mark>);
    done = to;
  }
  out.push(text.slice(done));
  return out;
}

function GapRow({ row }: { readonly row: Extract<Row, { kind: "gap" }> }) {
  const { gap } = row;
  const lost = typeof gap.lines === "number" ? `${gap.exact ? "" : "about "}${count(gap.lines)} lines lost` : typeof gap.bytes === "number" ? `${count(gap.bytes)} bytes lost` : gap.kind.replace(/_/g, " ");
  return (
    <div className="rec gap" role="note">
      <time>{row.time ? clockOf(row.time) : ""}</time><Mark kind="warn" label="gap" /><b>{lost}{gap.to ? ` until ${clockOf(gap.to)}` : ""}</b><span className="t2 trunc" title={gap.text}>{gap.source_name ? `${gap.source_name}: ` : ""}{gap.text}</span>
    </div>
  );
}

function MarkerRow({ row, source }: { readonly row: Extract<Row, { kind: "marker" }>; readonly source: LogSource | undefined }) {
  const { marker } = row;
  const bad = marker.kind === "ended" && typeof marker.exit_code === "number" && marker.exit_code !== 0;
  const name = source ? `${source.pod || source.container}${source.pod ? ` / ${source.container}` : ""}` : "";
  const words = marker.kind === "restarted" ? `Restarted, run ${marker.restart}` : marker.kind === "ended" ? `Ended${typeof marker.exit_code === "number" ? `, exit ${marker.exit_code}` : ""}` : "Joined";
  return (
    <div className={`rec ${bad ? "evt" : "plain"}`} role="note">
      <time>{row.time ? clockOf(row.time) : ""}</time><Mark kind={bad ? "crit" : marker.kind === "restarted" ? "move" : "off"} label={marker.kind} /><b className="strong">{words}</b>{marker.reason ? <span className="quote trunc">{marker.reason}</span> : null}<span className="t3 trunc">{name}</span>
    </div>
  );
}
