/** Metrics: up to four PromQL queries over the shared window, linked charts, every series with its values, boards, and all metrics with their meaning. */

import "./metrics.css";

import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";

import { clock, count, duration, plural, si } from "../../core/format";
import { readList, toggle, printList } from "../../core/list";
import { labelName, narrowed, quote, stepFor, unitOf } from "../../core/promql";
import { CrumbSep, Frame, Here, ScopeCrumbs } from "../../ui/Frame";
import { useKeys } from "../../ui/keys";
import { Icon, Mark } from "../../ui/Mark";
import { copyText, Empty, Seg } from "../../ui/parts";
import { usePhone, useSize } from "../../ui/size";
import { useTape } from "../../ui/tapeData";
import { useAskSpan, useCarried, useChangeView, useCursor, useOrg, useView, type ViewKey } from "../../ui/view";
import { LETTERS, useAbout, useOffers, useRanges, type Asked, type Letter } from "./ask";
import { BoardList, boardOf, BoardView } from "./Boards";
import { Browser } from "./Browser";
import type { EditorHandle } from "./Editor";
import { MetricChart } from "./MetricChart";
import { Labels, Moment } from "./Moment";
import { isOwn } from "./drafts";
import { OwnBoard } from "./OwnBoard";
import { nextLetter, QueryRow } from "./QueryRow";
import { drawnOf, type Drawn } from "./series";
import { SeriesTable } from "./SeriesTable";

const KEY: Readonly<Record<Letter, ViewKey>> = { A: "q", B: "q2", C: "q3", D: "q4" };

export function Metrics() {
  const view = useView();
  const change = useChangeView();
  const org = useOrg();
  const carried = useCarried();
  const tape = useTape();
  const phone = usePhone();
  const board = boardOf(view.board);
  const tab = board ? "board" : view.tab === "boards" || view.tab === "names" ? view.tab : "explore";
  const marks = useMemo(() => (tape.marks ?? []).map((m) => m.at), [tape.marks]);
  if (isOwn(view.board)) return <OwnBoard key={view.board} id={view.board} marks={marks} />;
  if (tab === "explore") return <Explore marks={marks} />;
  const crumbs = <ScopeCrumbs>{board ? <><Link className="crumb" to="/o/$org/metrics" params={{ org }} search={{ ...carried, tab: "boards" } as never}>Boards</Link><CrumbSep /><Here icon="chart-spline">{board.title}</Here></> : <Here icon="chart-spline">{tab === "boards" ? "Boards" : "All metrics"}</Here>}</ScopeCrumbs>;
  return (
    <Frame title={board?.title ?? (tab === "boards" ? "Boards" : "All metrics")} className="r-metrics" crumbs={crumbs} right={phone ? null : <Parts tab={tab} />} tape={tape} keys={[["r", "time"], ["Z", "zoom out"]]}>
      {phone ? <div className="pane parts0"><Parts tab={tab} /></div> : null}
      {board ? <BoardView key={board.id} board={board} marks={marks} /> : tab === "boards" ? <BoardList /> : <div className="split" style={{ gridColumn: "1 / -1" }}><Browser onAsk={(expr) => change({ tab: undefined, board: undefined, q: expr, q2: undefined, q3: undefined, q4: undefined })} /></div>}
    </Frame>
  );
}

function Parts({ tab }: { readonly tab: string }) {
  const change = useChangeView();
  return <Seg label="Part" value={tab === "board" ? "boards" : tab} options={[["explore", "Explore"], ["boards", "Boards"], ["names", "All metrics"]]} onPick={(v) => change({ tab: v === "explore" ? undefined : v, board: undefined, v: undefined, edit: undefined, sort: undefined, sel: undefined })} />;
}

interface Query {
  readonly letter: Letter;
  readonly text: string;
}

function Explore({ marks }: { readonly marks: readonly number[] }) {
  const view = useView();
  const change = useChangeView();
  const tape = useTape();
  const phone = usePhone();
  const [box, { width }] = useSize<HTMLDivElement>();
  const { start, end } = useAskSpan();
  const stepS = stepFor(end - start, width || 900);
  const [opened, setOpened] = useState<readonly Letter[]>([]);
  const queries = useMemo(() => LETTERS.flatMap((letter): Query[] => { const text = view[KEY[letter]] ?? ""; return text !== "" || letter === "A" || opened.includes(letter) ? [{ letter, text }] : []; }), [view, opened]);
  const asked = useRanges(queries, stepS);
  const offers = useOffers();
  const about = useAbout();
  const off = readList(view.mute);
  const hidden = readList(view.hide);
  const alone = view.sel;
  const stack = view.draw === "stack";
  const at = useCursor();
  const first = useRef<EditorHandle>(null);
  const known = useMemo(() => Object.fromEntries(Object.entries(about).map(([name, a]) => [name, UNITS[a.unit] ?? ""])), [about]);
  const units = Object.fromEntries(asked.map((a) => [a.letter, unitOf(a.text, known)]));
  const stepMs = stepS * 1000;
  const all = asked.map((a) => drawnOf(a.drawn?.lines ?? [], a.answer && at !== null ? Math.round((at - a.answer.startMs) / a.answer.stepMs) : (a.drawn?.times.length ?? 1) - 1));
  const flat = all.flatMap((d) => d);
  const shown = (i: number): readonly Drawn[] => (all[i] ?? []).filter((d) => !hidden.includes(d.id) && (alone === undefined || alone === d.id || !(all[i] ?? []).some((o) => o.id === alone)));
  const run = (letter: Letter, text: string): void => change({ [KEY[letter]]: text.trim() || undefined, sel: undefined, hide: undefined });
  const remove = (letter: Letter): void => {
    setOpened(opened.filter((o) => o !== letter));
    change({ [KEY[letter]]: undefined });
  };
  const add = (): void => {
    const next = nextLetter(queries.map((q) => q.letter));
    if (next) setOpened([...opened, next]);
  };
  const only = (query: Query, label: string, value: string): void => run(query.letter, narrowed(query.text, `${labelName(label)}=${quote(value)}`));
  const move = (by: 1 | -1): void => {
    const times = asked.find((a) => a.drawn && a.drawn.times.length > 0)?.drawn?.times;
    if (!times) return;
    const nearest = at === null ? times.length - 1 : times.findIndex((t) => t >= at);
    const to = times[Math.min(times.length - 1, Math.max(0, (nearest === -1 ? times.length - 1 : nearest) + by))];
    if (to !== undefined) change({ c: new Date(to).toISOString() }, true);
  };
  useEffect(() => setOpened([]), [view.q, view.q2, view.q3, view.q4]);
  useKeys({
    "/": () => first.current?.focus(), ArrowRight: () => move(1), ArrowLeft: () => move(-1),
    Enter: () => change({ c: view.c !== undefined ? undefined : at === null ? undefined : new Date(at).toISOString() }, true),
    s: () => change({ draw: stack ? undefined : "stack" }, true), y: () => void copyText(asked.map((a) => a.text).join("\n"), "the PromQL"),
    Escape: () => change({ sel: undefined, hide: undefined, c: undefined }, true),
  });
  const nothing = queries.every((q) => q.text === "");
  const drawnQueries = asked.map((a, i) => ({ a, i })).filter(({ a }) => a.text !== "" && !off.includes(a.letter));
  const samples = asked.reduce((n, a) => n + (a.answer?.data.stats?.samples?.totalQueryableSamples ?? 0), 0);
  return (
    <Frame
      title="Metrics" className={`r-metrics${nothing ? " blank" : ""}`} crumbs={<ScopeCrumbs><Here icon="chart-spline">Explore</Here></ScopeCrumbs>} right={phone ? null : <Parts tab="explore" />}
      tape={{ ...tape, left: phone ? 12 : 64, right: phone || nothing ? 18 : 319 }}
      truth={<Truth asked={asked} samples={samples} />}
      keys={[["⏎", "run, pin"], ["← →", "cursor"], ["s", "stack"], ["y", "copy"], ["/", "query"]]}
    >
      {phone ? <div className="pane parts0"><Parts tab="explore" /></div> : null}
      <div className="split exp" ref={box}>
        <section className="pane" aria-label="Queries">
          <div className="qs">
            {asked.map((a, i) => <QueryRow key={a.letter} asked={a} stepS={stepS} offers={offers} hidden={off.includes(a.letter)} {...(i === 0 ? { handle: first } : {})} onRun={(text) => run(a.letter, text)} onHide={() => change({ mute: printList(toggle(off, a.letter)) }, true)} onRemove={queries.length > 1 && a.letter !== "A" ? () => remove(a.letter) : null} />)}
            <div className="row g6 qa">
              <button type="button" className="btn quiet" disabled={queries.length === LETTERS.length} onClick={add}><Icon name="plus" />Query</button>
              <button type="button" className="btn quiet" disabled={nothing} onClick={() => void copyText(asked.map((a) => a.text).filter((t) => t !== "").join("\n"), "the PromQL")}><Icon name="copy" />Copy <kbd>y</kbd></button>
              <span className="sp" /><span className="t3 s11 tn">step {duration(stepMs)} · {count(Math.floor((end - start) / stepMs) + 1)} points</span>
              <Seg label="Draw as" value={stack ? "stack" : "lines"} options={[["lines", "Lines"], ["stack", "Stack"]]} onPick={(v) => change({ draw: v === "lines" ? undefined : v }, true)} />
            </div>
          </div>
        </section>
        {nothing ? <Browser onAsk={(expr) => run("A", expr)} /> : (
          <>
            <div className="chs" data-count={drawnQueries.length}>{drawnQueries.length === 0 ? <section className="pane"><Empty title="No query is drawn">The eye beside each query draws it again.</Empty></section> : drawnQueries.map(({ a, i }) => <MetricChart key={a.letter} asked={a} shown={shown(i)} unit={units[a.letter] ?? ""} stack={stack} marks={marks} />)}</div>
            <SeriesTable all={flat} units={units} stepMs={stepMs} at={at} alone={alone} hidden={hidden} onAlone={(id) => change({ sel: id }, true)} onHide={(id) => change({ hide: printList(toggle(hidden, id)) }, true)} />
          </>
        )}
      </div>
      {nothing ? null : <aside className="pane side0" aria-label="At the cursor, and labels"><div className="pb" tabIndex={0} role="group" aria-label="At the cursor, and labels"><Moment />{asked.map((a) => <Labels key={a.letter} letter={a.letter} lines={a.drawn?.lines ?? []} onOnly={(label, value) => only(a, label, value)} />)}</div></aside>}
    </Frame>
  );
}

/** Units as senders write them, as this interface formats them. `1` may be a count as well as a share: the name's ending tells. */
const UNITS: Readonly<Record<string, string>> = { bytes: "By", By: "By", seconds: "s", s: "s", "{cpu}": "{cpu}" };

function Truth({ asked, samples }: { readonly asked: readonly Asked[]; readonly samples: number }) {
  const answered = asked.filter((a) => a.answer);
  const failed = asked.filter((a) => a.error !== null);
  const warned = answered.reduce((n, a) => n + (a.answer?.warnings.length ?? 0), 0);
  const newest = Math.max(0, ...answered.map((a) => a.answer?.endMs ?? 0));
  return (
    <>
      {failed.length > 0 ? <span><Mark kind="crit" label="" /><b>{plural(failed.length, "query", "queries")} failed</b></span> : warned > 0 ? <span><Mark kind="warn" label="" /><b>{plural(warned, "warning")}</b></span> : answered.length > 0 ? <span><Mark kind="ok" label="" /><b>answered</b></span> : <span>nothing asked</span>}
      {newest > 0 ? <span><b>last step</b> {clock(newest)}</span> : null}
      {samples > 0 ? <span><b>read</b> {si(samples)} samples</span> : null}
    </>
  );
}
