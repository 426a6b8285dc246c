/** Small parts that several rooms use: gauges, sparks, avatars, copy buttons, and the drawn states of a view. */

import { useState, type ReactNode } from "react";

import { ApiError } from "../api/client";
import { percent } from "../core/format";
import { Icon, Mark } from "./Mark";
import { toast } from "./toast";

interface GaugeProps {
  readonly used: number | null | undefined;
  readonly requested?: number | null | undefined;
  readonly scale: number | null | undefined;
  /** What stands beside the bar; the share when left out. */
  readonly text?: string;
  readonly what: string;
  /** Colours the bar from 80 and 90 % on. */
  readonly judged?: boolean;
}

/** Used as a bar, requested as a notch, on the scale of what there is. */
export function Gauge({ used, requested, scale, text, what, judged = true }: GaugeProps) {
  if (used === null || used === undefined) return <span className="t3">no data</span>;
  if (!scale) return <span className="gl"><span className="t3 s11">no limit</span><span>{text ?? ""}</span></span>;
  const share = used / scale;
  const level = judged && share >= 0.9 ? "crit" : judged && share >= 0.8 ? "warn" : "";
  const asked = requested ? Math.min(1, requested / scale) : null;
  return (
    <div className="gl">
      <div className="gauge" role="img" aria-label={`${what}: used ${percent(share)}${asked === null ? "" : `, requested ${percent(asked)}`}`}>
        <i className={level} style={{ width: `${Math.min(100, share * 100)}%` }} />
        {asked === null ? null : <b style={{ left: `${asked * 100}%` }} />}
      </div>
      <span>{text ?? percent(share)}</span>
    </div>
  );
}

interface SparkProps {
  readonly values: readonly (number | null)[];
  readonly width?: number;
  readonly height?: number;
  readonly colour?: string;
}

export function Spark({ values, width = 52, height = 18, colour = "var(--ink-3)" }: SparkProps) {
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return <svg className="spark" width={width} height={height} aria-hidden="true" />;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const x = (i: number): number => 1 + (i / (values.length - 1)) * (width - 2);
  const y = (v: number): number => (high === low ? height / 2 : height - 2 - ((v - low) / (high - low)) * (height - 4));
  let pen = false;
  let d = "";
  values.forEach((v, i) => {
    if (v !== null) d += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = v !== null;
  });
  return (
    <svg className="spark" width={width} height={height} aria-hidden="true">
      <path d={d} fill="none" stroke={colour} strokeWidth="1.3" strokeLinejoin="round" />
    </svg>
  );
}

/** People are round, machines square; the name always stands beside. */
export function Who({ actor, short = false }: { readonly actor: string; readonly short?: boolean }) {
  const cut = actor.indexOf(":");
  const kind = cut === -1 ? actor : actor.slice(0, cut);
  const name = cut === -1 ? actor : actor.slice(cut + 1);
  if (kind === "user") {
    return (
      <span className="who" title={name}>
        <span className="av" aria-hidden="true">{name.charAt(0).toUpperCase()}</span>
        <span className="trunc">{short ? name.split("@")[0] : name}</span>
      </span>
    );
  }
  const icon = kind === "key" ? "key-round" : kind === "agent" ? "cpu" : "server";
  return (
    <span className="who" title={actor}>
      <span className="av bot" role="img" aria-label={kind}><Icon name={icon} /></span>
      <span className="trunc">{name}</span>
    </span>
  );
}

export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast("ok", `Copied ${what}`);
  } catch {
    toast("warn", `The browser did not allow copying ${what}`);
  }
}

export function Copy({ text, what, small = true }: { readonly text: string; readonly what: string; readonly small?: boolean }) {
  return (
    <button type="button" className={`btn quiet icon${small ? " sm" : ""}`} aria-label={`Copy ${what}`} title={`Copy ${what}`} onClick={() => void copyText(text, what)}>
      <Icon name="copy" />
    </button>
  );
}

export function Command({ text }: { readonly text: string }) {
  return (
    <span className="cmd0">
      <span>{text}</span>
      <Copy text={text} what="the command" />
    </span>
  );
}

/** Shape of a table that is being asked for; seen only when the answer takes longer than 150 ms. */
export function Loading({ rows = 8, what }: { readonly rows?: number; readonly what: string }) {
  return (
    <div className="late" role="status" aria-label={`Asking for ${what}`}>
      {Array.from({ length: rows }, (_, i) => (
        <div className="skr" key={i} aria-hidden="true">
          <span className="sk" style={{ width: 11, height: 11, borderRadius: "50%" }} />
          <span className="sk" style={{ width: 96 + ((i * 37) % 60) }} />
          <span className="sk" style={{ width: 48 + ((i * 23) % 30), marginLeft: "auto" }} />
          <span className="sk" style={{ width: 28 }} />
        </div>
      ))}
    </div>
  );
}

export function Empty({ title, children, action }: { readonly title: string; readonly children?: ReactNode; readonly action?: ReactNode }) {
  return (
    <div className="cen">
      <b>{title}</b>
      {children ? <span>{children}</span> : null}
      {action ? <span className="row">{action}</span> : null}
    </div>
  );
}

/** What failed, in the system's words, and the way on. */
export function Fault({ error, retry, what }: { readonly error: unknown; readonly retry?: () => void; readonly what: string }) {
  const [open, setOpen] = useState(false);
  const problem = error instanceof ApiError ? error.problem : null;
  const denied = problem?.kind === "denied";
  const quoted = problem?.detail ?? (error instanceof Error ? error.message : String(error));
  return (
    <div className="cen" role="alert">
      {denied ? <Icon name="lock" className="t3" /> : <Mark kind="crit" size={13} />}
      <b>{denied ? `You may not see ${what} here` : `${what.charAt(0).toUpperCase()}${what.slice(1)} could not be read`}</b>
      <span className="quote">{quoted}</span>
      {problem?.next_step ? <span>{problem.next_step}</span> : null}
      <span className="row">
        {retry ? <button type="button" className="btn" onClick={retry}>Try again</button> : null}
        {problem && problem.request_id !== "" ? <button type="button" className="btn quiet" aria-expanded={open} onClick={() => setOpen(!open)}>Details</button> : null}
      </span>
      {open && problem ? <span className="mono t3">{problem.status} {problem.kind}, request {problem.request_id}</span> : null}
    </div>
  );
}

export function Seg<T extends string>({ label, value, options, onPick }: { readonly label: string; readonly value: T; readonly options: readonly (readonly [T, ReactNode])[]; readonly onPick: (value: T) => void }) {
  return (
    <div className="seg" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button type="button" key={key} aria-pressed={key === value} onClick={() => onPick(key)}>{text}</button>
      ))}
    </div>
  );
}
