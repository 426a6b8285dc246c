/** Boards that come with the product and that the present metrics can fill: their list, and one of them over scope and window. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Popover } from "radix-ui";
import { useMemo } from "react";

import { labelsQuery, valuesQuery } from "../../api/prometheus";
import { BOARDS, type Board, type Panel, type Variable } from "../../core/boardList";
import { fillable, filled, fills, variableLabel } from "../../core/boards";
import { plural } from "../../core/format";
import { printList, toggle } from "../../core/list";
import { stepFor } from "../../core/promql";
import { Icon } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useSize } from "../../ui/size";
import { useAskSpan, useCarried, useChangeView, useCursor, useOrg, useScope } from "../../ui/view";
import { LETTERS, useNames, useRanges } from "./ask";
import { MetricChart } from "./MetricChart";
import { drawnOf } from "./series";

export function BoardList() {
  const names = useNames();
  const present = useMemo(() => new Set(names.data?.data ?? []), [names.data]);
  const shown = useMemo(() => fillable(BOARDS, present), [present]);
  const org = useOrg();
  const carried = useCarried();
  if (names.isPending) return <section className="pane" style={{ gridColumn: "1 / -1" }}><Loading rows={8} what="the metrics" /></section>;
  if (names.error && !names.data) return <section className="pane" style={{ gridColumn: "1 / -1" }}><Fault error={names.error} what="the metrics" retry={() => void names.refetch()} /></section>;
  return (
    <section className="pane" aria-labelledby="h-boards" style={{ gridColumn: "1 / -1" }}>
      <div className="ph"><h2 id="h-boards">Boards</h2><span className="n">{plural(shown.length, "board")} of {BOARDS.length} can be filled with the metrics of this window</span></div>
      {shown.length === 0 ? <Empty title="No board can be filled">None of the metrics that boards read has samples in this window.</Empty> : (
        <div className="pb"><ul className="bds">{shown.map(({ board, panels, missing }) => (
          <li key={board.id}><Link to="/o/$org/metrics" params={{ org }} search={{ ...carried, board: board.id } as never}><b className="strong">{board.title}</b><span className="t2">{board.says}</span><span className="t3 s11">{plural(panels.length, "panel")}{missing > 0 ? `, ${missing} without data here` : ""}{board.variables.length > 0 ? ` · by ${board.variables.join(" and ")}` : ""}</span></Link></li>
        ))}</ul></div>
      )}
    </section>
  );
}

export function BoardView({ board, marks }: { readonly board: Board; readonly marks: readonly number[] }) {
  const names = useNames();
  const { start, end } = useAskSpan();
  const scope = useScope();
  const change = useChangeView();
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
        {board.variables.map((v) => <VariablePicker key={v} name={v} label={variableLabel(v, known)} chosen={values[v]} onChange={(list) => change(v === "cluster" ? { in: printList(list) } : { ns: printList(list) })} />)}
        <span className="sp" /><span className="t3 s11">{plural(texts.length, "panel")}{missing > 0 ? `; ${missing} more have no data here` : ""}</span>
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

function VariablePicker({ name, label, chosen, onChange }: { readonly name: Variable; readonly label: string | null; readonly chosen: readonly string[]; readonly onChange: (list: readonly string[]) => void }) {
  const { start, end } = useAskSpan();
  const values = useQuery(valuesQuery(label ?? "", "", start, end));
  const options = [...new Set([...(values.data?.data ?? []), ...chosen])].sort();
  return (
    <Popover.Root>
      <Popover.Trigger asChild><button type="button" className="var0" title={chosen.join(", ")}><span className="mono">{name}</span> <b>{chosen.length === 0 ? "all" : chosen.length === 1 ? chosen[0] : `${chosen[0] ?? ""} + ${chosen.length - 1}`}</b><Icon name="chevron-down" small /></button></Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop" align="start" sideOffset={4} aria-label={name}>
          <button type="button" className="opt" aria-pressed={chosen.length === 0} onClick={() => onChange([])}>all</button>
          {options.map((o) => <button type="button" role="checkbox" aria-checked={chosen.includes(o)} className="opt" key={o} onClick={() => onChange(toggle(chosen, o))}><span className={`cbx${chosen.includes(o) ? " on" : ""}`}>{chosen.includes(o) ? <Icon name="check" /> : null}</span><span className="trunc">{o}</span></button>)}
          {values.isPending && label !== null ? <Loading rows={3} what={name} /> : values.error ? <Fault error={values.error} what={`the values of ${name}`} /> : options.length === 0 ? <Empty title={label === null ? `No series has a ${name}` : "No values in this window"} /> : null}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

export const boardOf = (id: string | undefined): Board | undefined => BOARDS.find((b) => b.id === id);
