/** One panel of an own board: its queries over the window, drawn as lines, areas, bars, a figure, a table or a heat map; what failed stands in place. */

import "../../ui/chart.css";

import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";

import type { BoardPanel } from "../../api/types";
import { filledIn, hasAxis, legendOf, levelOf, PANEL_LETTERS, tableOf, type Chosen, type PanelLetter, type Refused } from "../../core/board";
import { bridge, gaps, type Value } from "../../core/decimate";
import { clockShort, inUnit, plural } from "../../core/format";
import { seriesTitle, shared, stacked } from "../../core/promAnswer";
import { faultWords, stepFor } from "../../core/promql";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading, Spark } from "../../ui/parts";
import { PlotCanvas } from "../../ui/PlotCanvas";
import type { PlotSpec } from "../../ui/plot";
import { useSize } from "../../ui/size";
import { cursor, useAskSpan, useCarried, useChangeView, useCursor, useOrg, windowText } from "../../ui/view";
import { useRanges, type Asked } from "./ask";
import { HeatMap } from "./HeatMap";
import { useRested, useSame, useSeen } from "./rest";
import { drawnOf, MOST_DRAWN, type Drawn } from "./series";

/** A value that is a step or two late is still the newest one. */
const LATE_STEPS = 2;
const TYPING_MS = 500;
const MOST_BARS = 40;
const MOST_ROWS = 200;
const ENTRY_PX = 150;
const UNIT_WORD: Readonly<Record<string, string>> = { "{cpu}": "cores", "By/s": "per second", "/s": "per second" };

export interface PanelAnswer {
  readonly asked: readonly Asked<PanelLetter>[];
  readonly lines: readonly Drawn[];
  /** What stands for each series now: at the cursor, else the newest. */
  readonly valueOf: (drawn: Drawn) => Value;
  readonly pending: boolean;
  readonly failed: readonly Asked<PanelLetter>[];
}

/** Asks the panel's queries at one step and names their series. `width`, px: 0 asks nothing. */
export function usePanel(panel: BoardPanel, chosen: Chosen, width: number, settleMs: number): PanelAnswer {
  const { start, end } = useAskSpan();
  const at = useCursor();
  const stepS = stepFor(end - start, width || 500);
  const text = JSON.stringify(panel.queries.map((q) => (width === 0 ? "" : filledIn(q.expr, chosen))));
  const rested = useRested(text, settleMs);
  const texts = useMemo(() => (JSON.parse(rested) as string[]).map((one, i) => ({ letter: PANEL_LETTERS[i] ?? "H", text: one })), [rested]);
  const asked = useRanges<PanelLetter>(texts, stepS);
  const first = asked.find((a) => a.answer)?.answer;
  const steps = asked.find((a) => a.drawn)?.drawn?.times.length ?? 1;
  const index = at === null || !first ? steps - 1 : Math.round((at - first.startMs) / first.stepMs);
  const grids = useSame(asked.map((a) => a.drawn));
  const lines = useMemo(() => {
    const named = (d: Drawn): Drawn => { const name = legendOf(panel.queries[PANEL_LETTERS.indexOf(d.line.query as PanelLetter)]?.legend ?? "", d.line.labels); return name === null ? d : { ...d, name }; };
    return drawnOf(grids.flatMap((g) => g?.lines ?? []), index).map(named);
  }, [grids, index, panel.queries]);
  return {
    asked, lines, valueOf: (d) => d.figures.at ?? (at === null && d.figures.lastAgo <= LATE_STEPS ? d.figures.last : null),
    pending: asked.some((a) => a.pending && !a.drawn), failed: asked.filter((a) => a.error !== null && a.text.trim() !== ""),
  };
}

interface OwnPanelProps {
  readonly panel: BoardPanel;
  readonly chosen: Chosen;
  readonly marks: readonly number[];
  /** The panel is being changed: its queries are asked when typing rests. */
  readonly edited?: boolean;
  /** Why the board was not saved. */
  readonly refused?: readonly Refused[];
  /** At the right of the head. */
  readonly controls?: ReactNode;
}

export function OwnPanel({ panel, chosen, marks, edited = false, refused = [], controls }: OwnPanelProps) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const seen = useSeen(box);
  const answer = usePanel(panel, chosen, seen ? width : 0, edited ? TYPING_MS : 0);
  const org = useOrg();
  const carried = useCarried();
  const explore = Object.fromEntries(panel.queries.slice(0, 4).map((q, i) => [i === 0 ? "q" : `q${i + 1}`, filledIn(q.expr, chosen)]));
  const figure = panel.kind === "stat";
  const empty = panel.queries.every((q) => q.expr.trim() === "");
  const charted = hasAxis(panel.kind);
  const entries = charted ? Math.max(1, Math.floor((width - 220) / ENTRY_PX)) : 0;
  return (
    <div ref={box} className="ownp">
      <figure className={`cb own-${panel.kind}`}>
        <h3>
          <span className="nowrap trunc ttl" title={panel.title}>{panel.title}</span>
          {figure ? null : <span className="t3 s11" style={{ fontWeight: 400 }}>{charted || panel.unit === "{cpu}" ? (UNIT_WORD[panel.unit] ?? "") : ""}{panel.kind === "stack" ? " stacked" : ""}</span>}
          <span className="v s11">{answer.lines.slice(0, entries).map((d) => { const value = answer.valueOf(d); return <span key={d.id} title={seriesTitle(d.line.labels)}><i className="sw" style={{ color: `var(${d.token})`, borderTopStyle: d.dash ? "dashed" : "solid" }} /><span className="trunc nm1">{d.name}</span><span>{value === null ? "no data" : inUnit(value, panel.unit)}</span></span>; })}{charted && answer.lines.length > entries ? <span className="t3">+{answer.lines.length - entries}</span> : null}</span>
          <span className="row g4 ctl">{controls}{empty || controls ? null : <Link className="btn quiet icon sm" aria-label={`Explore ${panel.title}`} title="Explore: the queries behind this panel" to="/o/$org/metrics" params={{ org }} search={{ ...carried, ...explore, ...(panel.kind === "stack" ? { draw: "stack" } : {}) } as never}><Icon name="arrow-up-right" /></Link>}</span>
        </h3>
        {empty ? <Empty title="No query yet">{edited ? "Write one at the right." : "Edit the board to write one."}</Empty> : answer.lines.length === 0 && (answer.pending || width === 0 || !seen) ? <Loading rows={figure ? 1 : 3} what={panel.title} /> : answer.lines.length === 0 && answer.failed.length > 0 ? <Failed answer={answer} title={panel.title} /> : answer.lines.length === 0 ? <Empty title="No series">{figure ? null : "The queries are right and nothing in this window and scope answers them."}</Empty> : <Drawing panel={panel} answer={answer} marks={marks} />}
        {answer.lines.length > 0 ? answer.failed.map((a) => <p className="qf0 c-crit" role="alert" key={a.letter}><Mark kind="crit" label="" /> {a.letter}: {wordsOf(a.error)}</p>) : null}
        <Said answer={answer} />
        {refused.map((r) => <p className="qf0 c-crit" role="alert" key={r.query}><Mark kind="crit" label="" /> Not saved: {r.words}</p>)}
      </figure>
    </div>
  );
}

export const wordsOf = (error: unknown): string => faultWords(error instanceof Error ? error.message : String(error));

/** Every query failed: the words of each; when it is the server's trouble, the way to ask again. */
function Failed({ answer, title }: { readonly answer: PanelAnswer; readonly title: string }) {
  const [only, ...more] = answer.failed;
  if (only && more.length === 0 && answer.asked.length === 1) return <Fault error={only.error} what={title} retry={only.retry} />;
  return <div className="cen" role="alert"><Mark kind="crit" size={13} /><b>No query of it was answered</b>{answer.failed.map((a) => <span key={a.letter}>{a.letter}: {wordsOf(a.error)}</span>)}<span className="row"><button type="button" className="btn" onClick={() => answer.failed.forEach((a) => a.retry())}>Try again</button></span></div>;
}

/** Warnings, and what of the answers cannot be drawn. */
function Said({ answer }: { readonly answer: PanelAnswer }) {
  const warned = [...new Set(answer.asked.flatMap((a) => (a.answer?.warnings ?? []).map((w) => `${a.letter}: ${w}`)))];
  const odd = answer.asked.reduce((n, a) => n + (a.drawn?.odd ?? 0), 0);
  const histograms = answer.asked.reduce((n, a) => n + (a.drawn?.histograms ?? 0), 0);
  const flat = answer.asked.filter((a) => a.answer && a.answer.data.resultType !== "matrix");
  const all = [...warned, ...(histograms > 0 ? [`${plural(histograms, "native histogram")} not drawn`] : []), ...flat.map((a) => `${a.letter} gives a ${a.answer?.data.resultType ?? ""}, which has no series to draw`)];
  return (
    <>
      {all.map((text) => <p className="qf0 c-warn" key={text}><Mark kind="warn" label="warning" /> {text}</p>)}
      {odd > 0 ? <p className="qf0 t3">{plural(odd, "sample")} NaN or infinite and not drawn</p> : null}
    </>
  );
}

function Drawing({ panel, answer, marks }: { readonly panel: BoardPanel; readonly answer: PanelAnswer; readonly marks: readonly number[] }) {
  if (panel.kind === "stat") return <Stat panel={panel} answer={answer} />;
  if (panel.kind === "bars") return <Bars panel={panel} answer={answer} />;
  if (panel.kind === "table") return <ValueTable panel={panel} answer={answer} />;
  if (panel.kind === "heatmap") return <HeatMap panel={panel} answer={answer} />;
  return <Lines panel={panel} answer={answer} marks={marks} />;
}

function Lines({ panel, answer, marks }: { readonly panel: BoardPanel; readonly answer: PanelAnswer; readonly marks: readonly number[] }) {
  const change = useChangeView();
  const lines = useMemo(() => answer.lines.slice(0, MOST_DRAWN), [answer.lines]);
  const times = answer.asked.find((a) => a.drawn && a.drawn.times.length > 0)?.drawn?.times;
  const stack = panel.kind === "stack";
  const spec = useMemo<PlotSpec | null>(() => {
    if (!times) return null;
    const values = lines.map((d) => bridge(d.line.points));
    return {
      times, series: (stack ? stacked(values) : values).map((v, i) => ({ name: lines[i]?.id ?? "", token: lines[i]?.token ?? "--s-rest", dash: lines[i]?.dash, values: v })),
      lines: panel.thresholds.map((t) => ({ kind: t.level, value: t.value, label: t.label || inUnit(t.value, panel.unit) })), marks, gaps: gaps(lines.map((d) => d.line.points), times.length), unit: panel.unit, ends: [panel.min, panel.max], bars: false, stacked: stack,
      onCursor: (at) => cursor.write(at), onZoom: (from, to) => change({ t: windowText(from, to) }),
    };
  }, [lines, times, stack, marks, panel.unit, panel.min, panel.max, panel.thresholds, change]);
  if (spec === null) return <Empty title="No series" />;
  return (
    <>
      <PlotCanvas spec={spec} label={`${panel.title} from ${clockShort(spec.times[0] ?? 0)} to ${clockShort(spec.times.at(-1) ?? 0)} UTC, ${plural(lines.length, "series", "series")}; a table follows`} />
      {answer.lines.length > MOST_DRAWN ? <p className="t3 s11 nowrap" style={{ padding: "0 12px 4px" }}>the {MOST_DRAWN} highest of {answer.lines.length} are drawn</p> : null}
      <Twin panel={panel} lines={lines} />
    </>
  );
}

/** The same as a table, for those who cannot see the chart. */
function Twin({ panel, lines }: { readonly panel: BoardPanel; readonly lines: readonly Drawn[] }) {
  const text = (v: Value): string => (v === null ? "no data" : inUnit(v, panel.unit));
  return (
    <table className="sr"><caption>{panel.title}</caption><thead><tr><th>Series</th><th>Lowest</th><th>Mean</th><th>Highest</th><th>Last</th></tr></thead>
      <tbody>{lines.map((d) => <tr key={`${d.line.query}${d.id}`}><td>{d.name}</td><td>{text(d.figures.min)}</td><td>{text(d.figures.mean)}</td><td>{text(d.figures.max)}</td><td>{text(d.figures.last)}</td></tr>)}</tbody>
    </table>
  );
}

const LAMP = { crit: "c-crit", warn: "c-warn" } as const;

/** The first series as a figure; the first of a second query stands behind it, as in 27 / 30. */
function Stat({ panel, answer }: { readonly panel: BoardPanel; readonly answer: PanelAnswer }) {
  const byQuery = answer.asked.map((a) => answer.lines.filter((d) => d.line.query === a.letter));
  const [first = [], second = []] = byQuery;
  const main = first[0] ?? second[0];
  if (!main) return <Empty title="No series" />;
  const value = answer.valueOf(main);
  const level = levelOf(value, panel.thresholds);
  const of = first[0] && second[0] ? answer.valueOf(second[0]) : null;
  const more = first.length - 1;
  return (
    <div className="stat0">
      <span className="fig0">{level ? <Mark kind={level} label={level === "crit" ? "critical" : "warning"} size={13} /> : null}<b className={level ? LAMP[level] : ""}>{value === null ? "no data" : inUnit(value, panel.unit)}</b>{panel.unit === "{cpu}" && value !== null ? <span className="t3 s12">cores</span> : null}{of === null ? null : <span className="t3">/ {inUnit(of, panel.unit)}</span>}</span>
      <Spark values={main.line.points} width={64} height={24} colour={level === "crit" ? "var(--crit-fill)" : level === "warn" ? "var(--warn-fill)" : "var(--ink-3)"} />
      {more > 0 ? <span className="t3 s11 wide0 trunc" title={main.name}>{main.name}, the highest of {plural(first.length, "series", "series")}</span> : null}
    </div>
  );
}

/** One bar a series, the longest first. */
function Bars({ panel, answer }: { readonly panel: BoardPanel; readonly answer: PanelAnswer }) {
  const rows = answer.lines.map((d) => ({ d, value: answer.valueOf(d) })).sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
  const most = Math.max(0, ...rows.map((r) => Math.abs(r.value ?? 0)));
  return (
    <ul className="bars0" tabIndex={0} aria-label={panel.title}>
      {rows.slice(0, MOST_BARS).map(({ d, value }) => { const level = levelOf(value, panel.thresholds); return (
        <li key={`${d.line.query}${d.id}`} title={seriesTitle(d.line.labels)}><span className="mono trunc">{d.name}</span><span className="rail0"><i className={level ?? ""} style={{ width: `${most === 0 || value === null ? 0 : (Math.abs(value) / most) * 100}%` }} /></span><span className={`num ${level ? LAMP[level] : ""}`}>{level ? <Mark kind={level} /> : null} {value === null ? "no data" : inUnit(value, panel.unit)}</span></li>
      ); })}
      {rows.length > MOST_BARS ? <li className="t3 s11">{rows.length - MOST_BARS} more, all shorter</li> : null}
    </ul>
  );
}

/** Labels that tell the series apart, and a column a query. */
function ValueTable({ panel, answer }: { readonly panel: BoardPanel; readonly answer: PanelAnswer }) {
  const byLine = useMemo(() => new Map(answer.lines.map((d) => [d.line, d])), [answer.lines]);
  const table = tableOf(answer.asked.map((a) => ({ letter: a.letter, lines: a.drawn?.lines ?? [] })), (line) => { const d = byLine.get(line); return d ? answer.valueOf(d) : null; });
  const heads = answer.asked.map((a, i) => panel.queries[i]?.legend.trim() || (answer.asked.length === 1 ? "Value" : a.letter));
  return (
    <div className="tbl0" tabIndex={0} role="group" aria-label={panel.title}>
      <table className="tb"><thead><tr>{table.labels.map((l) => <th key={l}>{l}</th>)}{heads.map((h, i) => <th className="num" key={i}>{h}</th>)}</tr></thead>
        <tbody>{table.rows.slice(0, MOST_ROWS).map((r) => <tr key={r.key}>{r.labels.map((l, i) => <td className="mono" key={i}>{l}</td>)}{r.values.map((v, i) => { const level = levelOf(v, panel.thresholds); return <td className={`num ${level ? LAMP[level] : ""}`} key={i}>{level ? <Mark kind={level} /> : null} {v === null ? <span className="t3">none</span> : inUnit(v, panel.unit)}</td>; })}</tr>)}</tbody>
      </table>
      {table.rows.length > MOST_ROWS ? <p className="t3 s11" style={{ padding: "4px 12px" }}>the first {MOST_ROWS} of {table.rows.length} rows</p> : null}
    </div>
  );
}

/** The panel's series with their figures, beside the editor. */
export function SeriesFigures({ panel, answer }: { readonly panel: BoardPanel; readonly answer: PanelAnswer }) {
  const common = shared(answer.lines.map((d) => d.line));
  const text = (v: Value): string => (v === null ? "no data" : inUnit(v, panel.unit));
  return (
    <table className="tb"><thead><tr><th>Series</th><th className="num">Now</th><th className="num">Min</th><th className="num">Max</th></tr></thead>
      <tbody>{answer.lines.slice(0, 20).map((d) => <tr key={`${d.line.query}${d.id}`} title={seriesTitle(d.line.labels, common)}><td><span className="row g6"><i className="sw" style={{ color: `var(${d.token})` }} /><span className="trunc" style={{ maxWidth: 130 }}>{d.name}</span></span></td><td className="num">{text(answer.valueOf(d))}</td><td className="num">{text(d.figures.min)}</td><td className="num">{text(d.figures.max)}</td></tr>)}</tbody>
    </table>
  );
}
