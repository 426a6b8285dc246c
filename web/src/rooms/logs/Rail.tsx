/** The level rail: where in the loaded window errors, warnings and gaps lie. */

import { useEffect, useRef } from "react";

import type { Item } from "../../core/fold";
import { useSize } from "../../ui/size";
import type { Shown } from "./pane";

interface RailProps {
  readonly items: readonly Item<Shown>[];
  readonly height: number;
  readonly version: number;
  readonly onPick: (index: number) => void;
}

export function Rail({ items, height: total, version, onPick }: RailProps) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    const pen = element?.getContext("2d");
    if (!element || !pen || height === 0) return;
    const scale = devicePixelRatio || 1;
    element.width = width * scale;
    element.height = height * scale;
    pen.scale(scale, scale);
    const style = getComputedStyle(element);
    const colour = { error: style.getPropertyValue("--crit-fill"), warn: style.getPropertyValue("--warn-fill"), gap: style.getPropertyValue("--warn"), change: style.getPropertyValue("--hand") };
    const least = Math.max(1.5, height / Math.max(1, items.length));
    // Many lines share a pixel: each kind is drawn once there.
    const drawn = new Uint8Array(Math.ceil(height) + 1);
    for (const { row, top } of items) {
      const kind = row.kind === "gap" ? "gap" : row.kind === "event" ? (row.tone === "change" ? "change" : "gap") : row.kind === "line" && (row.record.level === "error" || row.record.level === "fatal") ? "error" : row.kind === "line" && row.record.level === "warn" ? "warn" : null;
      if (kind === null) continue;
      const y = (top / Math.max(1, total)) * height;
      const bit = kind === "warn" ? 1 : kind === "error" ? 2 : kind === "gap" ? 4 : 8;
      const pixel = Math.floor(y);
      if (((drawn[pixel] ?? 0) & bit) !== 0) continue;
      drawn[pixel] = (drawn[pixel] ?? 0) | bit;
      pen.fillStyle = colour[kind];
      pen.fillRect(kind === "warn" ? 7 : 3, y, kind === "warn" ? 4 : kind === "error" ? 7 : 9, least);
    }
  }, [items, version, width, height]);
  const pick = (share: number): void => {
    const y = share * total;
    const at = items.findIndex((item) => item.top >= y);
    onPick(at === -1 ? items.length - 1 : at);
  };
  return (
    <div className="rail" ref={box} aria-hidden="true" onClick={(e) => { const r = e.currentTarget.getBoundingClientRect(); pick((e.clientY - r.top) / r.height); }}>
      <canvas ref={canvas} style={{ width: "100%", height: "100%", display: "block" }} />
    </div>
  );
}
