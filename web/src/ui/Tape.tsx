/** The heading tape: changes on top, troubles in the middle, data gaps hatched, ticks below, the lubber line over all. */

import { useId, useMemo, useRef, useState, type PointerEvent, type ReactElement } from "react";

import { clock, clockShort, day } from "../core/format";
import { placeTags, ticks } from "../core/tape";
import type { Span } from "../core/window";
import { markShape } from "./Mark";
import { useSize } from "./size";
import { cursor, useChangeView, useCursor, useWindow, windowText } from "./view";

export interface TapeMark {
  readonly at: number;
  readonly label: string;
}

export interface TapeBar {
  readonly from: number;
  /** Absent while it lasts. */
  readonly to?: number;
  readonly kind: "crit" | "warn" | "unknown";
  readonly label: string;
}

export interface TapeGap {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

export interface TapeProps {
  readonly marks?: readonly TapeMark[];
  readonly bars?: readonly TapeBar[];
  readonly gaps?: readonly TapeGap[];
  readonly left?: number;
  readonly right?: number;
  readonly note?: string;
  readonly sum?: string;
}

const HEIGHT = 44;
const LEAST_DRAG = 6;
const LETTER = 6.1;

export function Tape({ marks = [], bars = [], gaps = [], left = 12, right = 12, note = "", sum = "" }: TapeProps) {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const { span } = useWindow();
  const change = useChangeView();
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const pressed = useRef<number | null>(null);
  const inner = Math.max(1, width - left - right);
  const x = (at: number): number => left + ((at - span.fromMs) / (span.toMs - span.fromMs)) * inner;
  const time = (px: number): number => span.fromMs + ((Math.min(width - right, Math.max(left, px)) - left) / inner) * (span.toMs - span.fromMs);
  const at = (event: PointerEvent<HTMLElement>): number => event.clientX - event.currentTarget.getBoundingClientRect().left;

  return (
    <div
      ref={ref}
      className="tape"
      role="region"
      aria-label={`Time tape, ${clockShort(span.fromMs)} to ${clockShort(span.toMs)} UTC: ${marks.length} changes, ${bars.length} troubles, ${gaps.length} data gaps`}
      onPointerDown={(e) => {
        pressed.current = at(e);
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove={(e) => {
        cursor.write(time(at(e)));
        if (pressed.current !== null && Math.abs(at(e) - pressed.current) > LEAST_DRAG) setDrag({ from: pressed.current, to: at(e) });
      }}
      onPointerUp={() => {
        if (drag) {
          const [a, b] = [time(Math.min(drag.from, drag.to)), time(Math.max(drag.from, drag.to))];
          if (b - a > 1000) change({ t: windowText(a, b) });
        }
        pressed.current = null;
        setDrag(null);
      }}
      onPointerLeave={() => cursor.write(null)}
      onDoubleClick={() => change({ t: undefined })}
      onWheel={(e) => {
        const move = ((e.deltaX || e.deltaY) / inner) * (span.toMs - span.fromMs);
        change({ t: windowText(span.fromMs + move, span.toMs + move) }, true);
      }}
    >
      {width > 0 ? (
        <svg width={width} height={HEIGHT} aria-hidden="true">
          <Scale span={span} inner={inner} left={left} x={x} width={width - right} />
          <Lanes bars={bars} gaps={gaps} span={span} x={x} />
          <Changes marks={marks.filter((m) => m.at >= span.fromMs && m.at <= span.toMs)} x={x} left={left} right={width - right} />
          {left > 90 ? <><text x="12" y="12" fill="var(--axis)">{day(span.toMs)}, UTC</text><text x="12" y={HEIGHT - 4} fill="var(--axis)">{note}</text></> : null}
          {right > 120 ? <><text x={width - right + 12} y="12" fill="var(--ink-2)">to {clock(span.toMs)} UTC</text><text x={width - right + 12} y={HEIGHT - 4} fill="var(--axis)">{sum}</text></> : null}
          {drag ? <rect x={Math.min(drag.from, drag.to)} y="0" width={Math.abs(drag.to - drag.from)} height={HEIGHT} fill="var(--beam)" opacity=".2" /> : null}
          <Lubber x={x} span={span} right={width - right} />
        </svg>
      ) : null}
    </div>
  );
}

function Scale({ span, inner, left, x, width }: { readonly span: Span; readonly inner: number; readonly left: number; readonly x: (at: number) => number; readonly width: number }) {
  const all = useMemo(() => ticks(span, inner), [span, inner]);
  return (
    <>
      {all.map((t) => {
        const px = x(t.at);
        return (
          <g key={t.at}>
            <path d={`M${px.toFixed(1)} ${HEIGHT}v${t.major ? -9 : -4}`} stroke={t.major ? "var(--line-control)" : "var(--line-2)"} />
            {t.major && px > left + 8 && px < width - 36 ? <text x={px + 4} y={HEIGHT - 4} fill="var(--axis)">{span.toMs - span.fromMs < 300_000 ? clock(t.at) : clockShort(t.at)}</text> : null}
          </g>
        );
      })}
    </>
  );
}

function Lanes({ bars, gaps, span, x }: { readonly bars: readonly TapeBar[]; readonly gaps: readonly TapeGap[]; readonly span: Span; readonly x: (at: number) => number }) {
  const pattern = useId();
  const inside = (from: number, to: number): boolean => to > span.fromMs && from < span.toMs;
  return (
    <>
      <defs>
        <pattern id={pattern} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v5" stroke="var(--unknown)" strokeWidth="1.6" /></pattern>
      </defs>
      {gaps.filter((g) => inside(g.from, g.to)).map((g, i) => {
        const from = x(Math.max(g.from, span.fromMs));
        return <g key={i}><title>{g.label}</title><rect x={from} y="26" width={Math.max(2, x(Math.min(g.to, span.toMs)) - from)} height="5" fill={`url(#${pattern})`} /></g>;
      })}
      {bars.filter((b) => inside(b.from, b.to ?? span.toMs + 1)).map((b, i) => {
        const from = x(Math.max(b.from, span.fromMs));
        const to = x(Math.min(b.to ?? span.toMs, span.toMs));
        const over = b.to !== undefined && b.to < span.toMs;
        return (
          <g key={i} opacity={over ? 0.6 : 1}>
            <title>{b.label}</title>
            <rect x={from} y="20.5" width={Math.max(1, to - from)} height={over ? 1.5 : 2.5} fill={`var(--${b.kind}-fill)`} />
            {over ? <path d={`M${to} 18v6`} stroke={`var(--${b.kind}-fill)`} strokeWidth="1.5" /> : null}
            {b.from >= span.fromMs ? <g transform={`translate(${from - 1} 16.6) scale(.8)`} color={`var(--${b.kind}-fill)`}>{markShape(b.kind)}</g> : null}
          </g>
        );
      })}
    </>
  );
}

/** Changes close together share one mark with a count, so that names stay readable. */
function Changes({ marks, x, left, right }: { readonly marks: readonly TapeMark[]; readonly x: (at: number) => number; readonly left: number; readonly right: number }) {
  const sorted = [...marks].sort((a, b) => a.at - b.at);
  const groups: { at: number; labels: string[] }[] = [];
  for (const m of sorted) {
    const last = groups.at(-1);
    if (last && x(m.at) - x(last.at) < 12) last.labels.push(m.label);
    else groups.push({ at: m.at, labels: [m.label] });
  }
  const named = groups.map((g) => ({ ...g, text: g.labels.length > 1 ? `${g.labels[0] ?? ""} +${g.labels.length - 1}` : (g.labels[0] ?? "") }));
  const placed = placeTags(named.map((g) => ({ x: x(g.at), width: g.text.length * LETTER })), left, right);
  return (
    <>
      {named.map((g, i): ReactElement => {
        const px = x(g.at);
        const side = placed[i]?.side ?? "hidden";
        return (
          <g key={g.at}>
            <title>{`${clock(g.at)} ${g.labels.join(", ")}`}</title>
            <path d={`M${px} 13V${HEIGHT}`} stroke="var(--hand)" strokeDasharray="2 2" opacity=".7" />
            <g transform={`translate(${px - 5} 3) scale(.84)`} color="var(--hand)">{markShape("hand")}</g>
            {side === "hidden" ? null : <text x={side === "right" ? px + 8 : px - 8} y="12" textAnchor={side === "right" ? "start" : "end"} fill="var(--hand)">{g.text}</text>}
          </g>
        );
      })}
    </>
  );
}

function Lubber({ x, span, right }: { readonly x: (at: number) => number; readonly span: Span; readonly right: number }) {
  const at = useCursor();
  if (at === null || at < span.fromMs || at > span.toMs) return null;
  const px = x(at);
  const flip = px > right - 66;
  return (
    <g>
      <path d={`M${px} 0V${HEIGHT}`} stroke="var(--beam)" />
      <path d={`M${px - 5} 0h10l-5 7Z`} fill="var(--beam)" />
      <rect x={flip ? px - 61 : px + 5} y={HEIGHT - 17} width="56" height="15" rx="2" fill="var(--beam)" />
      <text x={flip ? px - 33 : px + 33} y={HEIGHT - 5.5} textAnchor="middle" fill="var(--ink-on-beam)" fontWeight="600">{clock(at)}</text>
    </g>
  );
}
