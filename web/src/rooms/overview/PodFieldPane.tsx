/** One cell a pod on one canvas; only what deviates is lit. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";

import { podFieldQuery } from "../../api/queries";
import type { PodField } from "../../api/types";
import { count } from "../../core/format";
import { layoutField, podAt, type FieldBlock, type FieldLayout } from "../../core/podfield";
import { Mark, markShape } from "../../ui/Mark";
import { Empty, Fault } from "../../ui/parts";
import { useSize } from "../../ui/size";
import { useCarried, useOrg, type Scope } from "../../ui/view";

const CAPTION = 20;
const COUNTED = [["c", "crit", "failing"], ["w", "warn", "impaired"], ["m", "move", "starting"], ["u", "unknown", "no data"]] as const;

export function PodFieldPane({ scope }: { readonly scope: Scope }) {
  const answer = useQuery(podFieldQuery());
  const fields = useMemo(() => (answer.data ?? []).filter((f) => scope.clusters.length === 0 || scope.clusters.includes(f.cluster)), [answer.data, scope.clusters]);
  const total = fields.reduce((n, f) => n + f.states.length, 0);
  const number = (letter: string): number => fields.reduce((n, f) => n + (letter === "u" && !f.connected ? f.states.length : [...f.states].filter((s) => s === letter && (f.connected || letter === "u")).length), 0);
  return (
    <section className="pane" aria-labelledby="h-field">
      <div className="ph">
        <h2 id="h-field">Pod field</h2>
        <span className="n">{answer.data ? `${count(total)} pods · one cell each; only what deviates is lit` : "asking"}</span>
        <span className="sp" />
        <div className="legend">{COUNTED.map(([letter, kind, word]) => { const n = number(letter); return n === 0 ? null : <span key={kind}><Mark kind={kind} />{count(n)} {word}</span>; })}</div>
      </div>
      <div className="field">
        {answer.error && !answer.data ? <Fault error={answer.error} what="the pod field" retry={() => void answer.refetch()} /> : answer.data && total === 0 ? <Empty title="No pod is known yet">Pods appear here as soon as a cluster-agent has listed them.</Empty> : <Field fields={fields} />}
      </div>
    </section>
  );
}

function Field({ fields }: { readonly fields: readonly PodField[] }) {
  const [ref, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [under, setUnder] = useState<{ field: PodField; pod: number } | null>(null);
  const navigate = useNavigate();
  const org = useOrg();
  const carried = useCarried();
  const layout = useMemo(() => layoutField(fields.map((f) => ({ name: f.cluster, states: f.states, workload: f.workload, connected: f.connected })), Math.max(0, width - 8)), [fields, width]);

  useEffect(() => {
    const draw = (): void => {
      if (canvas.current && width > 0) paint(canvas.current, { fields, layout, width });
    };
    draw();
    const watcher = new MutationObserver(draw);
    watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => watcher.disconnect();
  }, [fields, layout, width]);

  const find = (x: number, y: number): { field: PodField; pod: number } | null => {
    for (const block of layout.blocks) {
      const field = fields[block.cluster];
      if (!field) continue;
      const pod = podAt(layout, block, field.states.length, x, y);
      if (pod >= 0) return { field, pod };
    }
    return null;
  };
  const owner = (hit: { field: PodField; pod: number }) => hit.field.workloads[hit.field.workload[hit.pod] ?? -1];
  const open = (hit: { field: PodField; pod: number } | null): void => {
    const link = hit ? owner(hit) : undefined;
    if (hit && link) void navigate({ to: "/o/$org/workloads/$cluster/$namespace/$kind/$name", params: { org, cluster: hit.field.cluster, namespace: link.namespace || "-", kind: link.kind.toLowerCase(), name: link.name }, search: { ...carried, sel: hit.field.uids[hit.pod] } as never });
  };
  const label = under ? owner(under) : undefined;
  return (
    <div ref={ref} style={{ position: "relative", height: layout.height + CAPTION }} title={under ? `${label ? `${label.kind} ${label.namespace}/${label.name}` : "a pod without a workload"}, ${under.field.cluster}` : ""}>
      <canvas
        ref={canvas}
        style={{ display: "block", width, height: layout.height + CAPTION, cursor: under ? "pointer" : "default" }}
        role="img"
        aria-label={fields.map((f) => `${f.cluster}: ${f.states.length} pods${f.connected ? "" : ", no data"}`).join("; ")}
        onPointerMove={(e) => { const r = e.currentTarget.getBoundingClientRect(); setUnder(find(e.clientX - r.left - 4, e.clientY - r.top)); }}
        onPointerLeave={() => setUnder(null)}
        onClick={() => open(under)}
      />
      <svg width={width} height={layout.height} style={{ position: "absolute", inset: 0, pointerEvents: "none", overflow: "visible" }} aria-hidden="true">
        {layout.blocks.flatMap((block) => block.marks.map((m, i) => (
          <g key={`${block.cluster}-${i}`} transform={`translate(${4 + block.x + m.x} ${m.y})`}>
            <rect x="-2" y="-1" width={m.width} height="16" rx="8" fill="var(--panel)" />
            <g transform="translate(1 1)" color={`var(--${m.state}-fill)`}>{markShape(m.state)}</g>
            {m.count > 1 ? <text x="15" y="11" fill={`var(--${m.state})`} style={{ font: "600 11px var(--font-ui)" }}>{m.count}</text> : null}
          </g>
        )))}
      </svg>
    </div>
  );
}

interface Scene {
  readonly fields: readonly PodField[];
  readonly layout: FieldLayout;
  readonly width: number;
}

/** Cells of well pods in the quietest line colour; clusters without data are drawn hollow. */
function paint(canvas: HTMLCanvasElement, { fields, layout, width }: Scene): void {
  const scale = window.devicePixelRatio || 1;
  const height = layout.height + CAPTION;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  pen.setTransform(scale, 0, 0, scale, 4 * scale, 0);
  for (const block of layout.blocks) {
    const field = fields[block.cluster];
    if (field) paintBlock(pen, { block, field, layout, colour });
  }
}

interface Block {
  readonly block: FieldBlock;
  readonly field: PodField;
  readonly layout: FieldLayout;
  readonly colour: (name: string) => string;
}

function paintBlock(pen: CanvasRenderingContext2D, { block, field, layout, colour }: Block): void {
  const size = layout.cell >= 8 ? layout.cell - 2 : Math.max(1, layout.cell - 1);
  pen.fillStyle = colour(layout.cell >= 8 ? "--line" : "--line-2");
  pen.strokeStyle = colour("--unknown");
  pen.lineWidth = 0.7;
  for (let i = 0; i < field.states.length; i += 1) {
    const x = block.x + Math.floor(i / layout.rows) * layout.cell;
    const y = (i % layout.rows) * layout.cell;
    if (field.connected) pen.fillRect(x, y, size, size);
    else pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  }
  pen.font = `400 11px ${colour("--font-ui")}`;
  pen.fillStyle = colour("--ink-3");
  pen.textBaseline = "alphabetic";
  pen.fillText(field.cluster, block.x, layout.height + 15);
  const wide = pen.measureText(field.cluster).width;
  pen.fillStyle = colour("--ink-2");
  pen.fillText(count(field.states.length), block.x + wide + 5, layout.height + 15);
}

