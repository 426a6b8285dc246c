/** Logs: pick sources, follow, page back, find, and see what is missing. */

import "./logs.css";

import { useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import { bytes, count, duration, plural } from "../../core/format";
import { finder as makeFinder, step, type Match } from "../../core/find";
import { readList, tally } from "../../core/list";
import { LEVELS, parseLogQuery } from "../../core/logquery";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { copyText, Empty, Fault, Loading } from "../../ui/parts";
import { usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { toast } from "../../ui/toast";
import { useChangeView, useView, useWindow } from "../../ui/view";
import { LogFeed, MOST_ROWS, type FeedAsk, type FeedView, type Row } from "./feed";
import { Histogram } from "./Histogram";
import { LineDrawer } from "./LineDrawer";
import { Lines, type LinesHandle } from "./Lines";
import { parseSource } from "./select";
import { Sources, type Counts } from "./Sources";
import { textOf } from "./text";

const TYPING_MS = 400;
const COUNT_MS = 1000;

/** The query in the address once typing has paused. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function useFeed(ask: FeedAsk, generation: number): LogFeed {
  const key = JSON.stringify(ask);
  const feed = useMemo(() => new LogFeed(JSON.parse(key) as FeedAsk), [key, generation]);
  useEffect(() => {
    void feed.start();
    return () => feed.stop();
  }, [feed]);
  return feed;
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

function countRows(view: FeedView): Counts {
  const lines = view.rows.flatMap((r) => (r.kind === "line" ? [r.record] : []));
  const levels = new Map(tally(lines.map((r) => r.level)));
  return {
    levels: [...LEVELS].reverse().map((l) => [l, levels.get(l) ?? 0] as const).concat([["unknown", levels.get("unknown") ?? 0] as never]).filter(([, n]) => n > 0),
    streams: tally(lines.map((r) => r.stream)),
    pods: tally(lines.map((r) => { const s = view.sources[r.source]; return s ? s.pod || s.container : "unknown"; })).slice(0, 4),
  };
}

export function Logs() {
  const address = useView();
  const change = useChangeView();
  const { window, span, live } = useWindow();
  const tape = useTape();
  const chosen = useMemo(() => readList(address.src), [address.src]);
  const query = useSettled(address.q ?? "");
  const parsed = useMemo(() => parseLogQuery(query), [query]);
  const typedNow = useMemo(() => parseLogQuery(address.q ?? ""), [address.q]);
  const [generation, setGeneration] = useState(0);
  const ask = useMemo<FeedAsk>(() => ({
    sources: chosen.flatMap((c) => parseSource(c) ?? []),
    filter: parsed.ok ? { ...parsed.terms, fields: { ...parsed.terms.fields } } : {},
    from: window.kind === "absolute" ? window.fromMs : null,
    to: window.kind === "absolute" ? window.toMs : null,
  }), [chosen, parsed, window]);
  const feed = useFeed(ask, generation);
  const view = useSyncExternalStore(feed.listen, feed.read);
  const slow = useSlowVersion(view);
  const counts = useMemo(() => countRows(view), [slow, feed]);
  const needle = useDeferredValue(address.find ?? "");
  const found = useMemo(() => makeFinder(needle, { regex: address.re === "1", matchCase: address.case === "1" }), [needle, address.re, address.case]);
  const finder = found !== null && "ranges" in found ? found : null;
  const matches = useMemo<readonly Match[]>(() => (finder ? view.rows.flatMap((r, row) => (r.kind === "line" ? finder.ranges(textOf(r.record)).map(([start]) => ({ row, start })) : [])) : []), [finder, slow, feed]);
  const [place, setPlace] = useState<Match | null>(null);
  const shownPlace = place ? { row: place.row - view.first, start: place.start } : null;
  const position = shownPlace ? matches.findIndex((m) => m.row === shownPlace.row && m.start === shownPlace.start) : -1;
  const lines = useRef<LinesHandle>(null);
  const filterBox = useRef<HTMLInputElement>(null);
  const findBox = useRef<HTMLInputElement>(null);
  const selectedIndex = address.line === undefined ? -1 : view.rows.findIndex((r) => r.key === address.line);
  const selected = view.rows[selectedIndex];
  const wrap = address.wrap === "1";
  const drawer = selected?.kind === "line";
  const phone = usePhone();
  const [picking, setPicking] = useState(false);

  const follow = (): void => {
    if (!live) change({ t: undefined });
    else if (!feed.follow()) setGeneration((g) => g + 1);
    change({ line: undefined }, true);
  };
  const pick = (row: Row): void => {
    if (row.kind !== "line") return;
    feed.hold();
    change({ line: row.key === address.line ? undefined : row.key }, true);
  };
  const move = (by: 1 | -1): void => {
    feed.hold();
    let i = selectedIndex === -1 ? (by === 1 ? 0 : view.rows.length - 1) : selectedIndex + by;
    while (view.rows[i] && view.rows[i]?.kind !== "line") i += by;
    const row = view.rows[i];
    if (!row) return;
    change({ line: row.key }, true);
    lines.current?.show(i);
  };
  const jump = (direction: 1 | -1): void => {
    const i = step(matches, shownPlace ?? (selectedIndex >= 0 ? { row: selectedIndex, start: -1 } : null), direction);
    const match = i === null ? undefined : matches[i];
    if (!match) return;
    feed.hold();
    setPlace({ row: match.row + view.first, start: match.start });
    lines.current?.show(match.row);
  };
  useKeys({
    f: () => (view.following ? feed.hold() : follow()),
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    n: () => jump(1), N: () => jump(-1),
    w: () => change({ wrap: wrap ? undefined : "1" }, true),
    y: () => { if (selected?.kind === "line") void copyText(`${selected.record.ts} ${selected.record.message}`, "the line"); },
    "/": () => filterBox.current?.focus(),
    "mod+f": () => findBox.current?.focus(),
    Escape: () => (address.line ? change({ line: undefined }, true) : change({ find: undefined }, true)),
  });

  const broken = chosen.filter((c) => parseSource(c) === null);
  useEffect(() => { if (broken.length > 0) toast("warn", `Not understood as a log source: ${broken.join(", ")}`); }, [broken.join(",")]);
  const name = chosen.length === 0 ? "Logs" : `${chosen[0]?.split("/").at(-1) ?? ""}${chosen.length > 1 ? ` + ${chosen.length - 1}` : ""}`;
  const first = chosen[0]?.split("/") ?? [];
  return (
    <Frame
      title={chosen.length === 0 ? "Logs" : `Logs of ${name}`}
      className={`r-logs${drawer ? "" : " alone"}${picking || (phone && chosen.length === 0) ? " picking" : ""}`}
      crumbs={<>{first[0] ? <><span className="crumb"><Icon name="server" small />{first[0]}</span><CrumbSep /></> : null}{first[1] && first[1] !== "-" ? <><span className="crumb"><Icon name="box" small />{first[1]}</span><CrumbSep /></> : null}<Here icon="scroll-text">{name}</Here></>}
      tape={{ ...tape, left: phone ? 12 : 237, right: drawer && !phone ? 385 : phone ? 12 : 26, note: plural(view.sources.length, "container") }}
      truth={<Truth view={view} />}
      keys={[["f", "follow"], ["j k", "line"], ["n N", "match"], ["w", "wrap"], ["y", "copy"]]}
    >
      <Sources chosen={chosen} files={view.sources.length} counts={counts} onDone={() => setPicking(false)} />
      <section className="pane well" aria-label="Lines">
        <div className="srch">
          <button type="button" className="btn icon on-phone" aria-label="Choose sources" onClick={() => setPicking(true)}><Icon name="layers" /></button>
          <div className="inp code" data-invalid={!typedNow.ok}>
            <Icon name="search" small className="t3" />
            <input ref={filterBox} aria-label="Filter" aria-invalid={!typedNow.ok} aria-describedby="filter-fault" spellCheck={false} placeholder={'level>=warn text -"not this" key=value stream:stderr'} value={address.q ?? ""} onChange={(e) => change({ q: e.target.value || undefined }, true)} onKeyDown={(e) => { if (e.key === "Escape") e.currentTarget.blur(); }} />
            <span id="filter-fault" className="c-crit s11 nowrap" style={{ fontFamily: "var(--font-ui)" }} role="status">{typedNow.ok ? "" : typedNow.error}</span>
            {address.q ? <button type="button" aria-label="Clear the filter" onClick={() => change({ q: undefined })}><Icon name="x" small className="t3" /></button> : <kbd>/</kbd>}
          </div>
          <div className="inp code find">
            <span className="t3 s11" style={{ fontFamily: "var(--font-ui)" }}>find</span>
            <input ref={findBox} aria-label="Find in the loaded lines" spellCheck={false} value={address.find ?? ""} onChange={(e) => { setPlace(null); change({ find: e.target.value || undefined }, true); }} onKeyDown={(e) => { if (e.key === "Enter") jump(e.shiftKey ? -1 : 1); if (e.key === "Escape") e.currentTarget.blur(); }} />
            <span className={`tn nowrap ${found !== null && "error" in found ? "c-crit" : "t2"}`} style={{ font: "400 12px var(--font-ui)" }} role="status">{found === null ? "" : "error" in found ? "not a pattern" : position >= 0 ? `${count(position + 1)} of ${count(matches.length)}` : `${count(matches.length)}`}</span>
            <button type="button" className="tg" aria-pressed={address.case === "1"} aria-label="Match case" onClick={() => change({ case: address.case === "1" ? undefined : "1" }, true)}><Icon name="case-sensitive" /></button>
            <button type="button" className="tg" aria-pressed={address.re === "1"} aria-label="Regular expression" onClick={() => change({ re: address.re === "1" ? undefined : "1" }, true)}><Icon name="regex" /></button>
            <button type="button" className="tg" aria-label="Previous match, shift N" disabled={matches.length === 0} onClick={() => jump(-1)}><Icon name="arrow-up" /></button>
            <button type="button" className="tg" aria-label="Next match, n" disabled={matches.length === 0} onClick={() => jump(1)}><Icon name="arrow-down" /></button>
          </div>
          <button type="button" className="btn icon" aria-label="Wrap lines" aria-pressed={wrap} title="Wrap lines (w)" onClick={() => change({ wrap: wrap ? undefined : "1" }, true)}><Icon name="wrap-text" /></button>
          <button type="button" className="btn icon" aria-label="Download the loaded lines" title="Download the loaded lines" disabled={view.rows.length === 0} onClick={() => save(view)}><Icon name="download" /></button>
        </div>
        <Histogram rows={view.rows} version={slow} span={span} partial={view.older} />
        <div className="hdr"><span className="hdg" style={{ flex: 1 }}><span>time, UTC</span><span>level</span><span>pod</span><span>message and fields</span></span><span className="legend"><span><i style={{ width: 8, height: 8, background: "var(--crit-fill)", display: "inline-block" }} />error</span><span><i style={{ width: 8, height: 8, background: "var(--warn-fill)", display: "inline-block" }} />warn</span><span><i style={{ width: 8, height: 8, background: "var(--s-rest)", display: "inline-block" }} />other</span></span></div>
        <Body view={view} chosen={chosen} filtered={query !== ""} onRetry={() => setGeneration((g) => g + 1)}>
          <Lines view={view} finder={finder} current={shownPlace} selected={address.line} wrap={wrap} handle={lines} onHold={() => feed.hold()} onFollow={() => feed.follow()} onOlder={() => void feed.older()} onPick={pick} />
        </Body>
        <Stay view={view} live={live} selected={selected} onFollow={follow} onHold={() => feed.hold()} onOlder={() => void feed.older()} />
      </section>
      {selected?.kind === "line" ? <LineDrawer row={selected} rows={view.rows} source={view.sources[selected.record.source]} onClose={() => change({ line: undefined }, true)} onPick={pick} /> : null}
    </Frame>
  );
}

function Body({ view, chosen, filtered, onRetry, children }: { readonly view: FeedView; readonly chosen: readonly string[]; readonly filtered: boolean; readonly onRetry: () => void; readonly children: React.ReactNode }) {
  const change = useChangeView();
  if (chosen.length === 0) return <Empty title="Choose what to read">Tick a workload, pod or container at the left. Lines are read at the file, on its own node.</Empty>;
  if (view.status === "failed" && view.rows.length === 0) return <Fault error={view.error} what="the lines" retry={onRetry} />;
  if (view.rows.length > 0) return <>{children}</>;
  if (view.status === "loading") return <Loading rows={14} what="lines" />;
  return (
    <Empty title={filtered ? "No line matches" : "No line in this window"} action={filtered ? <button type="button" className="btn" onClick={() => change({ q: undefined })}>Clear filter</button> : null}>
      {view.status === "open" ? "New lines appear here as they are written. " : ""}{view.summary?.oldest ? `The oldest line on disk is from ${view.summary.oldest.slice(0, 19)}Z.` : ""}
    </Empty>
  );
}

interface StayProps {
  readonly view: FeedView;
  readonly live: boolean;
  readonly selected: Row | undefined;
  readonly onFollow: () => void;
  readonly onHold: () => void;
  readonly onOlder: () => void;
}

/** Following, held, lagging, cut: always said, with the way on. */
function Stay({ view, live, selected, onFollow, onHold, onOlder }: StayProps) {
  if (view.status === "idle") return null;
  const reading = selected ? `you are reading ${selected.time.slice(11, 19)}; ` : "";
  return (
    <div className="stay" role="status">
      {view.status === "reconnecting" ? <><Mark kind="unknown" label="reconnecting" /><b className="strong">Connection lost</b><span className="t2 trunc">goes on where it stopped; nothing is left out</span></> : view.status === "failed" ? <><Mark kind="crit" /><b className="strong">Stopped</b><span className="quote trunc">{view.error instanceof Error ? view.error.message : String(view.error)}</span></> : view.lag ? <><Mark kind="warn" /><b className="strong">Behind</b><span className="t2 trunc">{count(view.lag.lines)} lines, {bytes(view.lag.bytes)} are still in the file</span></> : view.following ? <><Mark kind="move" label="following" /><b className="strong">Following</b><span className="t2 trunc">{plural(view.sources.length, "container")}{view.evicted > 0 ? `; ${count(view.evicted)} older lines left this window of ${count(MOST_ROWS)}` : ""}</span></> : live ? <><Icon name="pause" small /><b className="strong">Held</b><span className="t2 trunc">{reading}{view.tailCut ? "newer lines left this window" : `${count(view.newer)} newer lines${view.waiting ? "; the window is full, the rest waits in the file" : ""}`}</span></> : <><Icon name="clock" small /><b className="strong">Past</b><span className="t2 trunc">a fixed window; nothing new is added</span></>}
      <span className="sp" />
      {view.loadingOlder ? <span className="t3">asking for older lines</span> : view.older ? <button type="button" className="btn quiet" onClick={onOlder}>Older lines</button> : view.rows.length > 0 ? <span className="t3">this is the oldest line there is</span> : null}
      {view.following ? <button type="button" className="btn" onClick={onHold}>Hold <kbd>f</kbd></button> : <button type="button" className="btn" onClick={onFollow}>Follow <kbd>f</kbd></button>}
    </div>
  );
}

/** Proves how complete the page is. */
function Truth({ view }: { readonly view: FeedView }) {
  const s = view.summary;
  if (view.status === "idle") return <span>no source chosen</span>;
  return (
    <>
      {s ? <span>{view.gaps > 0 ? <Mark kind="warn" /> : null}<b>{s.files_read} of {plural(s.files_known, "file")}</b>{view.gaps > 0 ? `, ${plural(view.gaps, "gap")}` : ""}</span> : null}
      {s ? <span><b>scanned</b> {bytes(Math.max(view.scannedBytes, s.scanned_bytes))} in {duration(s.took_ms)}</span> : null}
      <span><b>lines</b> {count(view.rows.length)}</span>
      {s && s.completeness !== "" ? <span><b>{s.completeness}</b></span> : null}
    </>
  );
}

function save(view: FeedView): void {
  const text = view.rows.map((r) => (r.kind === "line" ? `${r.record.ts} ${view.sources[r.record.source]?.pod ?? ""} ${r.record.message}` : r.kind === "gap" ? `# gap ${r.gap.kind} ${r.gap.text}` : `# ${r.marker.kind} ${r.marker.reason}`)).join("\n");
  const url = URL.createObjectURL(new Blob([text, "\n"], { type: "text/plain" }));
  const a = document.createElement("a");
  a.href = url;
  a.download = "pilothouse.log";
  a.click();
  URL.revokeObjectURL(url);
}
