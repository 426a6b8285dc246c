/** All metrics of the window with type, unit and help; one click asks for it. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useMemo, useRef, useState } from "react";

import { count } from "../../core/format";
import { selectorOf } from "../../core/promql";
import { match } from "../../core/search";
import { Icon } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useAbout, useNames } from "./ask";

const ROW_PX = 44;

/** What is usually asked of a metric of this type. */
export function firstQuestion(name: string, type: string): string {
  if (type === "counter" || (type === "" && /_total$/.test(name))) return `rate(${selectorOf(name)}[$rate])`;
  if (type === "histogram" || /_bucket$/.test(name)) return `histogram_quantile(0.95, sum by (le) (rate(${selectorOf(/_bucket$/.test(name) ? name : `${name}_bucket`)}[$rate])))`;
  return selectorOf(name);
}

export function Browser({ onAsk }: { readonly onAsk: (expr: string) => void }) {
  const names = useNames();
  const about = useAbout();
  const [typed, setTyped] = useState("");
  const needle = useDeferredValue(typed);
  const shown = useMemo(() => {
    const all = (names.data?.data ?? []).flatMap((name) => {
      const hit = match(name, needle);
      const inHelp = needle.trim() !== "" && (about[name]?.help ?? "").toLowerCase().includes(needle.trim().toLowerCase());
      return hit && (needle.trim() === "" || hit.range) ? [{ name, score: hit.score }] : inHelp ? [{ name, score: 5 }] : [];
    });
    return all.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1)).map((n) => n.name);
  }, [names.data, about, needle]);
  const list = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => list.current, estimateSize: () => ROW_PX, overscan: 10 });
  const total = names.data?.data.length ?? 0;
  return (
    <section className="pane" aria-labelledby="h-names">
      <div className="ph"><h2 id="h-names">Metrics</h2><span className="n">{names.isPending ? "asking" : needle === "" ? `${count(total)} with samples in the window` : `${count(shown.length)} of ${count(total)}`}</span></div>
      <div className="srch0"><div className="inp code"><Icon name="search" small className="t3" /><input aria-label="Search metrics" placeholder="name or help" value={typed} onChange={(e) => setTyped(e.target.value)} onKeyDown={(e) => { if (e.key === "Escape") e.currentTarget.blur(); if (e.key === "Enter" && shown[0] !== undefined) onAsk(firstQuestion(shown[0], about[shown[0]]?.type ?? "")); }} /></div></div>
      {names.isPending ? <Loading rows={10} what="the metrics" /> : names.error && !names.data ? <Fault error={names.error} what="the metrics" retry={() => void names.refetch()} /> : total === 0 ? <Empty title="No metric has samples in this window">Agents send them within a minute of joining; other programs send OTLP or remote write.</Empty> : shown.length === 0 ? <Empty title="None matches" action={<button type="button" className="btn" onClick={() => setTyped("")}>Show all</button>} /> : (
        <div className="pb" ref={list}>
          <ul style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((v) => {
              const name = shown[v.index] ?? "";
              const a = about[name];
              return (
                <li key={name} className="met" style={{ top: v.start }}>
                  <button type="button" onClick={() => onAsk(firstQuestion(name, a?.type ?? ""))}>
                    <span className="row g6"><span className="mono key0 trunc">{name}</span>{a && a.type !== "" && a.type !== "unknown" ? <span className="chip">{a.type}</span> : null}{a && a.unit !== "" ? <span className="chip">{a.unit}</span> : null}</span>
                    <span className="t3 s12 trunc" title={a?.help}>{a && a.help !== "" ? a.help : "its sender gave no description"}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        </div>
      )}
    </section>
  );
}
