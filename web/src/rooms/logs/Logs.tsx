/** Logs: pick sources, follow, page both ways, filter, find, count, and see what is missing. One pane, or two on one time axis. */

import "./logs.css";

import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";

import { readColumns } from "../../core/columns";
import { also } from "../../core/expr";
import { plural } from "../../core/format";
import { seriesIndex } from "../../core/palette";
import { readStamp, readZone, type StampStyle } from "../../core/stamp";
import { CrumbSep, Frame, Here } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon } from "../../ui/Mark";
import { copyText } from "../../ui/parts";
import { usePhone } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { toast } from "../../ui/toast";
import { useCarried, useChangeView, useOrg, useView, useWindow } from "../../ui/view";
import { CONFIRM_BYTES, useCount } from "./ask";
import { Facets } from "./Facets";
import { Act, FloatMenu } from "./FloatMenu";
import type { LineRow } from "./feed";
import { BUCKETS } from "./Histogram";
import { CONTEXTS, LineDrawer, metricsAddress, permalink, traceIdOf, useTracesAround } from "./LineDrawer";
import type { LinesHandle } from "./Lines";
import type { ActOn } from "./LineView";
import { ActMenu, COPIES, type CopyAs } from "./Menus";
import { usePane, type Pane, type Side } from "./pane";
import { PaneView } from "./PaneView";
import { parseSource } from "./select";
import { Sources } from "./Sources";
import { asJson, asText, similarTo, sourceName, textOf } from "./text";
import { Truth } from "./Truth";

const NO_HEIGHTS: ReadonlyMap<string, number> = new Map();

/** Colour of each source: its own, unless the address gives it another. */
function useHues(panes: readonly Pane[]): ReadonlyMap<string, number> {
  const { hue } = useView();
  const names = [...new Set(panes.flatMap((p) => p.view.sources.map(sourceName)))].join("\n");
  return useMemo(() => {
    const chosen = new Map((hue ?? "").split(",").flatMap((h) => { const cut = h.lastIndexOf(":"); return cut > 0 ? [[h.slice(0, cut), Number(h.slice(cut + 1))] as const] : []; }));
    return new Map(names.split("\n").map((n) => { const set = chosen.get(n); return [n, set !== undefined && set >= 1 && set <= 8 ? set : seriesIndex(n.split("/")[0] ?? n)]; }));
  }, [hue, names]);
}

/** Counts of a pane over the whole window, unless that would read too much unasked. */
function useTimeCount(pane: Pane, wanted: boolean) {
  const cheap = pane.estimate !== null && pane.estimate.bytes <= CONFIRM_BYTES;
  const answer = useCount({ query: pane.query, by: "time", buckets: BUCKETS, enabled: wanted && cheap });
  return { data: answer.data, error: answer.error as unknown, cheap };
}

export function Logs() {
  const address = useView();
  const change = useChangeView();
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const { live } = useWindow();
  const tape = useTape();
  const phone = usePhone();
  const wrap = address.wrap === "1";
  const [heights, setHeights] = useState<readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>]>([NO_HEIGHTS, NO_HEIGHTS]);
  const a = usePane("a", { phone, wrap, heights: heights[0] });
  const b = usePane("b", { phone, wrap, heights: heights[1] });
  const two = address.src2 !== undefined && !phone;
  const [side, setSide] = useState<Side>("a");
  const pane = two && side === "b" ? b : a;
  const other = pane === a ? b : a;
  const hues = useHues([a, b]);
  const columns = useMemo(() => readColumns(address.cols), [address.cols]);
  const stamp = useMemo<StampStyle>(() => ({ format: readStamp(address.ts), zone: readZone(address.tz) }), [address.ts, address.tz]);
  const countA = useTimeCount(a, true);
  const countB = useTimeCount(b, two);
  const [picking, setPicking] = useState(false);
  const [on, setOn] = useState<ActOn | null>(null);
  const [copying, setCopying] = useState(false);
  const [context, setContext] = useState<number>(CONTEXTS[0]);
  const handles = { a: useRef<LinesHandle>(null), b: useRef<LinesHandle>(null) };
  const filters = { a: useRef<HTMLInputElement>(null), b: useRef<HTMLInputElement>(null) };
  const finds = { a: useRef<HTMLInputElement>(null), b: useRef<HTMLInputElement>(null) };
  const selected = pane.selected;
  const line = selected ?? (two ? other.selected : undefined);
  const linePane = selected ? pane : other;

  const follow = (p: Pane): void => {
    if (!live) change({ t: undefined, [p.names.line]: undefined });
    else {
      p.feed.follow();
      change({ [p.names.line]: undefined }, true);
    }
  };
  const pick = (p: Pane, row: LineRow, extend: boolean): void => {
    p.feed.hold();
    if (extend && p.selected) {
      const lines = p.fold.items.flatMap((i) => (i.row.kind === "line" ? [i.row.key] : []));
      const [from, to] = [lines.indexOf(p.selected.key), lines.indexOf(row.key)].sort((x, y) => x - y);
      p.setRange(new Set(lines.slice(from, (to ?? 0) + 1)));
      return;
    }
    p.setRange(new Set());
    change({ [p.names.line]: row.key === address[p.names.line] ? undefined : row.key }, true);
  };
  // The line that the keys went to last: the address follows a little later than keys repeat.
  const reached = useRef<string | undefined>(undefined);
  const here = address[pane.names.line];
  useEffect(() => { reached.current = here; }, [here]);
  const move = (by: 1 | -1, extend: boolean): void => {
    pane.feed.hold();
    const { items } = pane.fold;
    const start = reached.current === undefined ? -1 : pane.fold.indexOf(reached.current);
    let i = start === -1 ? (by === 1 ? 0 : items.length - 1) : start + by;
    while (items[i] && items[i]?.row.kind !== "line") i += by;
    const row = items[i]?.row;
    if (row?.kind !== "line") return;
    pane.setRange(extend && selected ? new Set([...pane.range, selected.key, row.key]) : new Set());
    reached.current = row.key;
    change({ [pane.names.line]: row.key }, true);
    handles[pane.side].current?.show(i);
  };
  const jump = (p: Pane, direction: 1 | -1): void => {
    const i = p.jump(direction);
    if (i !== null) handles[p.side].current?.show(i);
  };
  const copy = (as: CopyAs): void => {
    const { rows, sources } = linePane.view;
    const target = on?.row ?? line;
    const lines = linePane.range.size > 1 ? rows.filter((r): r is LineRow => r.kind === "line" && linePane.range.has(r.key)) : target ? [target] : [];
    if (lines.length === 0) return;
    const text = lines.map((r) => (as === "json" ? asJson(r.record, sources[r.record.source]) : as === "ansi" ? r.record.message : as === "plain" ? textOf(r.record) : as === "link" ? permalink(r.record) : asText(r.record, sources[r.record.source]))).join("\n");
    void copyText(text, lines.length > 1 ? plural(lines.length, "line") : as === "link" ? "the link to this line" : "the line");
    setCopying(false);
  };
  const alike = (minus: boolean): void => {
    if (!selected) return;
    const term = similarTo(selected.record);
    if (term === "") toast("warn", "Nothing in this line is fixed, so no line is like it");
    else change({ [pane.names.q]: also(pane.typed, minus ? `not ${term}` : term) });
  };
  const source = selected ? pane.view.sources[selected.record.source] : undefined;
  const around = useTracesAround();
  useKeys({
    f: () => (pane.view.following ? pane.feed.hold() : follow(pane)),
    j: () => move(1, false), k: () => move(-1, false), J: () => move(1, true), K: () => move(-1, true), ArrowDown: () => move(1, false), ArrowUp: () => move(-1, false),
    n: () => jump(pane, 1), N: () => jump(pane, -1),
    z: () => setContext((c) => CONTEXTS[(CONTEXTS.indexOf(c as 5) + 1) % CONTEXTS.length] ?? 5),
    w: () => change({ wrap: wrap ? undefined : "1" }, true),
    s: () => alike(false), "-": () => alike(true),
    o: () => { if (selected) pane.unfold(pane.fold.hostOf(selected.key) ?? selected.key); },
    y: () => { if (line) setCopying(true); },
    m: () => { const to = source ? metricsAddress(org, source) : null; if (to) void navigate(to as never); },
    t: () => {
      const id = selected ? traceIdOf(selected.record) : null;
      if (id !== null) void navigate({ to: "/o/$org/traces/$id", params: { org, id }, search: carried as never });
      else if (selected && source && source.pod !== "") around.mutate({ record: selected.record, source });
    },
    ".": () => { if (selected) setOn({ name: "", value: "", row: selected, x: innerWidth / 2, y: innerHeight / 3 }); },
    "/": () => filters[pane.side].current?.focus(),
    "mod+f": () => finds[pane.side].current?.focus(),
    Escape: () => (pane.range.size > 0 ? pane.setRange(new Set()) : address[pane.names.line] ? change({ [pane.names.line]: undefined }, true) : change({ [pane.names.find]: undefined }, true)),
  });

  const broken = [...a.chosen, ...b.chosen].filter((c) => parseSource(c) === null).join(", ");
  useEffect(() => { if (broken !== "") toast("warn", `Not understood as a log source: ${broken}`); }, [broken]);
  const name = a.chosen.length === 0 ? "Logs" : `${a.chosen[0]?.split("/").at(-1) ?? ""}${a.chosen.length > 1 ? ` + ${a.chosen.length - 1}` : ""}`;
  const first = a.chosen[0]?.split("/") ?? [];
  const looks = { columns, stamp, wrap, hues };
  const drawn = (p: Pane) => (
    <PaneView
      key={p.side} pane={p} looks={looks} active={p === pane} two={two} counted={p === a ? countA : countB} handle={handles[p.side]} filterBox={filters[p.side]} findBox={finds[p.side]} onJumpMatch={(d) => jump(p, d)} onPick={(row, extend) => pick(p, row, extend)} onAct={setOn}
      onHeights={(h) => setHeights((old) => (p.side === "a" ? [h, old[1]] : [old[0], h]))} onActive={() => setSide(p.side)} onFollow={() => follow(p)}
      extra={p.side === "a" ? <button type="button" className="btn icon on-phone" aria-label="Choose sources" onClick={() => setPicking(true)}><Icon name="layers" /></button> : null}
    />
  );
  return (
    <Frame
      title={a.chosen.length === 0 ? "Logs" : `Logs of ${name}`}
      className={`r-logs${line ? "" : " alone"}${two ? " two" : ""}${picking || (phone && a.chosen.length === 0) ? " picking" : ""}`}
      crumbs={<>{first[0] ? <><span className="crumb"><Icon name="server" small />{first[0]}</span><CrumbSep /></> : null}{first[1] && first[1] !== "-" ? <><span className="crumb"><Icon name="box" small />{first[1]}</span><CrumbSep /></> : null}<Here icon="scroll-text">{name}</Here></>}
      right={two || phone || a.chosen.length === 0 ? null : <button type="button" className="btn quiet" title="A second pane on the same time axis" onClick={() => { setSide("b"); change({ src2: address.src, q2: address.q }); }}><Icon name="panel-left" />Second pane</button>}
      tape={{ ...tape, left: phone ? 12 : 237, right: line && !phone ? 385 : phone ? 12 : 26, note: plural(a.view.sources.length, "container") }}
      truth={<Truth view={pane.view} />}
      keys={[["f", "follow"], ["j k", "line"], ["n N", "match"], ["z", "context"], ["t", "traces"], ["s", "similar"], ["-", "exclude"], ["y", "copy as"]]}
    >
      <Sources pane={pane} hues={hues} onDone={() => setPicking(false)}><Facets pane={pane} counted={(pane === a ? countA : countB).data} counting={(pane === a ? countA : countB).cheap} /></Sources>
      {two ? <div className="panes">{drawn(a)}{drawn(b)}</div> : drawn(a)}
      {line ? <LineDrawer key={line.key} pane={linePane} row={line} context={context} onContext={() => setContext((c) => CONTEXTS[(CONTEXTS.indexOf(c as 5) + 1) % CONTEXTS.length] ?? 5)} onCopy={() => setCopying(true)} onAct={setOn} /> : null}
      <ActMenu on={on} pane={linePane.view.rows.includes(on?.row as never) ? linePane : pane} onClose={() => setOn(null)} onCopy={copy} />
      {copying ? <FloatMenu label={linePane.range.size > 1 ? `Copy ${linePane.range.size} lines as` : "Copy as"} x={innerWidth / 2 - 110} y={innerHeight / 4} onClose={() => setCopying(false)}>{COPIES.map(([as, text]) => <Act key={as} text={text} onPick={() => copy(as)} />)}</FloatMenu> : null}
    </Frame>
  );
}
