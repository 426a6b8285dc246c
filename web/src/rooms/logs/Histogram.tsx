/** Loaded lines by time and level, on the same axis as the tape; what is not loaded is said. */

import { useMemo } from "react";

import type { Span } from "../../core/window";
import { clock } from "../../core/format";
import { useSize } from "../../ui/size";
import { cursor, useCursor } from "../../ui/view";
import type { Row } from "./feed";

const BUCKETS = 120;
const HEIGHT = 66;
const PAD = 12;

export function Histogram({ rows, version, span, partial }: { readonly rows: readonly Row[]; readonly version: number; readonly span: Span; readonly partial: boolean }) {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const at = useCursor();
  const buckets = useMemo(() => {
    const out = Array.from({ length: BUCKETS }, () => ({ error: 0, warn: 0, rest: 0 }));
    for (const row of rows) {
      if (row.kind !== "line") continue;
      const i = Math.floor(((Date.parse(row.time.slice(0, 23) + "Z") - span.fromMs) / (span.toMs - span.fromMs)) * BUCKETS);
      const bucket = out[i];
      if (!bucket) continue;
      if (row.record.level === "error" || row.record.level === "fatal") bucket.error += 1;
      else if (row.record.level === "warn") bucket.warn += 1;
      else bucket.rest += 1;
    }
    return out;
    // The version stands for the rows, which change in place.
  }, [rows, version, span]);
  const first = rows[0];
  const loadedFrom = first && partial ? Date.parse(first.time.slice(0, 23) + "Z") : span.fromMs;
  const inner = Math.max(1, width - 2 * PAD);
  const step = inner / BUCKETS;
  const most = Math.max(1, ...buckets.map((b) => b.error + b.warn + b.rest));
  const high = HEIGHT - 12;
  const x = (ms: number): number => PAD + ((ms - span.fromMs) / (span.toMs - span.fromMs)) * inner;
  return (
    <div className="hist" ref={ref} onPointerMove={(e) => cursor.write(span.fromMs + ((e.clientX - e.currentTarget.getBoundingClientRect().left - PAD) / inner) * (span.toMs - span.fromMs))} onPointerLeave={() => cursor.write(null)}>
      <svg width={width} height={HEIGHT} role="img" aria-label={`Loaded lines from ${clock(span.fromMs)} to ${clock(span.toMs)} by level`}>
        {buckets.map((b, i) => {
          let y = HEIGHT - 4;
          return (["error", "warn", "rest"] as const).map((k) => {
            const h = (b[k] / most) * high;
            y -= h;
            return h > 0 ? <rect key={`${i}${k}`} x={PAD + i * step + 0.5} y={y} width={Math.max(1, step - 1)} height={h} fill={k === "error" ? "var(--crit-fill)" : k === "warn" ? "var(--warn-fill)" : "var(--s-rest)"} /> : null;
          });
        })}
        {partial && loadedFrom > span.fromMs ? <><path d={`M${x(loadedFrom)} 4V${HEIGHT - 4}`} stroke="var(--line-control)" strokeDasharray="2 3" /><text x={Math.max(PAD + 4, x(loadedFrom) - 6)} y="14" textAnchor={x(loadedFrom) > 180 ? "end" : "start"} fill="var(--ink-3)" style={{ font: "400 11px var(--font-ui)" }}>older lines not loaded</text></> : null}
        {at !== null && at >= span.fromMs && at <= span.toMs ? <path d={`M${x(at)} 0V${HEIGHT}`} stroke="var(--beam)" /> : null}
      </svg>
    </div>
  );
}
