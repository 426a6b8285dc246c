/** What a board is narrowed by: one variable with its values behind a button. */

import { useQuery } from "@tanstack/react-query";
import { Popover } from "radix-ui";
import { useRef, useState } from "react";

import { valuesQuery } from "../../api/prometheus";
import type { BoardVariable } from "../../api/types";
import { filledIn, printChoices, type Choices, type Chosen } from "../../core/board";
import { printList, toggle } from "../../core/list";
import { Icon } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useAskSpan, useChangeView } from "../../ui/view";

const SEARCHED_FROM = 12;
const MOST_SHOWN = 500;

interface ValuePickerProps {
  readonly name: string;
  readonly chosen: readonly string[];
  readonly options: readonly string[];
  /** More than one may be ticked; else a click chooses. */
  readonly multi: boolean;
  /** Whether none ticked means all. */
  readonly all: boolean;
  readonly pending: boolean;
  readonly error: unknown;
  /** Said when there is nothing to choose from. */
  readonly none: string;
  readonly onChange: (list: readonly string[]) => void;
}

export function ValuePicker({ name, chosen, options, multi, all, pending, error, none, onChange }: ValuePickerProps) {
  const [typed, setTyped] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const listed = [...new Set([...options, ...chosen])];
  const shown = listed.filter((o) => o.toLowerCase().includes(typed.trim().toLowerCase()));
  const text = chosen.length === 0 ? (all ? "all" : "none") : chosen.length === 1 ? chosen[0] : `${chosen[0] ?? ""} + ${chosen.length - 1}`;
  return (
    <Popover.Root onOpenChange={() => setTyped("")}>
      <Popover.Trigger asChild><button type="button" className="var0" aria-label={`${name}: ${text ?? ""}`} title={chosen.join(", ")}><span className="mono">{name}</span> <b className="trunc">{text}</b><Icon name="chevron-down" small /></button></Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop" align="start" sideOffset={4} aria-label={name} onOpenAutoFocus={(e) => { if (input.current) { e.preventDefault(); input.current.focus(); } }}>
          {listed.length > SEARCHED_FROM ? <div className="inp" style={{ marginBottom: 6 }}><Icon name="search" small className="t3" /><input ref={input} aria-label={`Search values of ${name}`} value={typed} onChange={(e) => setTyped(e.target.value)} /></div> : null}
          {all ? <button type="button" className="opt" aria-pressed={chosen.length === 0} onClick={() => onChange([])}>all</button> : null}
          {shown.slice(0, MOST_SHOWN).map((o) => <button type="button" role={multi ? "checkbox" : "radio"} aria-checked={chosen.includes(o)} className="opt" key={o} onClick={() => onChange(multi ? toggle(chosen, o) : [o])}><span className={`cbx${chosen.includes(o) ? " on" : ""}`}>{chosen.includes(o) ? <Icon name="check" /> : null}</span><span className="trunc">{o}</span></button>)}
          {shown.length > MOST_SHOWN ? <p className="t3 s11" style={{ padding: "4px 8px" }}>{shown.length - MOST_SHOWN} more; search for them</p> : null}
          {pending ? <Loading rows={3} what={name} /> : error ? <Fault error={error} what={`the values of ${name}`} /> : listed.length === 0 ? <Empty title={none} /> : shown.length === 0 ? <Empty title="None matches" /> : null}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Values of a label, from the series that there are. */
export function LabelPicker({ name, label, query = "", chosen, multi = true, onChange }: { readonly name: string; readonly label: string | null; readonly query?: string; readonly chosen: readonly string[]; readonly multi?: boolean; readonly onChange: (list: readonly string[]) => void }) {
  const { start, end } = useAskSpan();
  const values = useQuery(valuesQuery(label ?? "", query, start, end));
  return <ValuePicker name={name} chosen={chosen} options={[...(values.data?.data ?? [])].sort()} multi={multi} all pending={values.isPending && label !== null && label !== ""} error={values.error} none={label === null ? `No series has a ${name}` : "No values in this window"} onChange={onChange} />;
}

interface VariablesProps {
  readonly variables: readonly BoardVariable[];
  readonly chosen: Chosen;
  readonly choices: Choices;
  /** How clusters and namespaces are spelled as labels here. */
  readonly labelOf: (kind: "cluster" | "namespace") => string | null;
}

/** A picker a variable. Clusters and namespaces are the scope of all rooms; the others stand in the address of the board. */
export function Variables({ variables, chosen, choices, labelOf }: VariablesProps) {
  const change = useChangeView();
  return (
    <>
      {variables.map((v) => {
        const now = chosen.get(v.name) ?? [];
        const pick = (list: readonly string[]): void => change({ v: printChoices({ ...choices, [v.name]: list }) }, true);
        if (v.kind === "cluster") return <LabelPicker key={v.name} name={v.name} label={labelOf("cluster")} chosen={now} onChange={(list) => change({ in: printList(list) })} />;
        if (v.kind === "namespace") return <LabelPicker key={v.name} name={v.name} label={labelOf("namespace")} chosen={now} onChange={(list) => change({ ns: printList(list) })} />;
        if (v.kind === "list") return <ValuePicker key={v.name} name={v.name} chosen={now} options={v.values} multi={v.multi} all={false} pending={false} error={null} none="The list is empty" onChange={pick} />;
        return <LabelPicker key={v.name} name={v.name} label={v.label} query={filledIn(v.query, chosen)} chosen={now} multi={v.multi} onChange={pick} />;
      })}
    </>
  );
}
