/** The level rail: where in the loaded window errors, warnings and gaps lie. */

import { useEffect, useRef } from "react";

import { useSize } from "../../ui/size";
import type { Row } from "./feed";

interface RailProps {
  readonly rows: readonly Row[];
  readonly version: number;
  readonly onPick: (index: number) => void;
}

export function Rail({ rows, version, onPick }: RailProps) {
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
    const colour = { error: style.getPropertyValue("--crit-fill"), warn: style.getPropertyValue("--warn-fill"), gap: style.getPropertyValue("--warn") };
    rows.forEach((row, i) => {
      const kind = row.kind === "gap" ? "gap" : row.kind === "line" && (row.record.level === "error" || row.record.level === "fatal") ? "error" : row.kind === "line" && row.record.level === "warn" ? "warn" : null;
      if (kind === null) return;
      pen.fillStyle = colour[kind];
      pen.fillRect(kind === "warn" ? 7 : 3, (i / rows.length) * height, kind === "warn" ? 4 : kind === "gap" ? 9 : 7, Math.max(1.5, height / rows.length));
    });
  }, [rows, version, width, height]);
  return (
    <div className="rail" ref={box} aria-hidden="true" onClick={(e) => { const r = e.currentTarget.getBoundingClientRect(); onPick(Math.floor(((e.clientY - r.top) / r.height) * rows.length)); }}>
      <canvas ref={canvas} style={{ width: "100%", height: "100%", display: "block" }} />
    </div>
  );
}
