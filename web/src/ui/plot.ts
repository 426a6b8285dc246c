/** Draws one time chart on a canvas. Loaded only when a chart is on the page. */

import "uplot/dist/uPlot.min.css";

import uPlot from "uplot";

import { clockShort, clock, inUnit } from "../core/format";

export interface PlotSeries {
  readonly name: string;
  readonly token: string;
  readonly dash?: number[] | undefined;
  readonly values: readonly (number | null)[];
}

export interface PlotSpec {
  readonly times: readonly number[];
  readonly series: readonly PlotSeries[];
  /** Level lines across the plot: `limit` and `crit` in the lamp of trouble, `warn` in its own, others plain. */
  readonly lines: readonly { readonly kind: string; readonly value: number; readonly label?: string }[];
  readonly marks: readonly number[];
  /** Half-open index ranges without data. */
  readonly gaps: readonly (readonly [number, number])[];
  readonly unit: string;
  /** Ends of the axis of values; `null`: as the values need it. */
  readonly ends?: readonly [number | null, number | null];
  readonly bars: boolean;
  /** The values are sums already, each series on those before it: areas between them are filled. */
  readonly stacked?: boolean;
  readonly onCursor: (at: number | null) => void;
  readonly onZoom: (fromMs: number, toMs: number) => void;
}

export interface Plot {
  update(spec: PlotSpec): void;
  size(width: number, height: number): void;
  cursor(at: number | null): void;
  destroy(): void;
}

const HEADROOM = 1.12;
/** Alpha of filled areas, behind a token's six hex digits. */
const WASH = "40";

/** About five round steps, zero among them. */
function splits(low: number, top: number, binary: boolean): number[] {
  const reach = top - low;
  if (reach <= 0) return [0];
  const base = binary ? 2 ** Math.floor(Math.log2(reach)) : 10 ** Math.floor(Math.log10(reach));
  const steps = binary ? [base / 4, base / 2, base] : [base / 5, base / 2, base, base * 2];
  const step = steps.find((s) => Math.floor(reach / s) <= 4) ?? base * 2;
  const out: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= top * 1.0001; i += 1) out.push(i * step);
  return out;
}

export function mount(element: HTMLElement, first: PlotSpec, width: number, height: number): Plot {
  let spec = first;
  let quiet = false;
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name).trim();
  const data = (): uPlot.AlignedData => [spec.times.map((t) => t / 1000), ...spec.series.map((s) => [...s.values])] as uPlot.AlignedData;
  const font = `11px ${colour("--font-ui") || "sans-serif"}`;
  const top = (): number => {
    const end = spec.ends?.[1] ?? null;
    if (end !== null) return end;
    let most = 0;
    for (const s of spec.series) for (const v of s.values) if (v !== null && v > most) most = v;
    for (const l of spec.lines) if (l.value <= most * 6 || most === 0) most = Math.max(most, l.value);
    const above = most === 0 ? (low() < 0 ? 0 : 1) : most * HEADROOM;
    // An axis that begins above all values still has a length.
    return above > low() ? above : low() + 1;
  };
  const low = (): number => {
    const begin = spec.ends?.[0] ?? null;
    if (begin !== null) return begin;
    let least = Math.min(0, spec.ends?.[1] ?? 0);
    for (const s of spec.series) for (const v of s.values) if (v !== null && v < least) least = v;
    return least * HEADROOM;
  };
  const binary = (): boolean => spec.unit === "By" || spec.unit === "By/s";

  const build = (): uPlot =>
    new uPlot(
      {
        width,
        height,
        legend: { show: false },
        padding: [10, 18, 0, 0],
        tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
        cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
        scales: { x: { time: true, range: () => [(spec.times[0] ?? 0) / 1000, (spec.times.at(-1) ?? 1) / 1000] }, y: { range: () => [low(), top()] } },
        axes: [
          {
            stroke: () => colour("--axis"), font, size: 20, gap: 2, space: 60,
            grid: { show: false }, ticks: { stroke: () => colour("--line-control"), size: 4, width: 1 },
            values: (_, all) => all.map((v) => (((spec.times.at(-1) ?? 0) - (spec.times[0] ?? 0) < 300_000 ? clock : clockShort)(v * 1000))),
          },
          {
            stroke: () => colour("--axis"), font, size: spec.unit === "By/s" ? 62 : 52, gap: 4,
            grid: { stroke: () => colour("--grid"), width: 1 }, ticks: { show: false },
            splits: () => splits(low(), top(), binary()),
            values: (_, all) => all.map((v) => (v === 0 ? "0" : inUnit(v, spec.unit))),
          },
        ],
        ...(spec.stacked ? { bands: spec.series.slice(1).map((s, i): uPlot.Band => ({ series: [i + 2, i + 1], fill: () => `${colour(s.token)}${WASH}` })) } : {}),
        series: [
          {},
          ...spec.series.map((s, i): uPlot.Series => ({
            label: s.name,
            stroke: () => colour(s.token),
            width: 1.5,
            points: { show: false },
            ...(s.dash ? { dash: s.dash } : {}),
            ...(spec.stacked && i === 0 ? { fill: () => `${colour(s.token)}${WASH}` } : {}),
            ...(spec.bars && uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.8, 12] }), fill: () => colour(s.token), width: 0 } : {}),
          })),
        ],
        hooks: {
          drawClear: [(u) => hatch(u)],
          draw: [(u) => rules(u)],
          setCursor: [(u) => {
            if (quiet) return;
            const left = u.cursor.left;
            spec.onCursor(left === undefined || left === null || left < 0 ? null : u.posToVal(left, "x") * 1000);
          }],
          setSelect: [(u) => {
            if (u.select.width < 6) return;
            spec.onZoom(u.posToVal(u.select.left, "x") * 1000, u.posToVal(u.select.left + u.select.width, "x") * 1000);
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }],
        },
      },
      data(),
      element,
    );

  const hatch = (u: uPlot): void => {
    const pen = u.ctx;
    for (const [from, to] of spec.gaps) {
      const a = u.valToPos((spec.times[from] ?? 0) / 1000, "x", true);
      const b = u.valToPos((spec.times[Math.min(to, spec.times.length - 1)] ?? 0) / 1000, "x", true);
      pen.save();
      pen.beginPath();
      pen.rect(a, u.bbox.top, b - a, u.bbox.height);
      pen.clip();
      pen.strokeStyle = colour("--unknown-line");
      pen.lineWidth = 1;
      pen.beginPath();
      for (let x = a - u.bbox.height; x < b; x += 6) {
        pen.moveTo(x, u.bbox.top + u.bbox.height);
        pen.lineTo(x + u.bbox.height, u.bbox.top);
      }
      pen.stroke();
      pen.restore();
    }
  };

  const rules = (u: uPlot): void => {
    const pen = u.ctx;
    const ratio = uPlot.pxRatio;
    pen.save();
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    pen.font = `${11 * ratio}px ${colour("--font-ui")}`;
    pen.lineWidth = 1.2 * ratio;
    const limit = top();
    for (const line of spec.lines) {
      if (line.value > limit) continue;
      const y = u.valToPos(line.value, "y", true);
      const lamp = line.kind === "limit" || line.kind === "crit" ? "--crit" : line.kind === "warn" ? "--warn" : "--unknown";
      const token = lamp === "--unknown" ? lamp : `${lamp}-fill`;
      pen.strokeStyle = colour(token);
      pen.setLineDash([5 * ratio, 3 * ratio]);
      pen.beginPath();
      pen.moveTo(u.bbox.left, y);
      pen.lineTo(u.bbox.left + u.bbox.width, y);
      pen.stroke();
      pen.fillStyle = colour(lamp);
      pen.fillText(line.label ?? line.kind, u.bbox.left + 4 * ratio, y - 4 * ratio);
    }
    pen.strokeStyle = colour("--hand");
    pen.fillStyle = colour("--hand");
    pen.setLineDash([2 * ratio, 2 * ratio]);
    pen.lineWidth = ratio;
    for (const at of spec.marks) {
      const x = u.valToPos(at / 1000, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      pen.beginPath();
      pen.moveTo(x, u.bbox.top);
      pen.lineTo(x, u.bbox.top + u.bbox.height);
      pen.stroke();
      pen.beginPath();
      pen.moveTo(x - 4 * ratio, u.bbox.top - 8 * ratio);
      pen.lineTo(x + 4 * ratio, u.bbox.top - 8 * ratio);
      pen.lineTo(x, u.bbox.top - ratio);
      pen.fill();
    }
    pen.restore();
  };

  let chart = build();
  const shape = (s: PlotSpec): string => s.series.map((one) => `${one.name} ${one.token}`).join("\n") + s.unit + String(s.stacked ?? false);
  const rebuild = (): void => {
    chart.destroy();
    chart = build();
  };
  const watcher = new MutationObserver(() => rebuild());
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  return {
    update(next) {
      const same = shape(next) === shape(spec);
      spec = next;
      if (same) chart.setData(data());
      else rebuild();
    },
    size(w, h) {
      width = w;
      height = h;
      chart.setSize({ width: w, height: h });
    },
    cursor(at) {
      quiet = true;
      const inside = at !== null && at >= (spec.times[0] ?? 0) && at <= (spec.times.at(-1) ?? 0);
      chart.setCursor({ left: inside ? chart.valToPos(at / 1000, "x") : -10, top: 0 });
      quiet = false;
    },
    destroy() {
      watcher.disconnect();
      chart.destroy();
    },
  };
}
