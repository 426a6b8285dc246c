/** Facets: a tick means only these, a second click means not these; counts follow all other filters. */

import { memo, useState } from "react";

import { count } from "../../core/format";
import { printList, readList, tally } from "../../core/list";
import { badness, MARK_WORD, markOf, MARKS, type Mark as MarkName } from "../../core/marks";
import { Icon, Mark } from "../../ui/Mark";
import { useChangeView, useView, type ViewKey } from "../../ui/view";
import { keeps, type Filters, type WorkloadRow } from "./rows";

const MOST = 6;

interface FacetValue {
  readonly value: string;
  readonly text: string;
  readonly number: number;
  readonly mark?: MarkName;
}

export const Facets = memo(function Facets({ all, filters }: { readonly all: readonly WorkloadRow[]; readonly filters: Filters }) {
  const among = (but: keyof Filters): readonly WorkloadRow[] => all.filter((r) => keeps(r, filters, but));
  const worst = (list: readonly WorkloadRow[]): MarkName => list.reduce<MarkName>((w, r) => (r.state !== "off" && badness(r.state) < badness(w) ? r.state : w), "ok");
  const states = among("state");
  const kinds = among("kind");
  const clusters = among("clusters");
  const spaces = among("namespaces");
  const grouped = (list: readonly WorkloadRow[], of: (r: WorkloadRow) => string): FacetValue[] =>
    tally(list.map(of)).map(([value, number]) => ({ value, text: value, number, mark: worst(list.filter((r) => of(r) === value)) }));
  return (
    <section className="fcs" aria-label="Facets">
      <Facet title="health, worse of two axes" param="state" values={MARKS.map((m) => ({ value: m, text: MARK_WORD[m], number: states.filter((r) => r.state === m).length, mark: markOf(m) }))} />
      <Facet title="kind" param="kind" values={tally(kinds.map((r) => r.object.kind)).map(([value, number]) => ({ value, text: value, number }))} />
      <Facet title="cluster or host" param="in" values={grouped(clusters, (r) => r.object.cluster).sort((a, b) => b.number - a.number)} />
      <Facet title="namespace" param="ns" values={grouped(spaces, (r) => r.object.namespace || "none").sort((a, b) => badness(a.mark ?? "ok") - badness(b.mark ?? "ok") || b.number - a.number)} />
    </section>
  );
});

function Facet({ title, param, values }: { readonly title: string; readonly param: ViewKey; readonly values: readonly FacetValue[] }) {
  const view = useView();
  const change = useChangeView();
  const [open, setOpen] = useState(false);
  const chosen = readList(view[param]);
  const most = Math.max(1, ...values.map((v) => v.number));
  const listed = [...values, ...chosen.map((c) => c.replace(/^!/, "")).filter((c) => !values.some((v) => v.value === c)).map((c) => ({ value: c, text: c, number: 0 }))];
  const shown = open ? listed : listed.filter((v, i) => i < MOST - (listed.length > MOST ? 1 : 0) || chosen.includes(v.value) || chosen.includes(`!${v.value}`));
  const scoped = param === "in" || param === "ns";
  /** none → only → not → none; scope lists know no not. */
  const next = (value: string): void => {
    const rest = chosen.filter((c) => c !== value && c !== `!${value}`);
    const after = chosen.includes(value) ? (scoped ? rest : [...rest, `!${value}`]) : chosen.includes(`!${value}`) ? rest : [...rest, value];
    change({ [param]: printList(after) });
  };
  return (
    <div className="fc">
      <h2>{title}</h2>
      <div style={open ? { maxHeight: 220, overflow: "auto" } : undefined}>
        {shown.map((v) => {
          const only = chosen.includes(v.value);
          const not = chosen.includes(`!${v.value}`);
          return (
            <button type="button" className={`fv${not ? " no" : ""}`} key={v.value} aria-pressed={only ? true : not ? "mixed" : false} title={only ? "only these" : not ? "not these" : "show only these"} onClick={() => next(v.value)}>
              <span className={`cbx${only ? " on" : ""}`}>{only ? <Icon name="check" /> : not ? <Icon name="minus" /> : null}</span>
              <span className="trunc nm">{"mark" in v && v.mark ? <><Mark kind={v.mark} /> </> : null}{v.text}</span>
              <span className="num tn">{not ? "not, " : ""}{count(v.number)}</span>
              {v.number > 0 && !not ? <i className="bar" style={{ width: `calc((100% - 56px) * ${Math.max(0.012, v.number / most).toFixed(3)})` }} /> : null}
            </button>
          );
        })}
        {shown.length < listed.length || open ? <button type="button" className="fv" aria-expanded={open} onClick={() => setOpen(!open)}><span /><span className="link">{open ? "fewer" : `${listed.length - shown.length} more`}</span></button> : null}
      </div>
    </div>
  );
}
