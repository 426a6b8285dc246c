/** The service map: who calls whom, how often, with how many errors, how slowly. A table stands behind it for those who cannot see it. */

import { useMemo } from "react";

import { percent, plural, si } from "../../core/format";
import { serviceMap, type Call } from "../../core/serviceMap";
import { spanTime } from "../../core/spans";

interface MapViewProps {
  readonly calls: readonly Call[];
  /** Seconds that the calls were counted over. */
  readonly seconds: number;
  readonly focus?: string | undefined;
  /** Calls to light: `parent\nchild`. */
  readonly lit?: ReadonlySet<string>;
  readonly hues: ReadonlyMap<string, string>;
  readonly onPick: (service: string) => void;
}

const WIDTH = 112;
const HEIGHT = 42;
const GAP_X = 54;
const GAP_Y = 14;
const PAD = 12;
const BAD = 0.01;
/** Below this the names could not be read any more, and the map scrolls instead. */
const LEAST_SCALE = 0.8;

export function MapView({ calls, seconds, focus, lit, hues, onPick }: MapViewProps) {
  const map = useMemo(() => serviceMap(calls, focus), [calls, focus]);
  const x = (column: number): number => PAD + column * (WIDTH + GAP_X);
  const width = x(map.columns) - GAP_X + PAD;
  const height = PAD * 2 + map.rows * (HEIGHT + GAP_Y) - GAP_Y;
  const inColumn = new Map<number, number>();
  for (const n of map.nodes) inColumn.set(n.column, Math.max(inColumn.get(n.column) ?? 0, n.row + 1));
  const y = (n: { column: number; row: number }): number => PAD + ((map.rows - (inColumn.get(n.column) ?? 1)) / 2 + n.row) * (HEIGHT + GAP_Y);
  const nodes = new Map(map.nodes.map((n) => [n.name, n]));
  const rate = (count: number): string => (seconds > 0 && count / seconds >= 0.1 ? `${si(count / seconds)}/s` : plural(count, "call"));
  return (
    <>
      {map.hidden > 0 ? <p className="t3 s11" style={{ padding: "4px 12px" }}>{plural(map.hidden, "service")} further than two calls from {focus || "the busiest"} {map.hidden === 1 ? "is" : "are"} not drawn</p> : null}
      <svg className="smap" viewBox={`0 0 ${width} ${height}`} style={{ width, minWidth: width * LEAST_SCALE }} aria-hidden="true">
        <defs><marker id="ar" viewBox="0 0 6 6" refX="5.5" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 6 3 0 6Z" fill="context-stroke" /></marker></defs>
        {map.calls.map((c) => {
          const a = nodes.get(c.parent);
          const b = nodes.get(c.child);
          if (!a || !b || a === b) return null;
          const [x1, y1, x2, y2] = [x(a.column) + WIDTH, y(a) + HEIGHT / 2, x(b.column), y(b) + HEIGHT / 2];
          const back = b.column <= a.column;
          const mid = back ? x1 + 14 : x2 - GAP_X / 2;
          const d = back ? `M${x1} ${y1}H${mid}V${Math.max(y1, y2) + HEIGHT / 2 + 5}H${x2 - 14}V${y2}H${x2}` : y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}H${mid}V${y2}H${x2}`;
          const on = lit?.has(`${c.parent}\n${c.child}`) ?? false;
          return (
            <g key={`${c.parent} ${c.child} ${c.kind}`} className={`ed0${on ? " on" : ""}${c.calls > 0 && c.errors / c.calls >= BAD ? " err" : ""}`}>
              <path d={d} markerEnd="url(#ar)"><title>{`${c.parent} to ${c.child}: ${plural(c.calls, "call")}, ${plural(c.errors, "error")}${c.p95 === undefined ? "" : `, p95 ${spanTime(c.p95)}`}`}</title></path>
              {c.p95 === undefined || back ? null : <text x={x2 - 8} y={y2 - 5} textAnchor="end">{spanTime(c.p95)}</text>}
            </g>
          );
        })}
        {map.nodes.map((n) => {
          const bad = n.calls > 0 && n.errors / n.calls >= BAD;
          return (
            <g key={n.name} className={`nd${n.name === focus ? " on" : ""}${bad ? " err" : ""}`} transform={`translate(${x(n.column)} ${y(n)})`} onClick={() => onPick(n.name)}>
              <title>{`${n.name}${n.kind === "call" ? "" : ` (${n.kind})`}`}</title>
              <rect width={WIDTH} height={HEIGHT} rx={2} className="bx" />
              <rect width={3} height={HEIGHT} fill={hues.get(n.name) ?? "var(--s-rest)"} />
              <text x={11} y={17} className="nm0">{n.name.length > 15 ? `${n.name.slice(0, 14)}…` : n.name}</text>
              <text x={11} y={33}>{n.calls === 0 ? (n.kind === "call" ? "starts traces" : n.kind) : rate(n.calls)}</text>
              {n.calls > 0 ? <text x={WIDTH - 8} y={33} textAnchor="end" className={bad ? "bad" : ""}>{percent(n.errors / n.calls)}</text> : null}
            </g>
          );
        })}
      </svg>
      <table className="sr"><caption>Calls between services</caption><thead><tr><th>From</th><th>To</th><th>Kind</th><th>Calls</th><th>Errors</th><th>p95</th></tr></thead><tbody>{map.calls.map((c) => <tr key={`${c.parent} ${c.child} ${c.kind}`}><td>{c.parent}</td><td>{c.child}</td><td>{c.kind}</td><td>{c.calls}</td><td>{c.errors}</td><td>{c.p95 === undefined ? "not known" : spanTime(c.p95)}</td></tr>)}</tbody></table>
    </>
  );
}
