/** Matching lines by time and level, counted by the server over the whole window, on the same axis as the tape. Drag zooms, a click jumps; gaps are hatched; what is loaded is underlined. */

import { useId, useMemo, useRef, useState, type PointerEvent } from "react";

import type { LogCount } from "../../api/types";
import { clock, count } from "../../core/format";
import { bars, sentence, type Bar } from "../../core/histogram";
import { msOf } from "../../core/stamp";
import type { Span } from "../../core/window";
import { useSize } from "../../ui/size";
import { cursor, useChangeView, useCursor, windowText } from "../../ui/view";
import type { Row } from "./feed";

export const BUCKETS = 120;
const HEIGHT = 66;
const PAD = 12;
const LEAST_DRAG = 5;

interface HistogramProps {
  readonly counted: LogCount | undefined;
  /** Why there is no count, in few words. */
  readonly why: string;
  readonly rows: readonly Row[];
  readonly version: number;
  readonly span: Span;
  readonly changes: readonly number[];
  readonly onJump: (ms: number) => void;
}

/** Where the server has no count, the loaded lines stand in, and say so. */
function loadedBars(rows: readonly Row[], span: Span): Bar[] {
  const step = (span.toMs - span.fromMs) / BUCKETS;
  const out = Array.from({ length: BUCKETS }, (_, i) => ({ fromMs: span.fromMs + i * step, toMs: span.fromMs + (i + 1) * step, error: 0, warn: 0, rest: 0 }));
  for (const row of rows) {
    const bar = row.kind === "line" ? out[Math.floor((msOf(row.time) - span.fromMs) / step)] : undefined;
    if (!bar || row.kind !== "line") continue;
    if (row.record.level === "error" || row.record.level === "fatal") bar.error += 1;
    else if (row.record.level === "warn") bar.warn += 1;
    else bar.rest += 1;
  }
  return out;
}

export function Histogram({ counted, why, rows, version, span, changes, onJump }: HistogramProps) {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const id = useId();
  const at = useCursor();
  const change = useChangeView();
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const pressed = useRef<number | null>(null);
  const all = useMemo(() => (counted ? bars(counted.buckets) : loadedBars(rows, span)), [counted, counted ? 0 : version, counted ? 0 : span]);
  const holes = useMemo(() => [...(counted?.gaps ?? []), ...rows.filter((r) => r.kind === "gap").map((r) => r.gap)].flatMap((g) => (g.from || g.to ? [{ from: g.from ? msOf(g.from) : span.fromMs, to: g.to ? msOf(g.to) : msOf(g.from ?? ""), text: g.text }] : [])), [counted, version, span]);
  const inner = Math.max(1, width - 2 * PAD);
  const length = span.toMs - span.fromMs;
  const x = (ms: number): number => PAD + Math.min(1, Math.max(0, (ms - span.fromMs) / length)) * inner;
  const most = Math.max(1, ...all.map((b) => b.error + b.warn + b.rest));
  const high = HEIGHT - 14;
  const first = rows[0];
  const last = rows.at(-1);
  const px = (e: PointerEvent<HTMLElement>): number => Math.min(width - PAD, Math.max(PAD, e.clientX - e.currentTarget.getBoundingClientRect().left));
  const ms = (p: number): number => span.fromMs + ((p - PAD) / inner) * length;
  const up = (e: PointerEvent<HTMLElement>): void => {
    const from = pressed.current;
    pressed.current = null;
    setDrag(null);
    if (from === null) return;
    const [a, b] = [Math.min(from, px(e)), Math.max(from, px(e))];
    if (b - a < LEAST_DRAG) onJump(ms(a));
    else change({ t: windowText(Math.floor(ms(a) / 1000) * 1000, Math.max(Math.ceil(ms(b) / 1000) * 1000, Math.floor(ms(a) / 1000) * 1000 + 1000)) });
  };
  return (
    <div
      className="hist" ref={ref}
      onPointerDown={(e) => { if (e.button === 0) { pressed.current = px(e); e.currentTarget.setPointerCapture(e.pointerId); } }}
      onPointerMove={(e) => { cursor.write(ms(px(e))); if (pressed.current !== null) setDrag({ from: pressed.current, to: px(e) }); }}
      onPointerUp={up} onPointerLeave={() => cursor.write(null)}
    >
      <svg width={width} height={HEIGHT} role="img" aria-label={`Lines from ${clock(span.fromMs)} to ${clock(span.toMs)} by level: ${sentence(all, clock)}${counted ? "" : ", of the lines loaded"}`}>
        <defs><pattern id={id} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" stroke="var(--warn)" strokeWidth="1.6" opacity=".55" /></pattern></defs>
        {all.map((b) => {
          let y = HEIGHT - 6;
          const left = x(b.fromMs);
          const w = Math.max(1, x(b.toMs) - left - 1);
          return (["error", "warn", "rest"] as const).map((k) => {
            const h = (b[k] / most) * high;
            y -= h;
            return h > 0 ? <rect key={`${b.fromMs}${k}`} x={left + 0.5} y={y} width={w} height={h} fill={k === "error" ? "var(--crit-fill)" : k === "warn" ? "var(--warn-fill)" : "var(--s-rest)"} /> : null;
          });
        })}
        {holes.map((g, i) => <rect key={i} x={x(g.from)} y={4} width={Math.max(5, x(g.to) - x(g.from))} height={HEIGHT - 10} fill={`url(#${id})`}><title>{g.text}</title></rect>)}
        {changes.filter((c) => c >= span.fromMs && c <= span.toMs).map((c) => <path key={c} d={`M${x(c)} 6V${HEIGHT - 4}M${x(c) - 4} 0h8l-4 6z`} stroke="var(--hand)" fill="var(--hand)" strokeDasharray="3 3" />)}
        {first && last ? <path d={`M${x(msOf(first.time))} ${HEIGHT - 2.5}H${Math.max(x(msOf(first.time)) + 2, x(msOf(last.time)))}`} stroke="var(--beam)" strokeWidth="2"><title>loaded lines</title></path> : null}
        {drag ? <rect x={Math.min(drag.from, drag.to)} y={0} width={Math.abs(drag.to - drag.from)} height={HEIGHT} fill="var(--beam-wash)" stroke="var(--beam-line)" opacity=".7" /> : null}
        {at !== null && at >= span.fromMs && at <= span.toMs ? <path d={`M${x(at)} 0V${HEIGHT}`} stroke="var(--beam)" /> : null}
      </svg>
      {counted ? (counted.exact ? null : <span className="hnote s11 t3">counts up to {count(counted.error)} too high</span>) : <span className="hnote s11 t3">{why}</span>}
    </div>
  );
}
