/** The list of lines: only what is seen is drawn; pinned to the end while following, still while held, whatever comes, leaves or is read again at either end. */

import { useEffect, useLayoutEffect, useReducer, useRef, useSyncExternalStore, type CSSProperties, type KeyboardEvent, type MouseEvent, type RefObject } from "react";

import type { StampStyle } from "../../core/stamp";
import { useSize } from "../../ui/size";
import type { LineRow } from "./feed";
import { LineView, MarkRow, valueAt, type ActOn } from "./LineView";
import type { Pane } from "./pane";
import { Rail } from "./Rail";
import { sourceName } from "./text";

const NEAR_END_PX = 10;
/** Pages are asked for before the edge is reached. */
const NEAR_EDGE_PX = 1200;
const OVERSCAN_PX = 200;
/** While following, lines are drawn in a layer that stays put, so that no frame scrolls; the room for scrolling grows in these steps. */
const STEP_PX = 50_000;

export interface LinesHandle {
  readonly show: (index: number) => void;
}

interface LinesProps {
  readonly pane: Pane;
  readonly columns: readonly string[];
  readonly grid: string;
  readonly stamp: StampStyle;
  readonly now: number;
  readonly wrap: boolean;
  readonly hues: ReadonlyMap<string, number>;
  readonly handle: RefObject<LinesHandle | null>;
  readonly onPick: (row: LineRow, extend: boolean) => void;
  readonly onAct: (on: ActOn) => void;
  readonly onHeights: (heights: ReadonlyMap<string, number>) => void;
}

interface Anchor {
  readonly key: string;
  readonly offset: number;
}

/** Says when the frame that is being drawn is done: a message comes after the browser has painted. */
const afterPaint = new MessageChannel();
const painted: (() => void)[] = [];
afterPaint.port1.onmessage = () => { for (const done of painted.splice(0)) done(); };

export function Lines({ pane, columns, grid, stamp, now, wrap, hues, handle, onPick, onAct, onHeights }: LinesProps) {
  const { fold, feed } = pane;
  const view = useSyncExternalStore(feed.listen, feed.read);
  const began = performance.now();
  fold.sync(view.rows, view.shape, pane.foldStyle);
  const [box, { height: seen }] = useSize<HTMLDivElement>();
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const top = useRef(0);
  const anchor = useRef<Anchor | null>(null);
  const generation = useRef(fold.generation);
  /** The place that this component scrolled to: its own scroll events are not a person's. */
  const own = useRef(-1);

  // Where to stand now: at the end, or at the same line as before, however much came or went above it.
  const deepest = Math.max(0, fold.height - seen);
  if (view.following) top.current = deepest;
  else if (generation.current !== fold.generation && anchor.current) {
    const at = fold.items[fold.indexOf(anchor.current.key)];
    if (at) top.current = Math.min(deepest, Math.max(0, at.top + anchor.current.offset));
  }
  generation.current = fold.generation;

  const { following } = view;
  // Lines move on before anyone could scroll to them: nothing beyond what is seen is drawn.
  const over = following ? 0 : OVERSCAN_PX;
  const from = Math.max(0, fold.at(top.current - over));
  const to = fold.at(top.current + Math.max(seen, 100) + over);
  const room = following && fold.height > STEP_PX ? Math.ceil(fold.height / STEP_PX) * STEP_PX : fold.height;
  const scroll = following ? Math.max(0, room - seen) : top.current;
  const stood = useRef(-1);
  const anchorNow = (): void => {
    const item = fold.items[fold.at(top.current)];
    anchor.current = item ? { key: item.key, offset: top.current - item.top } : null;
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    // Reading the place makes the browser lay out; while following it is known.
    if (!(following && stood.current === scroll) && Math.abs(element.scrollTop - scroll) > 0.5) {
      element.scrollTop = scroll;
      own.current = element.scrollTop;
    }
    stood.current = following ? scroll : -1;
    anchorNow();
    painted.push(() => feed.pace.drew(began, performance.now()));
    afterPaint.port2.postMessage(null);
  });

  const show = (index: number): void => {
    const item = fold.items[index];
    if (!item) return;
    feed.hold();
    const bottom = fold.bottomOf(index);
    if (item.top >= top.current + 20 && bottom <= top.current + seen - 20) return;
    top.current = Math.min(Math.max(0, fold.height - seen), Math.max(0, item.top - seen / 2));
    anchorNow();
    draw();
  };
  handle.current = { show };

  const { reveal } = view;
  useEffect(() => {
    if (reveal === null || view.rows.length === 0) return;
    show(fold.indexOf(reveal));
    feed.revealed();
  });

  const edges = (): void => {
    if (view.loading !== null) return;
    if (view.older && top.current < NEAR_EDGE_PX && !view.following) void feed.older();
    else if (view.cut && fold.height - seen - top.current < NEAR_EDGE_PX) void feed.newer();
  };
  // A page may not be enough to fill what is seen, or a person may stand at the edge while it came.
  useEffect(() => { if (!view.following && view.rows.length > 0 && seen > 0 && view.status !== "loading") edges(); }, [view.shape, view.loading, view.rows.length]);

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    // The browser tells of one move more than once when the room changed with it: who stands where this component stands has not moved.
    const mine = Math.abs(element.scrollTop - own.current) < 1 || Math.abs(element.scrollTop - scroll) < 1;
    own.current = -1;
    if (mine) return;
    const up = element.scrollTop < scroll - 1;
    const left = room - element.scrollTop - seen;
    top.current = following ? Math.max(0, deepest - left) : element.scrollTop;
    stood.current = -1;
    anchorNow();
    if (view.following && up && left > NEAR_END_PX) feed.hold();
    else if (!view.following && !up && left <= NEAR_END_PX && !view.cut && view.status === "open") feed.follow();
    edges();
    draw();
  };

  const measured = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    if (!wrap || !box.current) return;
    let changed = false;
    for (const element of box.current.querySelectorAll<HTMLElement>("[data-line]")) {
      const key = element.dataset["line"] ?? "";
      const height = element.offsetHeight;
      if (height > 0 && measured.current.get(key) !== height) {
        measured.current.set(key, height);
        changed = true;
      }
    }
    if (changed) onHeights(new Map(measured.current));
  });
  useEffect(() => {
    measured.current.clear();
    onHeights(new Map());
  }, [wrap, grid]);

  const lineAt = (event: MouseEvent): { row: LineRow; element: HTMLElement } | null => {
    const element = (event.target as HTMLElement).closest<HTMLElement>("[data-line]");
    const item = element ? fold.items[fold.indexOf(element.dataset["line"] ?? "")] : undefined;
    return element && item?.row.kind === "line" ? { row: item.row, element } : null;
  };
  const click = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    const at = lineAt(event);
    if (!at || window.getSelection()?.toString()) return;
    const folded = target.closest("[data-fold]");
    const value = valueAt(target, at.row, view.sources[at.row.source]);
    if (folded) {
      feed.hold();
      pane.unfold(at.row.key);
    } else if (value) onAct({ ...value, row: at.row, x: event.clientX, y: event.clientY });
    else onPick(at.row, event.shiftKey);
  };
  const menu = (event: MouseEvent): void => {
    const at = lineAt(event);
    if (!at) return;
    event.preventDefault();
    const value = valueAt(event.target as HTMLElement, at.row, view.sources[at.row.source]) ?? { name: "", value: "" };
    feed.hold();
    onAct({ ...value, row: at.row, x: event.clientX, y: event.clientY });
  };
  const named = (event: MouseEvent): void => {
    const element = (event.target as HTMLElement).closest<HTMLElement>(".so");
    const at = element ? lineAt(event) : null;
    const source = at ? view.sources[at.row.source] : undefined;
    if (element && source) element.title = `${source.cluster} / ${source.namespace} / ${sourceName(source)}`;
  };
  const key = (event: KeyboardEvent): void => {
    if (["PageUp", "Home"].includes(event.key)) feed.hold();
  };
  return (
    <div style={{ position: "relative", flex: 1, minHeight: 0, display: "flex" }}>
      <div className={`lg${wrap ? " wrapped" : ""}`} ref={box} tabIndex={0} role="log" aria-live="off" aria-label={`Log lines, ${view.following ? "following" : "held"}`} onScroll={scrolled} onWheel={(e) => { if (e.deltaY < 0) feed.hold(); }} onKeyDown={key} onMouseOver={named} onClick={click} onContextMenu={menu} style={{ "--log-columns": grid } as CSSProperties}>
        <div style={{ height: room, position: "relative" }}>
          <div className={following ? "layer" : ""} style={following ? { height: Math.min(seen, room) } : undefined}>
            {/* Rows stand one below the other in one box: the browser paints one thing, not one for each row. */}
            <div className="rows" style={{ transform: `translateY(${(fold.items[from]?.top ?? 0) - (following ? top.current : 0)}px)` }}>
              {fold.items.slice(from, to + 1).map((item, i) => {
                const { row } = item;
                const size = wrap && row.kind === "line" ? undefined : { height: fold.bottomOf(from + i) - item.top };
                // While following, a place on the screen keeps its elements and changes its text.
                const slot = following ? i : item.key;
                if (row.kind !== "line") return <div key={slot} style={size}><MarkRow row={row} sources={view.sources} stamp={stamp} now={now} onJump={(ms) => void feed.jump({ ms })} /></div>;
                const source = view.sources[row.record.source];
                return (
                  <div key={slot} style={size}>
                    <LineView row={row} source={source} hue={hues.get(sourceName(source)) ?? 0} columns={columns} stamp={stamp} now={stamp.format === "relative" ? now : 0} finder={pane.finder} hit={pane.place !== null && pane.place.key === row.key ? pane.place.start : -1} folded={item.folded} unfolded={pane.open.has(item.key)} repeats={item.repeats} selected={row.key === pane.selected?.key} ranged={pane.range.has(row.key)} wrap={wrap} />
                  </div>
                );
              })}
            </div>
          </div>
        </div>
      </div>
      <Rail items={fold.items} height={fold.height} version={pane.slow} onPick={show} />
    </div>
  );
}
