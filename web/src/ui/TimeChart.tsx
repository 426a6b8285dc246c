/** One chart with title, values at the cursor, and a table twin for those who cannot see it. */

import "./chart.css";

import { useMemo } from "react";

import type { Chart, ObjectMetrics } from "../api/types";
import { bridge, gaps } from "../core/decimate";
import { age, clockShort, inUnit, middle } from "../core/format";
import { assign, dashOf } from "../core/palette";
import type { PlotSpec } from "./plot";
import { Empty } from "./parts";
import { PlotCanvas } from "./PlotCanvas";
import { cursor, useChangeView, useCursor, useNow, windowText } from "./view";

interface TimeChartProps {
  readonly chart: Chart;
  readonly grid: ObjectMetrics;
  readonly marks?: readonly number[];
  readonly bars?: boolean;
  /** Chooses the name of a series among its labels. */
  readonly nameOf?: (labels: Readonly<Record<string, string>>) => string;
}

/** Said beside the title where the values do not carry their unit. */
const UNIT_WORD: Readonly<Record<string, string>> = { "{cpu}": "cores", By: "", "By/s": "", "1": "", s: "" };
const NAMED = 2;
const NAME_CHARS = 14;
const DASH_FROM = 4;
const STALE_STEPS = 3;

/** Bars count events that should not happen: they take the lamp, not a series colour. */
const BAR = -1;

export function tokenOf(colour: number): string {
  return colour === BAR ? "--crit-fill" : colour === 0 ? "--s-rest" : `--s${colour}`;
}

export function seriesName(labels: Readonly<Record<string, string>>): string {
  const values = Object.values(labels).filter((v) => v !== "");
  return values.length === 0 ? "total" : values.join(" ");
}

const SHORT: Readonly<Record<string, string>> = { receive: "in", transmit: "out" };

export function TimeChart({ chart, grid, marks = [], bars = false, nameOf = seriesName }: TimeChartProps) {
  const at = useCursor();
  const now = useNow();
  const names = useMemo(() => chart.series.map((s) => nameOf(s.labels)), [chart.series, nameOf]);
  const colours = useMemo(() => (bars ? names.map(() => BAR) : names.length === 1 ? [1] : assign(names)), [names, bars]);
  const times = useMemo(() => Array.from({ length: chart.series[0]?.points.length ?? 0 }, (_, i) => grid.start_ms + i * grid.step_ms), [chart.series, grid.start_ms, grid.step_ms]);
  const index = at === null ? times.length - 1 : Math.round((at - grid.start_ms) / grid.step_ms);
  const valueAt = (points: readonly (number | null)[]): number | null => points[index] ?? (at === null ? (points.findLast((p) => p !== null) ?? null) : null);
  const shown = chart.series.map((s, i) => ({ name: names[i] ?? "", colour: colours[i] ?? 0, value: valueAt(s.points) }));
  const hasData = chart.series.some((s) => s.points.some((p) => p !== null));
  const old = typeof grid.newest_ms === "number" && now - grid.newest_ms > Math.max(60_000, STALE_STEPS * grid.step_ms) ? now - grid.newest_ms : null;
  const unit = chart.shown === "rate" && chart.unit.startsWith("{") && chart.unit !== "{cpu}" ? "per second" : (UNIT_WORD[chart.unit] ?? "");
  return (
    <figure className="cb">
      <h3>
        {chart.title} <span className="t3 s11" style={{ fontWeight: 400 }}>{unit}</span>
        {old === null ? null : <span className="c-warn s11">newest {age(old)} old</span>}
        <span className="v s11">
          {shown.slice(0, NAMED).map((s) => (
            <span key={s.name} title={s.name}><i className="sw" style={{ color: `var(${tokenOf(s.colour)})` }} />{shown.length > 1 && names.length <= 2 ? `${SHORT[s.name] ?? middle(s.name, NAME_CHARS)} ` : ""}{s.value === null ? "no data" : inUnit(s.value, chart.unit)}</span>
          ))}
          {shown.length > NAMED ? <span className="t3">+{shown.length - NAMED}</span> : null}
        </span>
      </h3>
      {hasData ? <PlotBox spec={{ chart, grid, marks, bars, names, colours, times }} /> : <Empty title="No data in this window" />}
      <Twin chart={chart} names={names} times={times} />
    </figure>
  );
}

interface BoxSpec {
  readonly chart: Chart;
  readonly grid: ObjectMetrics;
  readonly marks: readonly number[];
  readonly bars: boolean;
  readonly names: readonly string[];
  readonly colours: readonly number[];
  readonly times: readonly number[];
}

function PlotBox({ spec: { chart, grid, marks, bars, names, colours, times } }: { readonly spec: BoxSpec }) {
  const change = useChangeView();
  const spec = useMemo<PlotSpec>(
    () => ({
      times,
      series: chart.series.map((s, i) => ({ name: names[i] ?? "", token: tokenOf(colours[i] ?? 1), dash: i >= DASH_FROM ? dashOf(i + 1) : undefined, values: bridge(s.points) })),
      lines: chart.lines,
      marks,
      gaps: gaps(chart.series.map((s) => s.points), times.length),
      unit: chart.unit,
      bars,
      onCursor: (at) => cursor.write(at),
      onZoom: (from, to) => change({ t: windowText(from, to) }),
    }),
    [chart, names, colours, times, marks, bars, change],
  );
  return <PlotCanvas spec={spec} label={`${chart.title} from ${clockShort(grid.start_ms)} to ${clockShort(grid.end_ms)} UTC, ${chart.series.length} series; a table follows`} />;
}

/** The same values as a table: first, lowest, highest, last. */
function Twin({ chart, names, times }: { readonly chart: Chart; readonly names: readonly string[]; readonly times: readonly number[] }) {
  const text = (v: number | undefined): string => (v === undefined ? "no data" : inUnit(v, chart.unit));
  return (
    <table className="sr">
      <caption>{chart.title}, {times.length} points</caption>
      <thead><tr><th>Series</th><th>First</th><th>Lowest</th><th>Highest</th><th>Last</th></tr></thead>
      <tbody>
        {chart.series.map((s, i) => {
          const known = s.points.filter((p) => p !== null);
          return <tr key={i}><td>{names[i]}</td><td>{text(known[0])}</td><td>{text(known.length > 0 ? Math.min(...known) : undefined)}</td><td>{text(known.length > 0 ? Math.max(...known) : undefined)}</td><td>{text(known.at(-1))}</td></tr>;
        })}
      </tbody>
    </table>
  );
}
