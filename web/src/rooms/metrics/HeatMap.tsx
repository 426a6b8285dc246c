/** A histogram over time: a row for each bucket, the stronger its colour the more is in it. The same stands as a table for those who cannot see it. */

import { useEffect, useMemo, useRef } from "react";

import type { BoardPanel } from "../../api/types";
import { clockShort, plural } from "../../core/format";
import { boundText, heatOf, strength, type HeatRow } from "../../core/heat";
import { Empty } from "../../ui/parts";
import { useSize } from "../../ui/size";
import { cursor, useCursor } from "../../ui/view";
import type { PanelAnswer } from "./OwnPanel";

/** Pixels between two labels of buckets. */
const LABEL_PX = 16;

export function HeatMap({ panel, answer }: { readonly panel: BoardPanel; readonly answer: PanelAnswer }) {
  const first = answer.asked.find((a) => a.drawn && a.drawn.times.length > 0);
  const times = useMemo(() => first?.drawn?.times ?? [], [first]);
  const heat = useMemo(() => heatOf(answer.lines.map((d) => d.line), times.length), [answer.lines, times]);
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const at = useCursor();
  const { rows, most } = heat;
  useEffect(() => {
    const element = canvas.current;
    const pen = element === null || rows.length === 0 || width === 0 ? null : element.getContext("2d");
    if (element === null || pen === null) return;
    const scale = window.devicePixelRatio || 1;
    element.width = Math.round(width * scale);
    element.height = Math.round(height * scale);
    pen.fillStyle = getComputedStyle(element).getPropertyValue("--s1").trim();
    const [w, h] = [element.width / times.length, element.height / rows.length];
    rows.forEach((row, r) => row.cells.forEach((value, i) => {
      const [x, y] = [Math.round(i * w), Math.round(r * h)];
      pen.globalAlpha = strength(value, most);
      // Whole pixels, none twice: what overlaps would look like more.
      if (pen.globalAlpha > 0) pen.fillRect(x, y, Math.round((i + 1) * w) - x, Math.max(1, Math.round((r + 1) * h) - y - 1));
    }));
  }, [rows, most, times, width, height]);
  if (rows.length === 0) return <Empty title="No buckets">A heat map draws series with the label le, as in sum by (le) (increase(…_bucket[$step])).</Empty>;
  const step = nearest(times, at);
  const every = Math.max(1, Math.ceil((rows.length * LABEL_PX) / Math.max(LABEL_PX, height)));
  const bound = (row: HeatRow): string => (row.to === Infinity ? "∞" : boundText(row.to, panel.unit));
  const range = (row: HeatRow): string => (row.from === null ? `up to ${bound(row)}` : row.to === Infinity ? `above ${boundText(row.from, panel.unit)}` : `${boundText(row.from, panel.unit)} to ${bound(row)}`);
  return (
    <>
      <div className="heat0">
        <ul aria-hidden="true">{rows.map((row, i) => <li key={row.to}>{i % every === 0 ? bound(row) : ""}</li>)}</ul>
        <div
          ref={box} role="img" aria-label={`${panel.title} from ${clockShort(times[0] ?? 0)} to ${clockShort(times.at(-1) ?? 0)} UTC, ${plural(rows.length, "bucket")}; a table follows`}
          onPointerMove={(e) => { const all = e.currentTarget.getBoundingClientRect(); cursor.write(times[Math.floor(((e.clientX - all.left) / Math.max(1, all.width)) * times.length)] ?? null); }}
          onPointerLeave={() => cursor.write(null)}
        >
          <canvas ref={canvas} />
          {step === null ? null : <i className="lub0" style={{ left: `${((step + 0.5) / times.length) * 100}%` }} />}
        </div>
        <p className="t3 s11 tn"><span>{clockShort(times[0] ?? 0)}</span><span>{step === null ? "" : `${clockShort(times[step] ?? 0)}: most of it ${fullest(rows, step, range)}`}</span><span>{clockShort(times.at(-1) ?? 0)}</span></p>
      </div>
      <table className="sr"><caption>{panel.title}</caption><thead><tr><th>Bucket</th><th>Most at one time</th><th>Last</th></tr></thead>
        <tbody>{rows.map((row) => <tr key={row.to}><td>{range(row)}</td><td>{Math.max(0, ...row.cells.map((v) => v ?? 0))}</td><td>{row.cells.at(-1) ?? "no data"}</td></tr>)}</tbody>
      </table>
    </>
  );
}

function nearest(times: readonly number[], at: number | null): number | null {
  const [first, last] = [times[0], times.at(-1)];
  if (at === null || first === undefined || last === undefined || at < first || at > last) return null;
  return last === first ? 0 : Math.round(((at - first) / (last - first)) * (times.length - 1));
}

/** The bucket that holds most at a step. */
function fullest(rows: readonly HeatRow[], step: number, range: (row: HeatRow) => string): string {
  const full = rows.reduce<HeatRow | null>((best, row) => ((row.cells[step] ?? 0) > (best?.cells[step] ?? 0) ? row : best), null);
  return full === null ? "none" : range(full);
}
