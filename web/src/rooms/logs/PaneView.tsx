/** One pane drawn: filter and find, the histogram, the lines, and what the pane does at its foot. */

import { useMemo, useState, type ReactNode, type RefObject } from "react";

import { ApiError } from "../../api/client";
import type { LogCount } from "../../api/types";
import { template } from "../../core/columns";
import { bytes, count, plural } from "../../core/format";
import { dated, msOf, STAMP_WIDTH, type StampStyle } from "../../core/stamp";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useChangeView, useNow, useWindow } from "../../ui/view";
import { DownloadDialog } from "./Download";
import { whyNotCounted } from "./Facets";
import { MOST_ROWS, type FeedView, type LineRow, type Looked } from "./feed";
import { Histogram } from "./Histogram";
import { Lines, type LinesHandle } from "./Lines";
import type { ActOn } from "./LineView";
import { ColumnsMenu, ViewsMenu } from "./Menus";
import type { Pane } from "./pane";
import { FilterBox, FindBox } from "./QueryBar";
import { fieldsOf } from "./text";

export interface PaneLooks {
  readonly columns: readonly string[];
  readonly stamp: StampStyle;
  readonly wrap: boolean;
  readonly hues: ReadonlyMap<string, number>;
}

interface PaneProps {
  readonly pane: Pane;
  readonly looks: PaneLooks;
  readonly active: boolean;
  readonly two: boolean;
  readonly counted: { readonly data: LogCount | undefined; readonly error: unknown; readonly cheap: boolean };
  readonly handle: RefObject<LinesHandle | null>;
  readonly filterBox: RefObject<HTMLInputElement | null>;
  readonly findBox: RefObject<HTMLInputElement | null>;
  readonly onJumpMatch: (direction: 1 | -1) => void;
  readonly onPick: (row: LineRow, extend: boolean) => void;
  readonly onAct: (on: ActOn) => void;
  readonly onHeights: (heights: ReadonlyMap<string, number>) => void;
  readonly onActive: () => void;
  readonly onFollow: () => void;
  /** Only in the first pane. */
  readonly extra: ReactNode;
}

const SAMPLE = 200;

export function PaneView({ pane, looks, active, two, counted, handle, filterBox, findBox, onJumpMatch, onPick, onAct, onHeights, onActive, onFollow, extra }: PaneProps) {
  const change = useChangeView();
  const { span } = useWindow();
  const now = useNow();
  const [saving, setSaving] = useState(false);
  const { view, feed } = pane;
  const { columns, wrap, hues } = looks;
  const { format, zone } = dated(looks.stamp, [view.rows[0]?.time ?? "", view.rows.at(-1)?.time ?? ""], now);
  const stamp = useMemo<StampStyle>(() => ({ format, zone }), [format, zone]);
  const grid = template(columns, STAMP_WIDTH[stamp.format]);
  const known = useMemo(() => {
    const names = new Set<string>();
    for (const r of view.rows.slice(-SAMPLE)) if (r.kind === "line") for (const [k] of fieldsOf(r.record)) if (names.size < 20) names.add(k);
    return [...names];
  }, [pane.slow, view.rows]);
  const changes = useMemo(() => pane.foldStyle.extras.flatMap((row) => (row.kind === "event" && row.tone === "change" ? [msOf(row.time)] : [])), [pane.foldStyle.extras]);
  return (
    <section className="pane well" aria-label={two ? (pane.side === "a" ? "Lines, first pane" : "Lines, second pane") : "Lines"} data-active={two && active ? true : undefined} onPointerDownCapture={onActive} onFocusCapture={onActive}>
      <div className="srch">
        {extra}
        <FilterBox pane={pane} box={filterBox} />
        <FindBox pane={pane} box={findBox} onJump={onJumpMatch} />
        <ViewsMenu pane={pane} />
        <ColumnsMenu known={known} />
        <button type="button" className="btn icon" aria-label="Wrap lines" aria-pressed={wrap} title="Wrap lines (w)" onClick={() => change({ wrap: wrap ? undefined : "1" }, true)}><Icon name="wrap-text" /></button>
        <button type="button" className="btn icon" aria-label="Download" title="Download" disabled={pane.chosen.length === 0} onClick={() => setSaving(true)}><Icon name="download" /></button>
        {pane.side === "b" ? <button type="button" className="btn icon" aria-label="Close this pane" title="Close this pane" onClick={() => change({ src2: undefined, q2: undefined, find2: undefined, line2: undefined })}><Icon name="x" /></button> : null}
      </div>
      <Histogram counted={counted.data} why={whyNotCounted(pane, counted)} rows={view.rows} version={pane.slow} span={span} changes={changes} onJump={(ms) => void feed.jump({ ms })} />
      <div className="hdr">
        <span className="hdg" style={{ flex: 1, gridTemplateColumns: grid }}>{columns.map((c) => <span className="trunc" key={c}>{c === "time" ? `time, ${stamp.zone}` : c === "message" ? "message and fields" : c}</span>)}</span>
        <span className="legend"><span><i className="sq e" />error</span><span><i className="sq w" />warn</span><span><i className="sq r" />other</span></span>
      </div>
      <Body pane={pane} onRetry={() => void feed.jump("end")}>
        <Lines pane={pane} columns={columns} grid={grid} stamp={stamp} now={now} wrap={wrap} hues={hues} handle={handle} onPick={onPick} onAct={onAct} onHeights={onHeights} />
      </Body>
      <Stay pane={pane} onFollow={onFollow} />
      {saving ? <DownloadDialog pane={pane} onClose={() => setSaving(false)} /> : null}
    </section>
  );
}

/** Nothing to show: which of the reasons it is, and the way on. */
function Body({ pane, onRetry, children }: { readonly pane: Pane; readonly onRetry: () => void; readonly children: ReactNode }) {
  const change = useChangeView();
  const { span, live } = useWindow();
  const { view } = pane;
  if (pane.chosen.length === 0) return <Empty title="Choose what to read">Tick a workload, pod or container at the left. Lines are read at the file, on its own node.</Empty>;
  if (view.status === "failed" && view.rows.length === 0) return <Fault error={view.error} what="the lines" retry={onRetry} />;
  if (view.rows.some((r) => r.kind === "line")) return <>{children}</>;
  if (view.status === "loading") return <><p className="t3 s11 askline" role="status">{view.knownBytes > 0 ? `read ${bytes(view.scannedBytes)} of ${bytes(view.knownBytes)}` : pane.estimate ? `asking ${plural(pane.estimate.sources, "container")}, at most ${bytes(pane.estimate.bytes)}` : ""}</p><Loading rows={14} what="lines" /></>;
  if (view.looked !== null && view.looked.state !== "end") return <Looking pane={pane} looked={view.looked} onClear={() => change({ [pane.names.q]: undefined })} />;
  return <Nothing view={view} live={live} fromMs={span.fromMs} toMs={span.toMs} expr={pane.expr} onClear={() => change({ [pane.names.q]: undefined })} onWindow={(t) => change({ t })} />;
}

/** No line passed yet, and there is more to look at: how far it came, and how to end it or go on. */
function Looking({ pane, looked, onClear }: { readonly pane: Pane; readonly looked: Looked; readonly onClear: () => void }) {
  const { view, feed } = pane;
  const back = looked.to === null ? "" : `Looked back to ${lookedText(looked.to)}. `;
  const read = `${bytes(view.scannedBytes)} read, ${plural(looked.pages + 1, "page")}. `;
  const error = looked.state === "stopped" && view.error instanceof Error ? `${view.error.message}. ` : "";
  const clear = pane.expr === "" ? null : <button type="button" className="btn quiet" onClick={onClear}>Clear filter</button>;
  if (looked.state === "on") return <Empty title="No line matches so far" action={<button type="button" className="btn" onClick={() => feed.stopLooking()}>Stop</button>}><span role="status">{back}{read}It goes on toward older lines by itself.</span></Empty>;
  return <Empty title="No line matches so far" action={<><button type="button" className="btn" onClick={() => void feed.older()}>Look further back</button>{clear}</>}>{error}{back}{read}{looked.state === "limit" ? "It stopped there by itself; what is older was not looked at." : "It was stopped there; what is older was not looked at."}</Empty>;
}

/** `2026-11-18 14:00:03`, UTC. */
const lookedText = (stamp: string): string => `${stamp.slice(0, 10)} ${stamp.slice(11, 19)} UTC`;

interface NothingProps {
  readonly view: FeedView;
  readonly live: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly expr: string;
  readonly onClear: () => void;
  readonly onWindow: (t: string) => void;
}

function Nothing({ view, live, toMs, expr, onClear, onWindow }: NothingProps) {
  const s = view.summary;
  const denied = view.rows.flatMap((r) => (r.kind === "gap" && r.gap.kind === "denied" ? [r.gap] : []));
  const missing = view.rows.flatMap((r) => (r.kind === "gap" && r.gap.kind !== "denied" ? [r.gap] : []));
  const oldest = s?.oldest ? Date.parse(`${s.oldest.slice(0, 23).replace(/Z$/, "")}Z`) : Number.NaN;
  const wait = live ? "New lines appear here as they are written. " : "";
  if (denied.length > 0) return <Empty title="You may not read these logs"><span className="quote">{denied[0]?.text}</span> Ask for the right to get pods/log in {denied[0]?.source_name || "this namespace"}.</Empty>;
  if (view.sources.length === 0) return <Empty title="No container matches">The chosen workload has no pod now, or its node-agent is not connected. {wait}</Empty>;
  if (!live && oldest > toMs) return <Empty title="Before the oldest line" action={<button type="button" className="btn" onClick={() => onWindow(`${new Date(oldest).toISOString().slice(0, 19)}Z..${new Date(oldest + 3_600_000).toISOString().slice(0, 19)}Z`)}>Show the oldest hour</button>}>The files begin at {new Date(oldest).toISOString().slice(0, 19)}Z: what was before has rotated away.</Empty>;
  if (expr !== "" && s && s.lines > 0) return <Empty title="No line matches" action={<button type="button" className="btn" onClick={onClear}>Clear filter</button>}>{count(s.lines)} lines were read, none of them passes. {s.unknown_levels ? `${plural(s.unknown_levels, "line")} of unknown level were left out. ` : ""}{s.stopped !== "done" ? `Reading stopped at its limit of ${s.stopped}. ` : ""}{wait}</Empty>;
  if (missing.length > 0) return <Empty title="Nothing could be read"><span className="quote">{missing[0]?.text}</span> {missing.length > 1 ? `and ${plural(missing.length - 1, "more gap")}` : ""}</Empty>;
  return <Empty title={expr === "" ? "No line in this window" : "No line matches"} action={expr === "" ? null : <button type="button" className="btn" onClick={onClear}>Clear filter</button>}>{wait}{Number.isNaN(oldest) ? "" : `The oldest line on disk is from ${new Date(oldest).toISOString().slice(0, 19)}Z.`}</Empty>;
}

/** Following, held, lagging, cut: always said, with the way on. */
function Stay({ pane, onFollow }: { readonly pane: Pane; readonly onFollow: () => void }) {
  const { view, feed, selected } = pane;
  const { live } = useWindow();
  if (view.status === "idle") return null;
  const reading = selected ? `you are reading ${selected.time.slice(11, 19)}; ` : "";
  const failed = view.error instanceof ApiError ? view.error.message : view.error instanceof Error ? view.error.message : "";
  return (
    <div className="stay" role="status">
      {view.notice !== "" ? <><Mark kind="warn" /><b className="strong">Not there</b><span className="quote trunc">{view.notice}</span></> : view.status === "reconnecting" ? <><Mark kind="unknown" label="reconnecting" /><b className="strong">Connection lost</b><span className="t2 trunc">what is shown stays; it goes on where it stopped, nothing is left out</span></> : view.status === "failed" ? <><Mark kind="crit" /><b className="strong">Stopped</b><span className="quote trunc">{failed}</span></> : view.lag ? <><Mark kind="warn" /><b className="strong">Behind</b><span className="t2 trunc">{count(view.lag.lines)} lines, {bytes(view.lag.bytes)} are still in the file</span></> : view.following ? <><Mark kind="move" label="following" /><b className="strong">Following</b><span className="t2 trunc">{plural(view.sources.length, "container")}{view.older && view.lines > MOST_ROWS ? `; older lines are read again on the way up` : ""}</span></> : live ? <><Icon name="pause" small /><b className="strong">Held</b><span className="t2 trunc">{reading}{view.newer > 0 ? `${view.newer.toLocaleString("en")} newer lines` : view.cut ? "newer lines are read on the way down" : "0 newer lines"}</span></> : <><Icon name="clock" small /><b className="strong">Past</b><span className="t2 trunc">{reading}a fixed window; nothing new is added</span></>}
      <span className="sp" />
      {view.loading !== null ? <span className="t3">reading {view.loading} lines{view.looked?.to ? `, back to ${lookedText(view.looked.to)}` : ""}</span> : view.looked !== null && view.looked.state !== "end" && view.looked.to ? <span className="t3">looked back to {lookedText(view.looked.to)}</span> : null}
      {view.loading === "older" && view.looked?.state === "on" ? <button type="button" className="btn quiet" onClick={() => feed.stopLooking()}>Stop</button> : null}
      <button type="button" className="btn quiet" disabled={view.rows.length === 0} title="to the first line of the window" onClick={() => void feed.jump("start")}><Icon name="arrow-up" />Start</button>
      {view.older && view.loading === null ? <button type="button" className="btn quiet" onClick={() => void feed.older()}>Older lines</button> : null}
      {live ? (view.following && view.status !== "failed" ? <button type="button" className="btn" onClick={() => feed.hold()}>Hold <kbd>f</kbd></button> : <button type="button" className="btn" onClick={onFollow}><Icon name="play" />Follow <kbd>f</kbd></button>) : <button type="button" className="btn" onClick={() => void feed.jump("end")}><Icon name="arrow-down" />End</button>}
    </div>
  );
}
