/** The canvas of a chart: fetched, mounted, sized and kept on the cursor that all instruments share. */

import { useEffect, useRef } from "react";

import type { Plot, PlotSpec } from "./plot";
import { useSize } from "./size";
import { cursor } from "./view";

export function PlotCanvas({ spec, label }: { readonly spec: PlotSpec; readonly label: string }) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const inner = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const latest = useRef(spec);
  latest.current = spec;
  const ready = width > 0 && height > 0;
  useEffect(() => {
    if (!ready) return undefined;
    let gone = false;
    void import("./plot").then(({ mount }) => {
      if (gone || !inner.current || !box.current) return;
      plot.current = mount(inner.current, latest.current, box.current.clientWidth, box.current.clientHeight);
    });
    return () => {
      gone = true;
      plot.current?.destroy();
      plot.current = null;
    };
  }, [ready, box]);
  useEffect(() => plot.current?.update(spec), [spec]);
  useEffect(() => { if (ready) plot.current?.size(width, height); }, [ready, width, height]);
  useEffect(() => cursor.listen(() => plot.current?.cursor(cursor.read())), []);
  return <div className="plot" ref={box} role="img" aria-label={label}><div ref={inner} /></div>;
}
