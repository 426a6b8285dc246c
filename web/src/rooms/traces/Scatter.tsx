/** Traces as points: when they began, and how long they took on a logarithmic scale. The list beside it is its table. */

import type { TraceSummary } from "../../api/types";
import { msOfNs } from "../../api/traces";
import { clockShort, plural } from "../../core/format";
import { decades, logPlace, spanTime } from "../../core/spans";
import { ticks } from "../../core/tape";
import { useSize } from "../../ui/size";
import { cursor, useCursor, useWindow } from "../../ui/view";

interface ScatterProps {
  readonly traces: readonly TraceSummary[];
  readonly marks: readonly number[];
  readonly chosen: string | undefined;
  readonly onPick: (id: string) => void;
}

const LEFT = 56;
const RIGHT = 14;
const TOP = 10;
const FOOT = 18;

export function Scatter({ traces, marks, chosen, onPick }: ScatterProps) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const { span } = useWindow();
  const at = useCursor();
  const all = traces.map((t) => t.duration_ns);
  const least = Math.max(1, Math.min(...all, Infinity)) === Infinity ? 1 : Math.max(1, Math.min(...all));
  const most = Math.max(least * 10, ...all);
  const x = (ms: number): number => LEFT + ((ms - span.fromMs) / (span.toMs - span.fromMs)) * Math.max(1, width - LEFT - RIGHT);
  const y = (ns: number): number => TOP + (1 - logPlace(ns, least, most)) * Math.max(1, height - TOP - FOOT);
  const inside = (ms: number): boolean => ms >= span.fromMs && ms <= span.toMs;
  return (
    <div
      className="scat" ref={box} role="img" aria-label={`${plural(traces.length, "trace")} by start and duration, ${all.length > 0 ? `${spanTime(least)} to ${spanTime(Math.max(...all))}` : "none"}; a list follows`}
      onPointerMove={(e) => { const px = e.clientX - e.currentTarget.getBoundingClientRect().left; cursor.write(px < LEFT ? null : span.fromMs + ((px - LEFT) / Math.max(1, width - LEFT - RIGHT)) * (span.toMs - span.fromMs)); }}
      onPointerLeave={() => cursor.write(null)}
    >
      <svg width={width} height={height} aria-hidden="true">
        {(all.length === 0 ? [] : decades(least, most)).map((d) => <g key={d}><line x1={LEFT} x2={width - RIGHT} y1={y(d)} y2={y(d)} className="grid" /><text x={LEFT - 6} y={y(d) + 4} textAnchor="end">{spanTime(d)}</text></g>)}
        {ticks(span, width - LEFT - RIGHT).filter((t) => t.major).map((t) => <text key={t.at} x={x(t.at)} y={height - 4} textAnchor="middle">{clockShort(t.at)}</text>)}
        {marks.filter(inside).map((m) => <line key={m} x1={x(m)} x2={x(m)} y1={TOP} y2={height - FOOT} className="hand" />)}
        {traces.map((t) => {
          const ms = msOfNs(t.start_ns);
          if (!inside(ms)) return null;
          const [cx, cy] = [x(ms), y(t.duration_ns)];
          const hit = { className: `pt${t.errors > 0 ? " err" : ""}`, onClick: () => onPick(t.trace_id) };
          return t.errors > 0 ? <path key={t.trace_id} {...hit} d={`M${cx} ${cy - 4.5}l4.5 4.5-4.5 4.5-4.5-4.5Z`} /> : <circle key={t.trace_id} {...hit} cx={cx} cy={cy} r={2.6} />;
        })}
        {traces.filter((t) => t.trace_id === chosen && inside(msOfNs(t.start_ns))).map((t) => <circle key={t.trace_id} className="ring" cx={x(msOfNs(t.start_ns))} cy={y(t.duration_ns)} r={8} />)}
        {at !== null && inside(at) ? <line x1={x(at)} x2={x(at)} y1={TOP} y2={height - FOOT} className="lubber" /> : null}
      </svg>
    </div>
  );
}
