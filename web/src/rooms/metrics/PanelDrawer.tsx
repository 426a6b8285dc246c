/** Changes one panel of a draft: its queries with their results, how it is drawn, unit, width, thresholds. The board beside it shows each change. */

import { useState } from "react";

import type { BoardPanel, BoardQuery, BoardThreshold } from "../../api/types";
import { filledIn, hasAxis, MOST_THRESHOLDS, PANEL_KINDS, PANEL_LETTERS, replaced, UNITS, WIDTHS, without, writtenPlace, type Chosen, type Refused } from "../../core/board";
import { plural } from "../../core/format";
import { faultPlace, fillIn, stepFor } from "../../core/promql";
import { Icon, Mark } from "../../ui/Mark";
import { Seg } from "../../ui/parts";
import { useAskSpan } from "../../ui/view";
import { useOffers, type Asked } from "./ask";
import { Editor, type Fault } from "./Editor";
import { SeriesFigures, usePanel, wordsOf } from "./OwnPanel";

/** Wide enough for a usual step. */
const PREVIEW_PX = 600;
const TYPING_MS = 500;

interface PanelDrawerProps {
  readonly panel: BoardPanel;
  readonly chosen: Chosen;
  readonly place: string;
  /** Why the board was not saved. */
  readonly refused: readonly Refused[];
  readonly onChange: (panel: BoardPanel) => void;
  readonly onCopy: () => void;
  readonly onRemove: () => void;
  readonly onClose: () => void;
}

export function PanelDrawer({ panel, chosen, place, refused, onChange, onCopy, onRemove, onClose }: PanelDrawerProps) {
  const answer = usePanel(panel, chosen, PREVIEW_PX, TYPING_MS);
  const set = (change: Partial<BoardPanel>): void => onChange({ ...panel, ...change });
  const query = (i: number, change: Partial<BoardQuery>): void => { const old = panel.queries[i]; if (old) set({ queries: replaced(panel.queries, i, { ...old, ...change }) }); };
  const units = UNITS.some(([u]) => u === panel.unit) ? UNITS : [...UNITS, [panel.unit, panel.unit] as const];
  return (
    <aside className="pane side0 drawer0" aria-label={`Edit panel ${panel.title}`}>
      <div className="ph"><Icon name="pen-line" small /><h2>Edit panel</h2><span className="n">{place}</span><span className="sp" /><button type="button" className="btn quiet icon" aria-label="Close the panel's editor" onClick={onClose}><Icon name="x" /></button></div>
      <div className="pb">
        <div className="sec"><label className="fld0">Title<div className="inp" data-invalid={panel.title.trim() === ""}><input value={panel.title} maxLength={100} onChange={(e) => set({ title: e.target.value })} /></div></label></div>
        {panel.queries.map((q, i) => <QueryPart key={i} letter={PANEL_LETTERS[i] ?? "H"} query={q} chosen={chosen} asked={answer.asked[i]} refused={refused.find((r) => r.query === i)} onChange={(change) => query(i, change)} onRemove={panel.queries.length > 1 ? () => set({ queries: without(panel.queries, i) }) : null} />)}
        <div className="sec"><button type="button" className="btn quiet" disabled={panel.queries.length >= PANEL_LETTERS.length} onClick={() => set({ queries: [...panel.queries, { expr: "", legend: "" }] })}><Icon name="plus" />Query</button></div>
        <div className="sec"><h3>Draw as</h3><Seg label="Draw as" value={panel.kind} options={PANEL_KINDS} onPick={(kind) => set({ kind, ...(hasAxis(kind) ? {} : { min: null, max: null }) })} /></div>
        <div className="sec row wrap0">
          <label className="fld0">Unit<div className="inp"><select value={panel.unit} onChange={(e) => set({ unit: e.target.value })}>{units.map(([u, words]) => <option key={u} value={u}>{words}</option>)}</select></div></label>
          <div><h3>Width</h3><Seg label="Width" value={String(panel.width)} options={WIDTHS.map(([w, words]) => [String(w), words] as const)} onPick={(w) => set({ width: Number(w) })} /></div>
        </div>
        {hasAxis(panel.kind) ? (
          <div className="sec row wrap0">
            <AxisEnd label="Axis from" value={panel.min} onChange={(min) => set({ min })} />
            <AxisEnd label="Axis to" value={panel.max} onChange={(max) => set({ max })} />
          </div>
        ) : null}
        <div className="sec"><label className="fld0">Heading over it, which begins a new line<div className="inp"><input value={panel.heading} maxLength={100} placeholder="none" onChange={(e) => set({ heading: e.target.value })} /></div></label></div>
        <Thresholds all={panel.thresholds} onChange={(thresholds) => set({ thresholds })} />
        <div className="ph bt"><h2>The same as a table</h2><span className="n">{plural(answer.lines.length, "series", "series")}</span></div>
        {answer.lines.length > 0 ? <SeriesFigures panel={panel} answer={answer} /> : <p className="t3 s12" style={{ padding: "6px 12px" }}>{answer.pending ? "asking" : "Nothing answers it now."}</p>}
      </div>
      <div className="row foot0"><button type="button" className="btn quiet" onClick={onCopy}>Duplicate</button><button type="button" className="btn quiet icon" aria-label="Remove this panel" title="Remove this panel" onClick={onRemove}><Icon name="trash-2" /></button><span className="sp" /><button type="button" className="btn beam" onClick={onClose}>Done <kbd>esc</kbd></button></div>
    </aside>
  );
}

interface QueryPartProps {
  readonly letter: (typeof PANEL_LETTERS)[number];
  readonly query: BoardQuery;
  readonly chosen: Chosen;
  readonly asked: Asked<(typeof PANEL_LETTERS)[number]> | undefined;
  readonly refused: Refused | undefined;
  readonly onChange: (change: Partial<BoardQuery>) => void;
  readonly onRemove: (() => void) | null;
}

function QueryPart({ letter, query, chosen, asked, refused, onChange, onRemove }: QueryPartProps) {
  const offers = useOffers();
  const { start, end } = useAskSpan();
  const filled = filledIn(query.expr, chosen);
  /** The answer is that of the text as it stands. */
  const current = asked?.text === filled;
  const error = current && query.expr.trim() !== "" ? asked.error : null;
  const stepS = stepFor(end - start, PREVIEW_PX);
  const fault = error === null || error === undefined ? refused ?? null : faultIn(query.expr, fillIn(filled, stepS, end - start), error);
  const took = asked?.answer?.data.stats?.timings?.["evalTotalTime"];
  const said = query.expr.trim() === "" ? "empty" : !current || asked.pending ? "asking" : error ? "failed" : asked.drawn ? `${plural(asked.drawn.lines.length, "series", "series")}${typeof took === "number" ? `, ${(took * 1000).toFixed(1)} ms` : ""}` : "";
  return (
    <div className="sec qp0">
      <div className="row"><h3>Query {letter}</h3><span className="chip">PromQL</span><span className="sp" /><span className="t3 s11 tn" role="status">{said}</span>{onRemove ? <button type="button" className="btn quiet icon sm" aria-label={`Remove query ${letter}`} onClick={onRemove}><Icon name="x" /></button> : null}</div>
      <Editor label={`Query ${letter}, PromQL`} text={query.expr} fault={fault} offers={offers} onChange={(expr) => onChange({ expr })} onRun={(expr) => onChange({ expr })} />
      {error ? <p className="c-crit s12" role="alert"><Mark kind="crit" label="" /> {wordsOf(error)}</p> : null}
      {refused && !error ? <p className="c-crit s12" role="alert"><Mark kind="crit" label="" /> Not saved: {refused.words}</p> : null}
      {current ? (asked.answer?.warnings ?? []).map((text) => <p className="c-warn s12" key={text}><Mark kind="warn" label="warning" /> {text}</p>) : null}
      <label className="fld0">Legend<div className="inp"><input value={query.legend} maxLength={200} placeholder="{{pod}}, or what tells the series apart" onChange={(e) => onChange({ legend: e.target.value })} /></div></label>
    </div>
  );
}

/** One end of the axis of values; nothing typed: as the values need it. */
function AxisEnd({ label, value, onChange }: { readonly label: string; readonly value: number | null; readonly onChange: (value: number | null) => void }) {
  const [typed, setTyped] = useState(value === null ? "" : String(value));
  const read = typed.trim() === "" ? null : Number(typed);
  const wrong = read !== null && !Number.isFinite(read);
  return <label className="fld0">{label}<div className="inp" style={{ width: 110 }} data-invalid={wrong}><input inputMode="decimal" aria-invalid={wrong} placeholder="by its values" value={wrong || read === value ? typed : value === null ? "" : String(value)} onChange={(e) => { setTyped(e.target.value); const next = e.target.value.trim() === "" ? null : Number(e.target.value); if (next === null || Number.isFinite(next)) onChange(next); }} /></div></label>;
}

/** Where in the written query the server found its fault. */
function faultIn(written: string, filled: string, error: unknown): Fault | null {
  const words = error instanceof Error ? error.message : String(error);
  const place = faultPlace(filled, words);
  return place === null ? null : { ...writtenPlace(written, filled, place), words: wordsOf(error) };
}

function Thresholds({ all, onChange }: { readonly all: readonly BoardThreshold[]; readonly onChange: (all: BoardThreshold[]) => void }) {
  return (
    <div className="sec">
      <h3>Limits: marked from this value up</h3>
      {all.map((t, i) => <ThresholdRow key={i} threshold={t} onChange={(next) => onChange(replaced(all, i, next))} onRemove={() => onChange(without(all, i))} />)}
      <button type="button" className="btn quiet" disabled={all.length >= MOST_THRESHOLDS} onClick={() => onChange([...all, { value: 1, level: all.length === 0 ? "warn" : "crit", label: "" }])}><Icon name="plus" />Limit</button>
    </div>
  );
}

function ThresholdRow({ threshold: t, onChange, onRemove }: { readonly threshold: BoardThreshold; readonly onChange: (t: BoardThreshold) => void; readonly onRemove: () => void }) {
  const [typed, setTyped] = useState(String(t.value));
  const read = Number(typed);
  const wrong = typed.trim() === "" || !Number.isFinite(read);
  return (
    <div className="row g6 thr0">
      <button type="button" className="btn quiet icon sm" aria-label={t.level === "crit" ? "critical; make it a warning" : "warning; make it critical"} title="warning or critical" onClick={() => onChange({ ...t, level: t.level === "crit" ? "warn" : "crit" })}><Mark kind={t.level} label="" /></button>
      <div className="inp" style={{ width: 90 }} data-invalid={wrong}><input aria-label="Value" inputMode="decimal" aria-invalid={wrong} value={Number(typed) === t.value || wrong ? typed : String(t.value)} onChange={(e) => { setTyped(e.target.value); const value = Number(e.target.value); if (e.target.value.trim() !== "" && Number.isFinite(value)) onChange({ ...t, value }); }} /></div>
      <div className="inp" style={{ flex: 1 }}><input aria-label="Words on the line" maxLength={60} placeholder="words on the line" value={t.label} onChange={(e) => onChange({ ...t, label: e.target.value })} /></div>
      <button type="button" className="btn quiet icon sm" aria-label="Remove this limit" onClick={onRemove}><Icon name="x" /></button>
    </div>
  );
}
