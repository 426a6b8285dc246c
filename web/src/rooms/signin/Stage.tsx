/** The calm field behind sign-in: the tape around now, and nothing lit. */

import type { ReactNode } from "react";

import { clock, clockShort } from "../../core/format";
import { ticks } from "../../core/tape";
import { Logo } from "../../ui/Mark";
import { useSize } from "../../ui/size";
import { useNow } from "../../ui/view";

const HEIGHT = 48;
const HALF_MS = 30 * 60_000;

export function Stage({ children }: { readonly children: ReactNode }) {
  return (
    <div className="lg0">
      <Strip />
      <main className="mid0"><div className="box"><div className="row" style={{ gap: 11 }}><Logo /><span className="name">Pilothouse</span></div>{children}</div></main>
      <footer className="ft"><span>{location.host}</span></footer>
    </div>
  );
}

function Strip() {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const now = useNow();
  const span = { fromMs: now - HALF_MS, toMs: now + HALF_MS };
  const x = (at: number): number => ((at - span.fromMs) / (2 * HALF_MS)) * width;
  return (
    <div className="strip" ref={ref} aria-hidden="true">
      <svg width={width} height={HEIGHT}>
        {ticks(span, width).map((t) => (
          <g key={t.at}>
            <path d={`M${x(t.at).toFixed(1)} ${HEIGHT}v${t.major ? -9 : -4}`} stroke={t.major ? "var(--line-control)" : "var(--line-2)"} />
            {t.major ? <text x={x(t.at) + 4} y={HEIGHT - 6} fill="var(--axis)">{clockShort(t.at)}</text> : null}
          </g>
        ))}
        <path d={`M${width / 2} 0V${HEIGHT}`} stroke="var(--beam)" />
        <path d={`M${width / 2 - 5} 0h10l-5 7Z`} fill="var(--beam)" />
        <rect x={width / 2 + 5} y={HEIGHT - 20} width="56" height="15" rx="2" fill="var(--beam)" />
        <text x={width / 2 + 33} y={HEIGHT - 8.5} textAnchor="middle" fill="var(--ink-on-beam)" fontWeight="600">{clock(now)}</text>
      </svg>
    </div>
  );
}
