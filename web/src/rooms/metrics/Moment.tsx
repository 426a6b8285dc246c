/** What else happened at the cursor, and the labels that tell the series of a query apart. */

import { Link } from "@tanstack/react-router";

import { clock, duration } from "../../core/format";
import { labelCounts, type SeriesLine } from "../../core/promAnswer";
import { Icon, Mark } from "../../ui/Mark";
import { useProblems } from "../../api/queries";
import { useChanges } from "../../ui/tapeData";
import { useCarried, useChangeView, useCursor, useOrg, useScope, useView, windowText } from "../../ui/view";

const NEAR_MS = 300_000;
const LEAD_MS = 60_000;
const MOST = 8;

export function Moment() {
  const at = useCursor();
  const pinned = useView().c !== undefined;
  const change = useChangeView();
  const org = useOrg();
  const carried = useCarried();
  const scope = useScope();
  const { events } = useChanges();
  const problems = useProblems();
  if (at === null) return <><div className="ph"><h2>At the cursor</h2></div><p className="t3 s12" style={{ padding: "7px 12px 9px" }}>Point at a chart: what changed and what began to fail near that moment stands here. <kbd>⏎</kbd> pins it.</p></>;
  const near = [
    ...events.filter((e) => Math.abs(e.at_ms - at) <= NEAR_MS).map((e) => ({ at: e.at_ms, kind: "hand" as const, name: e.object_name, text: e.message || e.reason, key: e.uid })),
    ...problems.items.filter((p) => Math.abs(p.since_ms - at) <= NEAR_MS && (scope.clusters.length === 0 || scope.clusters.includes(p.cluster))).map((p) => ({ at: p.since_ms, kind: p.state === "crit" ? ("crit" as const) : ("warn" as const), name: p.object.name, text: p.effect, key: p.id })),
  ].sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at)).slice(0, MOST);
  const moved = { ...carried, c: new Date(at).toISOString(), t: windowText(at - LEAD_MS, at + LEAD_MS * 5) };
  const spaces = scope.clusters.flatMap((c) => (scope.namespaces.length === 0 ? [c] : scope.namespaces.map((n) => `${c}/${n}`)));
  return (
    <>
      <div className="ph"><h2>At {clock(at)}</h2><span className="sp" /><button type="button" className="btn quiet sm" aria-pressed={pinned} onClick={() => change({ c: pinned ? undefined : new Date(at).toISOString() }, true)}>{pinned ? "Unpin" : "Pin"} <kbd>⏎</kbd></button></div>
      {near.length === 0 ? <p className="t3 s12" style={{ padding: "6px 12px" }}>No change and no new problem within 5 minutes.</p> : near.map((n) => <div className="mom" key={n.key}><Mark kind={n.kind} /><div style={{ minWidth: 0 }}><b className="strong trunc">{n.name}</b><div className="t2 trunc" title={n.text}>{n.text}</div><div className="t3 s11">{duration(Math.abs(n.at - at))} {n.at <= at ? "before" : "after"}</div></div></div>)}
      <Link className="opt" to="/o/$org/logs" params={{ org }} search={{ ...moved, ...(spaces.length > 0 ? { src: spaces.join(",") } : {}), q: "level>=error" } as never}><Icon name="scroll-text" small />Errors in the logs, next 5 min<span className="sp" /><Icon name="arrow-up-right" small /></Link>
      <Link className="opt" to="/o/$org/traces" params={{ org }} search={{ ...moved, q: "status=error" } as never}><Icon name="waypoints" small />Traces with errors, next 5 min<span className="sp" /><Icon name="arrow-up-right" small /></Link>
    </>
  );
}

const LABELS = 8;
const VALUES = 6;

/** Labels of one query by number of values, a click asks for one value alone. */
export function Labels({ letter, lines, onOnly }: { readonly letter: string; readonly lines: readonly SeriesLine[]; readonly onOnly: (label: string, value: string) => void }) {
  const all = labelCounts(lines);
  if (all.length === 0) return null;
  return (
    <>
      <div className="ph bt"><h2>Labels of {letter}</h2><span className="n">by number of series</span></div>
      {all.slice(0, LABELS).map((l) => (
        <div className="fac0" key={l.name}>
          <h3><span className="mono key0">{l.name}</span> {l.values.length} values</h3>
          {l.values.slice(0, VALUES).map((v) => <button type="button" className="fv0" key={v.value} title={`only ${l.name}="${v.value}" in ${letter}`} onClick={() => onOnly(l.name, v.value)}><span className="trunc">{v.value === "" ? "(empty)" : v.value}</span><span className="num t3 s11">{v.series}</span><i className="bar0" style={{ width: `${(v.series / lines.length) * 100}%` }} /></button>)}
          {l.values.length > VALUES ? <p className="t3 s11">{l.values.length - VALUES} more</p> : null}
        </div>
      ))}
    </>
  );
}
