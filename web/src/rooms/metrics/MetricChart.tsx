/** One query's chart: the series that are shown, as lines or stacked, on the cursor that all charts share. */

import "../../ui/chart.css";

import { useMemo } from "react";

import { ApiError } from "../../api/client";
import { bridge, gaps } from "../../core/decimate";
import { clockShort, inUnit } from "../../core/format";
import { seriesTitle, shared, stacked } from "../../core/promAnswer";
import { PlotCanvas } from "../../ui/PlotCanvas";
import type { PlotSpec } from "../../ui/plot";
import { Empty, Fault, Loading } from "../../ui/parts";
import { cursor, useChangeView, windowText } from "../../ui/view";
import type { Asked } from "./ask";
import { MOST_DRAWN, type Drawn } from "./series";

interface MetricChartProps {
  readonly asked: Asked;
  /** Series of this query in view, highest first. */
  readonly shown: readonly Drawn[];
  readonly unit: string;
  readonly stack: boolean;
  readonly marks: readonly number[];
  readonly title?: string;
}

const LEGEND = 6;
/** A panel's head is narrow, and each entry there has its value. */
const PANEL_LEGEND = 2;
const UNIT_WORD: Readonly<Record<string, string>> = { "{cpu}": "cores", "By/s": "per second", s: "" };

export function MetricChart({ asked, shown, unit, stack, marks, title }: MetricChartProps) {
  const change = useChangeView();
  const lines = useMemo(() => shown.slice(0, MOST_DRAWN), [shown]);
  const times = asked.drawn?.times;
  const spec = useMemo<PlotSpec | null>(() => {
    if (!times || lines.length === 0) return null;
    const values = lines.map((d) => bridge(d.line.points));
    return {
      times, series: (stack ? stacked(values) : values).map((v, i) => ({ name: lines[i]?.id ?? "", token: lines[i]?.token ?? "--s-rest", dash: lines[i]?.dash, values: v })),
      lines: [], marks, gaps: gaps(lines.map((d) => d.line.points), times.length), unit, bars: false, stacked: stack,
      onCursor: (at) => cursor.write(at), onZoom: (from, to) => change({ t: windowText(from, to) }),
    };
  }, [lines, times, stack, marks, unit, change]);
  const common = shared(shown.map((d) => d.line));
  const head = title ?? seriesTitle(common);
  const plain = title !== undefined;
  const legend = plain ? PANEL_LEGEND : LEGEND;
  return (
    <figure className="cb mch">
      <h3 className={plain ? "" : "asked"}>
        {plain ? null : <b>{asked.letter}</b>}<span className={plain ? "nowrap" : "mono trunc t2"} title={plain ? title : asked.text}>{plain ? title : head === "value" ? asked.text : head}</span>
        <span className="t3 s11" style={{ fontWeight: 400 }}>{UNIT_WORD[unit] ?? ""}{stack ? " stacked" : ""}</span>
        <span className="v s11">{lines.slice(0, legend).map((d) => <span key={d.id} title={seriesTitle(d.line.labels, common)}><i className="sw" style={{ color: `var(${d.token})`, borderTopStyle: d.dash ? "dashed" : "solid" }} /><span className="trunc nm1">{d.name}</span>{plain ? <span>{d.figures.at === null ? "no data" : inUnit(d.figures.at, unit)}</span> : null}</span>)}{shown.length > legend ? <span className="t3">+{shown.length - legend}</span> : null}</span>
      </h3>
      {asked.pending ? <Loading rows={3} what={`query ${asked.letter}`} /> : asked.error && refusedHere(asked.error) && !plain ? <Empty title={`${asked.letter} has a fault`}>It stands below the query.</Empty> : asked.error && !asked.drawn ? <Fault error={asked.error} what={plain ? title : `query ${asked.letter}`} retry={asked.retry} /> : asked.drawn && asked.drawn.lines.length === 0 ? <Empty title="No series">The expression is right and nothing in this window and scope answers it.</Empty> : spec === null ? <Empty title="Nothing shown">All its series are hidden.</Empty> : <PlotCanvas spec={spec} label={`${plain ? title : `Query ${asked.letter}`} from ${clockShort(spec.times[0] ?? 0)} to ${clockShort(spec.times.at(-1) ?? 0)} UTC, ${shown.length} series${plain ? "" : "; a table follows"}`} />}
      {shown.length > MOST_DRAWN ? <p className="t3 s11 nowrap" style={{ padding: "0 12px 4px" }}>the {MOST_DRAWN} highest of {shown.length} are drawn{plain ? "" : "; the table has all"}</p> : null}
      {plain ? <Twin title={title} shown={shown} unit={unit} /> : null}
    </figure>
  );
}

/** The expression is wrong, rather than the server in trouble. */
const refusedHere = (error: unknown): boolean => error instanceof ApiError && error.problem.kind === "bad_data";

/** A panel's values as a table, for those who cannot see it. */
function Twin({ title, shown, unit }: { readonly title: string; readonly shown: readonly Drawn[]; readonly unit: string }) {
  const text = (v: number | null): string => (v === null ? "no data" : inUnit(v, unit));
  return (
    <table className="sr"><caption>{title}</caption><thead><tr><th>Series</th><th>Lowest</th><th>Mean</th><th>Highest</th><th>Last</th></tr></thead>
      <tbody>{shown.slice(0, MOST_DRAWN).map((d) => <tr key={d.id}><td>{d.name}</td><td>{text(d.figures.min)}</td><td>{text(d.figures.mean)}</td><td>{text(d.figures.max)}</td><td>{text(d.figures.last)}</td></tr>)}</tbody>
    </table>
  );
}
