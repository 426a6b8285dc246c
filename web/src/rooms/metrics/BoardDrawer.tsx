/** Changes what a draft is as a whole: its title, its sentence, its variables. */

import type { BoardSpec, BoardVariable } from "../../api/types";
import { blankVariable, moved, replaced, without } from "../../core/board";
import { Icon } from "../../ui/Mark";

const KINDS = [["label_values", "values of a label"], ["list", "a list"], ["cluster", "clusters of the scope"], ["namespace", "namespaces of the scope"]] as const;
const MOST = 20;

interface BoardDrawerProps {
  readonly spec: BoardSpec;
  readonly onChange: (spec: BoardSpec) => void;
  readonly onClose: () => void;
}

export function BoardDrawer({ spec, onChange, onClose }: BoardDrawerProps) {
  const set = (variables: BoardVariable[]): void => onChange({ ...spec, variables });
  return (
    <aside className="pane side0 drawer0" aria-label="Edit board">
      <div className="ph"><Icon name="sliders-horizontal" small /><h2>Board and variables</h2><span className="sp" /><button type="button" className="btn quiet icon" aria-label="Close the board's editor" onClick={onClose}><Icon name="x" /></button></div>
      <div className="pb">
        <div className="sec">
          <label className="fld0">Title<div className="inp" data-invalid={spec.title.trim() === ""}><input autoFocus={spec.title === ""} value={spec.title} maxLength={100} placeholder="Checkout, by pod" onChange={(e) => onChange({ ...spec, title: e.target.value })} /></div></label>
          <label className="fld0">What it shows<div className="inp"><input value={spec.says} maxLength={500} onChange={(e) => onChange({ ...spec, says: e.target.value })} /></div></label>
        </div>
        <div className="ph bt"><h2>Variables</h2><span className="n">$name in a query stands for what is chosen</span></div>
        {spec.variables.map((v, i) => <VariablePart key={i} variable={v} onChange={(next) => set(replaced(spec.variables, i, next))} onRemove={() => set(without(spec.variables, i))} onUp={i > 0 ? () => set(moved(spec.variables, i, i - 1)) : null} />)}
        <div className="sec row g6">
          <button type="button" className="btn quiet" disabled={spec.variables.length >= MOST} onClick={() => set([...spec.variables, blankVariable(spec.variables.map((v) => v.name))])}><Icon name="plus" />Variable</button>
          {(["cluster", "namespace"] as const).filter((k) => !spec.variables.some((v) => v.kind === k || v.name === k)).map((k) => <button type="button" className="btn quiet" key={k} onClick={() => set([...spec.variables, { name: k, kind: k, label: "", query: "", values: [], multi: false, preset: [] }])}><Icon name="plus" />{k}</button>)}
        </div>
      </div>
      <div className="row foot0"><span className="sp" /><button type="button" className="btn beam" onClick={onClose}>Done <kbd>esc</kbd></button></div>
    </aside>
  );
}

function VariablePart({ variable: v, onChange, onRemove, onUp }: { readonly variable: BoardVariable; readonly onChange: (v: BoardVariable) => void; readonly onRemove: () => void; readonly onUp: (() => void) | null }) {
  const set = (change: Partial<BoardVariable>): void => onChange({ ...v, ...change });
  const named = /^[a-zA-Z_]\w*$/.test(v.name);
  // What belongs to the old kind goes with it.
  const kind = (next: BoardVariable["kind"]): void => set({ kind: next, label: next === "label_values" ? v.label || v.name : "", query: "", values: next === "list" ? v.values : [], multi: next === "label_values" || next === "list" ? v.multi : false, preset: [] });
  return (
    <div className="sec var1" role="group" aria-label={`Variable ${v.name}`}>
      <div className="row g6">
        <label className="fld0" style={{ flex: 1 }}>Name<div className="inp code" data-invalid={!named}><span className="t3">$</span><input aria-invalid={!named} value={v.name} maxLength={40} onChange={(e) => set({ name: e.target.value })} /></div></label>
        <label className="fld0" style={{ flex: 1.4 }}>Kind<div className="inp"><select value={v.kind} onChange={(e) => { const next = KINDS.find(([k]) => k === e.target.value)?.[0]; if (next) kind(next); }}>{KINDS.map(([k, words]) => <option key={k} value={k}>{words}</option>)}</select></div></label>
        {onUp ? <button type="button" className="btn quiet icon sm end0" aria-label={`Move ${v.name} up`} onClick={onUp}><Icon name="arrow-up" /></button> : null}
        <button type="button" className="btn quiet icon sm end0" aria-label={`Remove ${v.name}`} onClick={onRemove}><Icon name="x" /></button>
      </div>
      {v.kind === "label_values" ? (
        <div className="row g6">
          <label className="fld0" style={{ flex: 1 }}>Label<div className="inp code" data-invalid={v.label.trim() === ""}><input value={v.label} onChange={(e) => set({ label: e.target.value })} /></div></label>
          <label className="fld0" style={{ flex: 1.7 }}>Of the series<div className="inp code"><input value={v.query} placeholder={'up{cluster=~"$cluster"}; empty: all'} onChange={(e) => set({ query: e.target.value })} /></div></label>
        </div>
      ) : v.kind === "list" ? <label className="fld0">Values, with commas<div className="inp" data-invalid={v.values.length === 0}><ListInput key={v.name} values={v.values} onChange={(values) => set({ values, preset: v.preset.filter((p) => values.includes(p)) })} /></div></label> : <p className="t3 s11">What is chosen is the scope in the head of every room.</p>}
      {v.kind === "label_values" || v.kind === "list" ? <button type="button" role="checkbox" aria-checked={v.multi} className="opt tick0" onClick={() => set({ multi: !v.multi })}><span className={`cbx${v.multi ? " on" : ""}`}>{v.multi ? <Icon name="check" /> : null}</span>more than one may be chosen</button> : null}
    </div>
  );
}

/** The text stays as it is typed; its values are told. */
function ListInput({ values, onChange }: { readonly values: readonly string[]; readonly onChange: (values: string[]) => void }) {
  return <input defaultValue={values.join(", ")} onChange={(e) => onChange([...new Set(e.target.value.split(",").map((v) => v.trim()).filter((v) => v !== ""))])} />;
}
