/** The state of one pane: its sources, its filter, its lines, what is found and selected. Two panes share time, columns and wrapping. */

import { useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import type { LogFilterError, LogQuery } from "../../api/types";
import { estimate, type Estimate } from "../../core/estimate";
import { finder as makeFinder, step, type Finder, type Match } from "../../core/find";
import { Fold, type FoldStyle, type Shape } from "../../core/fold";
import { readList } from "../../core/list";
import { useView, useWindow, type ViewKey } from "../../ui/view";
import { CONFIRM_BYTES, selectsOf, useAlerts, useEvents, useFault, useSources } from "./ask";
import { LogFeed, type FeedAsk, type FeedView, type LineRow, type Row } from "./feed";
import { remember } from "./recent";
import { sourceName, textOf } from "./text";

const TYPING_MS = 400;
const COUNT_MS = 1000;

/** A row that stands between lines: an event of the cluster, a change, an alert that began. */
export interface EventRow extends Shape {
  readonly kind: "event";
  readonly title: string;
  readonly said: string;
  readonly node: string;
  readonly tone: "change" | "alert" | "bad" | "plain";
}

export type Shown = Row | EventRow;

export type Side = "a" | "b";
export interface Names {
  readonly src: ViewKey;
  readonly q: ViewKey;
  readonly find: ViewKey;
  readonly line: ViewKey;
}
export const NAMES: Readonly<Record<Side, Names>> = { a: { src: "src", q: "q", find: "find", line: "line" }, b: { src: "src2", q: "q2", find: "find2", line: "line2" } };

export interface Pane {
  readonly side: Side;
  readonly names: Names;
  readonly chosen: readonly string[];
  readonly feed: LogFeed;
  readonly view: FeedView;
  readonly fold: Fold<Shown>;
  readonly foldStyle: FoldStyle<Shown>;
  readonly typed: string;
  readonly expr: string;
  readonly fault: LogFilterError | null;
  readonly estimate: Estimate | null;
  /** The typed text is not what the lines answer: it waits to be run. */
  readonly waits: boolean;
  readonly run: () => void;
  readonly query: LogQuery;
  /** Rises with what is counted and found: with every change while held, once a second while following. */
  readonly slow: number;
  readonly finder: Finder | null;
  readonly findError: string;
  readonly matches: readonly Match[];
  readonly place: { readonly key: string; readonly start: number } | null;
  readonly position: number;
  readonly jump: (direction: 1 | -1) => number | null;
  readonly forget: () => void;
  readonly selected: LineRow | undefined;
  readonly range: ReadonlySet<string>;
  readonly setRange: (keys: ReadonlySet<string>) => void;
  readonly open: ReadonlySet<string>;
  readonly unfold: (key: string) => void;
  readonly muted: readonly string[];
}

/** A text once typing has paused, or at once by the second value. */
function useSettled(text: string): readonly [string, () => void] {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return [settled, () => setSettled(text)];
}

function useFeed(ask: FeedAsk, cursor: string | undefined): LogFeed {
  const key = JSON.stringify(ask);
  const feed = useMemo(() => new LogFeed(JSON.parse(key) as FeedAsk), [key]);
  const first = useRef(cursor);
  first.current = cursor;
  useEffect(() => {
    void feed.start(first.current);
    return () => feed.stop();
  }, [feed]);
  return feed;
}

const CALM_MS = 1000;

/** The view for all but the lines themselves: what a person did or must know shows at once, the rest once a second. */
function calmed(feed: LogFeed): { readonly listen: (listener: () => void) => () => void; readonly read: () => FeedView } {
  let shown = feed.read();
  const notable = (now: FeedView): boolean => now.status !== shown.status || now.following !== shown.following || now.cut !== shown.cut || now.loading !== shown.loading || now.looked !== shown.looked || now.error !== shown.error || now.notice !== shown.notice || (!now.following && now.shape !== shown.shape) || (now.rows.length > 0 && shown.version < 2);
  return {
    read: () => shown,
    listen: (listener) => {
      let timer: ReturnType<typeof setTimeout> | null = null;
      const tell = (): void => {
        if (timer !== null) clearTimeout(timer);
        timer = null;
        shown = feed.read();
        listener();
      };
      const stop = feed.listen(() => {
        if (notable(feed.read())) tell();
        else timer ??= setTimeout(tell, CALM_MS);
      });
      if (feed.read() !== shown) tell();
      return () => {
        stop();
        if (timer !== null) clearTimeout(timer);
      };
    },
  };
}

/** Counts and matches follow the stream, but not every frame of it. */
function useSlowVersion(view: FeedView): number {
  const [version, setVersion] = useState(view.version);
  const latest = useRef(view.version);
  latest.current = view.version;
  useEffect(() => {
    const timer = setInterval(() => setVersion(latest.current), COUNT_MS);
    return () => clearInterval(timer);
  }, []);
  return view.following ? version : view.version;
}

const eventStamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000000Z`;

const eventRow = ({ event: e, change }: ReturnType<typeof useEvents>[number]): EventRow => ({ kind: "event", key: `event ${e.uid} ${e.at_ms}`, time: eventStamp(e.at_ms), source: -1, text: null, goesOn: false, title: change && e.reason === "ScalingReplicaSet" ? `Rollout ${e.object_name}` : `${e.reason || e.action} ${e.object_name}`, said: `${e.message}${e.count > 1 ? ` ×${e.count}` : ""}`, node: e.node, tone: change ? "change" : e.type === "Warning" ? "bad" : "plain" });

const alertRow = (p: ReturnType<typeof useAlerts>[number]): EventRow => ({ kind: "event", key: `alert ${p.id}`, time: eventStamp(p.since_ms), source: -1, text: null, goesOn: false, title: `Alert ${p.object.name}`, said: p.effect, node: "", tone: "alert" });

const GAP_PX = 26;
const MARK_PX = 22;
/** Two lines a record: time, level and pod above the message. */
const PHONE_PX = 44;

interface Looks {
  readonly phone: boolean;
  readonly wrap: boolean;
  readonly heights: ReadonlyMap<string, number>;
}

/** How lines are folded; the list of lines brings the fold up to date with every frame. */
function useFoldStyle(view: FeedView, { phone, wrap, heights }: Looks, open: ReadonlySet<string>, muted: readonly string[]): FoldStyle<Shown> {
  const folding = useView().fold !== "off";
  const events = useEvents(view.sources);
  const linePx = phone ? PHONE_PX : document.documentElement.dataset["density"] === "comfortable" ? 24 : 20;
  const mutedNumbers = useMemo(() => new Set(view.sources.flatMap((s, i) => (muted.includes(sourceName(s)) ? [i] : []))), [view.sources, muted]);
  const alerts = useAlerts(view.sources);
  const extras = useMemo<readonly EventRow[]>(() => [...events.map(eventRow), ...alerts.map(alertRow)].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)), [events, alerts]);
  return useMemo<FoldStyle<Shown>>(() => ({ fold: folding, open, muted: mutedNumbers, extras, heightOf: (row) => (row.kind === "line" ? (wrap ? (heights.get(row.key) ?? linePx) : linePx) : row.kind === "gap" ? GAP_PX : MARK_PX) }), [folding, open, mutedNumbers, extras, wrap, heights, linePx]);
}

export function usePane(side: Side, looks: Looks): Pane {
  const names = NAMES[side];
  const address = useView();
  const { window, span } = useWindow();
  const srcText = address[names.src];
  const chosen = useMemo(() => readList(srcText), [srcText]);
  const selects = useMemo(() => selectsOf(chosen), [chosen]);
  const typed = address[names.q] ?? "";
  const [settled, settle] = useSettled(typed);
  const { fault, pending } = useFault(settled, selects);
  const [expr, setExpr] = useState(typed);
  const sources = useSources(chosen);
  const cost = useMemo(() => (sources.data ? estimate(sources.data.sources, span) : null), [sources.data, span]);
  const large = cost !== null && cost.bytes > CONFIRM_BYTES;
  const right = !pending && fault === null;
  useEffect(() => {
    if (right && (settled === "" || !large)) setExpr(settled);
  }, [settled, right, large]);
  useEffect(() => { if (expr.trim() !== "") remember(expr); }, [expr]);
  const ask = useMemo<FeedAsk>(() => ({ sources: selects, expr: expr.trim(), from: window.kind === "absolute" ? window.fromMs : null, to: window.kind === "absolute" ? window.toMs : null }), [selects, expr, window]);
  const line = address[names.line];
  const feed = useFeed(ask, line);
  const calm = useMemo(() => calmed(feed), [feed]);
  const view = useSyncExternalStore(calm.listen, calm.read);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const muted = useMemo(() => readList(address.mute), [address.mute]);
  const fold = useMemo(() => new Fold<Shown>(), [feed]);
  const foldStyle = useFoldStyle(view, looks, open, muted);
  const slow = useSlowVersion(view);
  const found = useFinding(side, view, slow);
  const [place, setPlace] = useState<Pane["place"]>(null);
  const position = place ? found.matches.findIndex((m) => view.rows[m.row]?.key === place.key && m.start === place.start) : -1;
  const [range, setRange] = useState<ReadonlySet<string>>(new Set());
  const selected = useMemo(() => (line === undefined ? undefined : view.rows.find((r): r is LineRow => r.kind === "line" && r.key === line)), [line, view.rows, slow]);
  const jump = (direction: 1 | -1): number | null => {
    const at = place ? view.rows.findIndex((r) => r.key === place.key) : line ? view.rows.findIndex((r) => r.key === line) : -1;
    const i = step(found.matches, at === -1 ? null : { row: at, start: place?.start ?? -1 }, direction);
    const match = i === null ? undefined : found.matches[i];
    const row = match ? view.rows[match.row] : undefined;
    if (!match || !row) return null;
    feed.hold();
    setPlace({ key: row.key, start: match.start });
    return fold.indexOf(row.key);
  };
  return {
    side, names, chosen, feed, view, fold, foldStyle, typed, expr, fault: fault ?? null, estimate: cost, waits: typed.trim() !== expr.trim(), slow, ...found, place, position, jump, selected, range, setRange, open, muted,
    query: useMemo(() => ({ sources: ask.sources, filter: ask.expr === "" ? {} : { expr: ask.expr } }) as LogQuery, [ask.sources, ask.expr]),
    run: () => { settle(); if (fault === null) setExpr(typed); },
    forget: () => setPlace(null),
    unfold: (key) => setOpen((old) => { const next = new Set(old); if (!next.delete(key)) next.add(key); return next; }),
  };
}

function useFinding(side: Side, view: FeedView, slow: number): Pick<Pane, "finder" | "findError" | "matches"> {
  const address = useView();
  const needle = useDeferredValue(address[NAMES[side].find] ?? "");
  const made = useMemo(() => makeFinder(needle, { regex: address.re === "1", matchCase: address.case === "1" }), [needle, address.re, address.case]);
  const finder = made !== null && "ranges" in made ? made : null;
  const matches = useMemo<readonly Match[]>(() => (finder ? view.rows.flatMap((r, row) => (r.kind === "line" ? finder.ranges(textOf(r.record)).map(([start]) => ({ row, start })) : [])) : []), [finder, slow, view.rows]);
  return { finder, findError: made !== null && "error" in made ? made.error : "", matches };
}
