/** Counts by level and by any field, over the whole window; a tick asks for the value, `!` for everything else. */

import { useMemo, useState, type FormEvent } from "react";

import type { LogCount } from "../../api/types";
import { asks, atLeast, equal, flip, levelOf, not, only } from "../../core/expr";
import { bytes, count, si } from "../../core/format";
import { levels as levelsOf } from "../../core/histogram";
import { printList, readList } from "../../core/list";
import { Icon, Mark } from "../../ui/Mark";
import { useChangeView, useView } from "../../ui/view";
import { lacks, useCount } from "./ask";
import { Name } from "./Name";
import type { Pane } from "./pane";

const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "unknown"] as const;
const MARKS: Readonly<Record<string, "crit" | "warn">> = { fatal: "crit", error: "crit", warn: "warn" };
const STANDARD = ["stream", "pod", "container", "node", "zone"] as const;
const OPEN: readonly string[] = ["stream", "pod"];
const VALUES = 8;

interface FacetsProps {
  readonly pane: Pane;
  readonly counted: LogCount | undefined;
  readonly counting: boolean;
}

export function Facets({ pane, counted, counting }: FacetsProps) {
  const address = useView();
  const change = useChangeView();
  const extra = readList(address.facets);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set([...OPEN, ...extra]));
  const [typed, setTyped] = useState("");
  const set = (q: string): void => change({ [pane.names.q]: q || undefined });
  const counts = useMemo(() => (counted ? levelsOf(counted.buckets) : loadedLevels(pane)), [counted, pane.slow, pane.feed]);
  const least = levelOf(pane.typed);
  const most = Math.max(1, ...counts.values());
  const flipOpen = (name: string): void => setOpen((old) => { const next = new Set(old); if (!next.delete(name)) next.add(name); return next; });
  const add = (event: FormEvent): void => {
    event.preventDefault();
    const name = typed.trim();
    if (name === "") return;
    setOpen((old) => new Set([...old, name]));
    if (![...STANDARD, ...extra].includes(name)) change({ facets: printList([...extra, name]) }, true);
    setTyped("");
  };
  return (
    <div className="facets">
      <div className="fg">
        <h3 className="mono">level, at least</h3>
        {counted ? null : <p className="t3 s11">of the lines loaded</p>}
        {LEVELS.filter((l) => (counts.get(l) ?? 0) > 0).map((name) => (
          <button type="button" className="fv" key={name} aria-pressed={least === name} disabled={name === "unknown"} onClick={() => set(atLeast(pane.typed, least === name ? "" : name))}>
            <span className={`cbx${least === name ? " on" : ""}`}>{least === name ? <Icon name="check" /> : null}</span>
            <span className="trunc">{MARKS[name] ? <><Mark kind={MARKS[name]} label="" /> </> : null}{name}</span><Count n={counts.get(name) ?? 0} /><i className="bar" style={{ width: `${((counts.get(name) ?? 0) / most) * 70}%` }} />
          </button>
        ))}
      </div>
      {[...STANDARD, ...extra].map((name) => <Group key={name} pane={pane} name={name} open={open.has(name)} counting={counting} onOpen={() => flipOpen(name)} onSet={set} onDrop={extra.includes(name) ? () => change({ facets: printList(extra.filter((e) => e !== name)) }, true) : null} />)}
      <form className="fg" onSubmit={add}>
        <div className="inp"><Icon name="plus" small className="t3" /><input aria-label="Count by another field" placeholder="count by a field: http.status" value={typed} spellCheck={false} onChange={(e) => setTyped(e.target.value)} /></div>
      </form>
    </div>
  );
}

function Count({ n }: { readonly n: number }) {
  return <span className="num tn" title={n.toLocaleString("en")}>{n < 100_000 ? count(n) : si(n)}</span>;
}

/** Levels of the lines here, where the server does not count. */
function loadedLevels(pane: Pane): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const r of pane.view.rows) if (r.kind === "line") out.set(r.record.level, (out.get(r.record.level) ?? 0) + 1);
  return out;
}

interface GroupProps {
  readonly pane: Pane;
  readonly name: string;
  readonly open: boolean;
  readonly counting: boolean;
  readonly onOpen: () => void;
  readonly onSet: (q: string) => void;
  readonly onDrop: (() => void) | null;
}

function Group({ pane, name, open, counting, onOpen, onSet, onDrop }: GroupProps) {
  const answer = useCount({ query: pane.query, by: "field", field: name, buckets: VALUES, enabled: open && counting });
  const values = answer.data?.buckets ?? [];
  const most = Math.max(1, ...values.map((b) => b.count));
  const left = answer.data?.other ?? 0;
  return (
    <div className="fg">
      <h3 className="mono">
        <button type="button" className="fh" aria-expanded={open} onClick={onOpen}><Icon name="chevron-right" /><span className="trunc">{name}</span></button>
        <span className="sp" />
        {onDrop ? <button type="button" className="tg" aria-label={`Count no longer by ${name}`} onClick={onDrop}><Icon name="x" /></button> : null}
      </h3>
      {!open ? null : !counting ? <p className="t3 s11">counted on request</p> : answer.isPending ? <p className="t3 s11">counting</p> : answer.error && !answer.data ? <p className="t3 s11">{lacks(answer.error) ? "this server does not count by fields" : answer.error.message}</p> : values.length === 0 ? <p className="t3 s11">no line has it</p> : values.map((b) => {
        const term = equal(name, b.key);
        const on = asks(pane.typed, term);
        return (
          <div className="fv two" key={b.key}>
            <button type="button" className="fp" aria-pressed={on} title={b.key} onClick={() => onSet(on ? flip(pane.typed, term) : only(pane.typed, name, b.key))}>
              <span className={`cbx${on ? " on" : ""}`}>{on ? <Icon name="check" /> : null}</span><Name text={b.key === "" ? "empty" : b.key} /><Count n={b.count} /><i className="bar" style={{ width: `${(b.count / most) * 70}%` }} />
            </button>
            <button type="button" className="fn" aria-label={`Not ${name} ${b.key}`} title="not this" onClick={() => onSet(not(pane.typed, name, b.key))}>!</button>
          </div>
        );
      })}
      {open && left > 0 ? <p className="t3 s11">{si(left)} more lines with other values{answer.data?.exact === false ? "; counts are approximate" : ""}</p> : null}
    </div>
  );
}

/** Why nothing is counted, when that is so. */
export function whyNotCounted(pane: Pane, { error, cheap }: { readonly error: unknown; readonly cheap: boolean }): string {
  if (error !== null && lacks(error)) return "of the lines loaded: this server does not count";
  if (error instanceof Error) return `of the lines loaded: ${error.message}`;
  return pane.estimate ? `${cheap ? "counting" : "counting would read"} ${bytes(pane.estimate.bytes)}` : "";
}
