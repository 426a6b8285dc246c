/** Boards: the organisation's own and those that come with the product, in one list that can be searched; and one of the product's over scope and window. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useRef, useState } from "react";

import { boardsQuery } from "../../api/boards";
import { labelsQuery } from "../../api/prometheus";
import { useMe } from "../../api/queries";
import type { BoardSummary } from "../../api/types";
import { copyOf } from "../../core/board";
import { BOARDS, type Board, type Panel, type Variable } from "../../core/boardList";
import { fillable, filled, fills, variableLabel } from "../../core/boards";
import { moment, plural } from "../../core/format";
import { printList } from "../../core/list";
import { stepFor } from "../../core/promql";
import { match } from "../../core/search";
import { useKeys } from "../../ui/keys";
import { Icon } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useSize } from "../../ui/size";
import { useAskSpan, useCarried, useChangeView, useCursor, useNow, useOrg, useScope } from "../../ui/view";
import { LETTERS, useNames, useRanges } from "./ask";
import { useMake } from "./BoardMenu";
import { draftIds, MAY_EDIT, NEW_BOARD } from "./drafts";
import { ImportDialog } from "./ImportDialog";
import { MetricChart } from "./MetricChart";
import { drawnOf } from "./series";
import { LabelPicker } from "./ValuePicker";

export function BoardList() {
  const org = useOrg();
  const carried = useCarried();
  const change = useChangeView();
  const me = useMe();
  const may = me?.permissions.includes(MAY_EDIT) ?? false;
  const [typed, setTyped] = useState("");
  const [importing, setImporting] = useState(false);
  const needle = useDeferredValue(typed.trim());
  const input = useRef<HTMLInputElement>(null);
  useKeys({ "/": () => input.current?.focus() });
  const passes = (title: string, says: string): boolean => needle === "" || (match(title, needle)?.range ?? null) !== null || says.toLowerCase().includes(needle.toLowerCase());
  const refusal = "Your role may look at boards and not change them";
  return (
    <section className="pane" aria-labelledby="h-boards" style={{ gridColumn: "1 / -1" }}>
      <div className="ph"><h2 id="h-boards">Boards</h2><span className="sp" />
        <button type="button" className="btn sm" disabled={!may} title={may ? undefined : refusal} onClick={() => setImporting(true)}><Icon name="upload" />Import</button>
        <button type="button" className="btn sm beam" disabled={!may} title={may ? undefined : refusal} onClick={() => change({ tab: undefined, board: NEW_BOARD })}><Icon name="plus" />New board</button>
      </div>
      <div className="srch0"><div className="inp"><Icon name="search" small className="t3" /><input ref={input} aria-label="Search boards" placeholder="title or what it shows" value={typed} onChange={(e) => setTyped(e.target.value)} onKeyDown={(e) => { if (e.key === "Escape") { setTyped(""); e.currentTarget.blur(); } }} /><kbd>/</kbd></div></div>
      <div className="pb">
        <OwnList passes={passes} searched={needle !== ""} may={may} link={(id) => ({ to: "/o/$org/metrics", params: { org }, search: { ...carried, board: id } as never }) as const} />
        <BuiltInList passes={passes} />
      </div>
      {importing ? <ImportDialog onClose={() => setImporting(false)} /> : null}
    </section>
  );
}

interface OwnListProps {
  readonly passes: (title: string, says: string) => boolean;
  readonly searched: boolean;
  readonly may: boolean;
  readonly link: (id: string) => { readonly to: "/o/$org/metrics"; readonly params: { readonly org: string }; readonly search: never };
}

function OwnList({ passes, searched, may, link }: OwnListProps) {
  const org = useOrg();
  const now = useNow();
  const answer = useQuery(boardsQuery);
  const drafts = draftIds(org);
  const all = answer.data ?? [];
  const shown = all.filter((b) => passes(b.title, b.says));
  const unstored = drafts.has(NEW_BOARD) && !searched;
  return (
    <>
      <div className="ph"><h2>Of this organisation</h2><span className="n">{answer.data ? (searched ? `${shown.length} of ${plural(all.length, "board")}` : plural(all.length, "board")) : ""}</span></div>
      {answer.isPending ? <Loading rows={3} what="the boards" /> : answer.error && !answer.data ? <Fault error={answer.error} what="the boards" retry={() => void answer.refetch()} /> : all.length === 0 && !unstored ? <div className="none0"><Empty title="No board of your own yet">{may ? "Make one, import one, or open a board of the product below and copy it." : "Whoever may edit can make one, or copy a board of the product below."}</Empty></div> : shown.length === 0 && !unstored ? <div className="none0"><Empty title="None matches" /></div> : (
        <ul className="bds">
          {unstored ? <li><Link {...link(NEW_BOARD)}><b className="strong">A board that is not stored yet</b><span className="c-move">unsaved changes in this tab</span></Link></li> : null}
          {shown.map((b: BoardSummary) => <li key={b.id}><Link {...link(b.id)}><b className="strong">{b.title}</b>{b.says ? <span className="t2">{b.says}</span> : null}<span className="t3 s11">{plural(b.panels, "panel")} · {b.updated_by.replace(/^\w+:/, "")}, {moment(b.updated_ms, now)}</span>{drafts.has(b.id) ? <span className="c-move s11">unsaved changes in this tab</span> : null}</Link></li>)}
        </ul>
      )}
    </>
  );
}

function BuiltInList({ passes }: { readonly passes: (title: string, says: string) => boolean }) {
  const names = useNames();
  const present = useMemo(() => new Set(names.data?.data ?? []), [names.data]);
  const fit = useMemo(() => fillable(BOARDS, present), [present]);
  const shown = fit.filter(({ board }) => passes(board.title, board.says));
  const org = useOrg();
  const carried = useCarried();
  return (
    <>
      <div className="ph bt"><h2>Of the product</h2><span className="n">{names.data ? `${plural(fit.length, "board")} of ${BOARDS.length} can be filled with the metrics of this window` : ""}</span></div>
      {names.isPending ? <Loading rows={8} what="the metrics" /> : names.error && !names.data ? <Fault error={names.error} what="the metrics" retry={() => void names.refetch()} /> : fit.length === 0 ? <div className="none0"><Empty title="No board can be filled">None of the metrics that boards read has samples in this window.</Empty></div> : shown.length === 0 ? <div className="none0"><Empty title="None matches" /></div> : (
        <ul className="bds">{shown.map(({ board, panels, missing }) => (
          <li key={board.id}><Link to="/o/$org/metrics" params={{ org }} search={{ ...carried, board: board.id } as never}><b className="strong">{board.title}</b><span className="t2">{board.says}</span><span className="t3 s11">{plural(panels.length, "panel")}{missing > 0 ? `, ${missing} without data here` : ""}{board.variables.length > 0 ? ` · by ${board.variables.join(" and ")}` : ""}</span></Link></li>
        ))}</ul>
      )}
    </>
  );
}

export function BoardView({ board, marks }: { readonly board: Board; readonly marks: readonly number[] }) {
  const names = useNames();
  const { start, end } = useAskSpan();
  const scope = useScope();
  const change = useChangeView();
  const me = useMe();
  const may = me?.permissions.includes(MAY_EDIT) ?? false;
  const make = useMake();
  const metrics = useMemo(() => new Set(names.data?.data ?? []), [names.data]);
  const panels = useMemo(() => board.panels.filter((p) => fills(p, metrics)), [board, metrics]);
  const labels = useQuery({ ...labelsQuery("", start, end) });
  const known = useMemo(() => new Set(labels.data?.data ?? []), [labels.data]);
  const values: Readonly<Record<Variable, readonly string[]>> = { cluster: scope.clusters, namespace: scope.namespaces };
  const texts = panels.flatMap((p) => { const expr = filled(p, { metrics, labels: known, variables: board.variables, values }); return expr === null ? [] : [{ panel: p, expr }]; });
  const missing = board.panels.length - texts.length;
  if (names.isPending || labels.isPending) return <section className="pane" style={{ gridColumn: "1 / -1" }}><Loading rows={8} what="the board" /></section>;
  const fault = (!names.data ? names.error : null) ?? (!labels.data ? labels.error : null);
  if (fault) return <section className="pane" style={{ gridColumn: "1 / -1" }}><Fault error={fault} what="the board" retry={() => { void names.refetch(); void labels.refetch(); }} /></section>;
  return (
    <div className="split" style={{ gridColumn: "1 / -1", gridTemplateRows: "auto minmax(0, 1fr)" }}>
      <div className="pane vars">
        {board.variables.map((v) => <LabelPicker key={v} name={v} label={variableLabel(v, known)} chosen={values[v]} onChange={(list) => change(v === "cluster" ? { in: printList(list) } : { ns: printList(list) })} />)}
        <span className="sp" /><span className="t3 s11">{plural(texts.length, "panel")}{missing > 0 ? `; ${missing} more have no data here` : ""}</span>
        <button type="button" className="btn" disabled={!may || make.isPending} title={may ? "Makes a board of your own of it" : "Your role may look at boards and not change them"} onClick={() => make.mutate(copyOf(board, metrics, known, board.title))}><Icon name="copy" />Copy to change</button>
      </div>
      {texts.length === 0 ? <section className="pane"><Empty title="Nothing to fill it with">None of the metrics that this board reads has samples in this window.</Empty></section> : <div className="pane brd"><div className="grid0">{texts.map(({ panel, expr }) => <PanelView key={panel.title} panel={panel} expr={expr} marks={marks} />)}</div></div>}
    </div>
  );
}

function PanelView({ panel, expr, marks }: { readonly panel: Panel; readonly expr: string; readonly marks: readonly number[] }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const { start, end } = useAskSpan();
  const org = useOrg();
  const carried = useCarried();
  const at = useCursor();
  const stepS = stepFor(end - start, width || 500);
  const [asked] = useRanges(useMemo(() => [{ letter: LETTERS[0], text: width === 0 ? "" : expr }], [expr, width]), stepS);
  const grid = asked?.answer;
  const index = at === null || !grid ? (asked?.drawn?.times.length ?? 1) - 1 : Math.round((at - grid.startMs) / grid.stepMs);
  const shown = useMemo(() => drawnOf(asked?.drawn?.lines ?? [], index), [asked?.drawn, index]);
  return (
    <div ref={box} className="pnl">
      {asked ? <MetricChart asked={asked} shown={shown} unit={panel.unit} stack={panel.draw === "stack"} marks={marks} title={panel.title} /> : null}
      <Link className="btn quiet icon sm ex" aria-label={`Explore ${panel.title}`} title="Explore: the expression behind this panel" to="/o/$org/metrics" params={{ org }} search={{ ...carried, q: expr, ...(panel.draw ? { draw: panel.draw } : {}) } as never}><Icon name="arrow-up-right" /></Link>
    </div>
  );
}

export const boardOf = (id: string | undefined): Board | undefined => BOARDS.find((b) => b.id === id);
