/** What a room fills of the shell: scope crumbs, controls, the tape, its own panes, and the key rail. */

import { Popover } from "radix-ui";
import { useEffect, useRef, useState, useSyncExternalStore, type CSSProperties, type ReactNode } from "react";

import { link, reconnectNow } from "../api/live";
import { useClusters, useObjects } from "../api/queries";
import { age, clock, clockShort, duration, platformName } from "../core/format";
import { badness, markOf } from "../core/marks";
import { printList, toggle } from "../core/list";
import { parseWindow, printWindow, windowName } from "../core/window";
import type { IconName } from "./icons";
import { useKeys } from "./keys";
import { Icon, Mark } from "./Mark";
import { copyText, Empty } from "./parts";
import { Tape, type TapeProps } from "./Tape";
import { toast } from "./toast";
import { useChangeView, useNow, useScope, useWindow, windowText } from "./view";

export interface FrameProps {
  readonly title: string;
  readonly crumbs: ReactNode;
  readonly right?: ReactNode;
  readonly tape?: TapeProps | false;
  readonly time?: boolean;
  readonly truth?: ReactNode;
  readonly keys?: readonly (readonly [keys: string, what: string])[];
  readonly className: string;
  readonly style?: CSSProperties;
  readonly children: ReactNode;
}

export function Frame({ title, crumbs, right, tape = {}, time = true, truth, keys = [], className, style, children }: FrameProps) {
  useEffect(() => {
    document.title = `${title} · Pilothouse`;
  }, [title]);
  return (
    <>
      <header className="bar">
        <div className="crumbs">{crumbs}</div>
        <span className="sp" />
        {right}
        {time ? <TimeControls /> : null}
        <button type="button" className="btn quiet icon" aria-label="Copy link to this view" title="Copy link: the address holds the whole view" onClick={() => void copyText(location.href, "the link to this view")}>
          <Icon name="link" />
        </button>
      </header>
      {tape === false ? null : <Tape {...tape} />}
      <Banners />
      <main className={`room ${className}`} id="room" tabIndex={-1} style={style}>
        <h1 className="sr">{title}</h1>
        {children}
      </main>
      <footer className="keys" aria-label="Data state and keys">
        {truth}
        <LinkTruth />
        <span className="sp" />
        {keys.map(([names, what]) => (
          <span className="key" key={names}>{names.split(" ").map((k) => <kbd key={k}>{k}</kbd>)} {what}</span>
        ))}
        <span className="key"><kbd>?</kbd> all keys</span>
      </footer>
    </>
  );
}

function LinkTruth() {
  const state = useSyncExternalStore(link.listen, link.read);
  if (state.kind === "open") return <span><b>link</b> {state.rttMs === null ? "open" : duration(state.rttMs)}</span>;
  if (state.kind === "connecting") return <span><b>link</b> opening</span>;
  return <span><Mark kind="unknown" /><b>link</b> lost</span>;
}

/** Under the tape, one line: the server is not reached, and what is shown is from when. */
function Banners() {
  const state = useSyncExternalStore(link.listen, link.read);
  const now = useNow();
  if (state.kind !== "lost" || state.attempt < 2) return <div className="bans" />;
  return (
    <div className="bans">
      <div className="ban unknown" role="status">
        <Mark kind="unknown" />
        <b className="strong">Server not reached</b>
        <span className="t2 trunc">showing {clock(state.since)} UTC{state.retryAt > now ? `, again in ${age(state.retryAt - now)}` : ", trying"}</span>
        <span className="sp" />
        <button type="button" className="btn" onClick={reconnectNow}>Now</button>
      </div>
    </div>
  );
}

const PRESETS = ["-5m", "-15m", "-1h", "-3h", "-6h", "-12h", "-1d", "-2d", "-7d"] as const;

function TimeControls() {
  const { window, span, live } = useWindow();
  const change = useChangeView();
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  useKeys({ r: () => setOpen(true) });
  const use = (t: string): void => {
    const parsed = parseWindow(t, Date.now());
    if (!parsed) {
      setWrong(true);
      return;
    }
    change({ t: printWindow(parsed) === "-1h" ? undefined : printWindow(parsed) });
    setOpen(false);
    setText("");
  };
  const zoomOut = (): void => {
    const length = span.toMs - span.fromMs;
    change({ t: live ? `-${Math.round((length * 2) / 60_000)}m` : windowText(span.fromMs - length / 2, Math.min(Date.now(), span.toMs + length / 2)) });
  };
  useKeys({ Z: zoomOut });
  return (
    <div className="row g4">
      <button type="button" className="btn quiet icon" aria-label="Zoom out" title="Zoom out (shift Z)" onClick={zoomOut}><Icon name="zoom-out" /></button>
      <Popover.Root open={open} onOpenChange={setOpen}>
        <Popover.Trigger asChild>
          <button type="button" className="btn">
            <Icon name="clock" />
            {windowName(window)} <span className="t3 tn">{clockShort(span.fromMs)} – {clockShort(span.toMs)} UTC</span>
            <Icon name="chevron-down" />
          </button>
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content className="pop" align="end" sideOffset={4} aria-label="Time window">
            <form onSubmit={(e) => { e.preventDefault(); use(text); }}>
              <div className="inp" data-invalid={wrong} style={{ width: 320, marginBottom: 6 }}>
                <input autoFocus aria-label="Time window" aria-invalid={wrong} placeholder="1h, since 14:00, yesterday, two ISO stamps" value={text} onChange={(e) => { setText(e.target.value); setWrong(false); }} />
                <kbd>⏎</kbd>
              </div>
            </form>
            {wrong ? <p className="c-crit" role="alert" style={{ padding: "0 8px 6px" }}>Not understood. Examples: 90m · 14:00 · 2026-11-18T13:32Z..2026-11-18T14:32Z</p> : null}
            <div style={{ display: "grid", gridTemplateColumns: "repeat(3, 1fr)" }}>
              {PRESETS.map((p) => <button type="button" className="opt" key={p} aria-pressed={printWindow(window) === p} onClick={() => use(p)}>Last {p.slice(1, -1)} {p.slice(-1)}</button>)}
            </div>
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      <button type="button" className="btn" aria-pressed={live} title={live ? "Hold this window" : "Follow the present"} onClick={() => change({ t: live ? windowText(span.fromMs, span.toMs) : undefined })}>
        {live ? <Mark kind="move" label="live" /> : <Icon name="play" />}
        {live ? "Live" : "Held"}
      </button>
    </div>
  );
}

/** A crumb that leads nowhere else: where one is. */
export function Here({ icon, children }: { readonly icon?: IconName; readonly children: ReactNode }) {
  return <span className="crumb here" aria-current="page">{icon ? <Icon name={icon} small /> : null}<span className="trunc">{children}</span></span>;
}

export function CrumbSep() {
  return <span className="sep" aria-hidden="true">/</span>;
}

interface PickerProps {
  readonly label: string;
  readonly all: string;
  readonly icon: IconName;
  readonly chosen: readonly string[];
  readonly options: readonly { readonly name: string; readonly mark?: string; readonly note?: string }[];
  readonly onChange: (names: readonly string[]) => void;
}

/** A searchable list of tick boxes behind a crumb. */
function ScopePicker({ label, all, icon, chosen, options, onChange }: PickerProps) {
  const [typed, setTyped] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const shown = options.filter((o) => o.name.includes(typed.trim()));
  const text = chosen.length === 0 ? all : chosen.length === 1 ? chosen[0] : `${chosen[0] ?? ""} + ${chosen.length - 1}`;
  return (
    <Popover.Root onOpenChange={() => setTyped("")}>
      <Popover.Trigger asChild>
        <button type="button" className="crumb" aria-label={`${label}: ${text ?? all}`}><Icon name={icon} small />{text}<Icon name="chevron-down" small /></button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop" align="start" sideOffset={4} aria-label={label} onOpenAutoFocus={(e) => { e.preventDefault(); input.current?.focus(); }}>
          <div className="inp" style={{ marginBottom: 6, width: 260 }}><Icon name="search" small className="t3" /><input ref={input} aria-label={`Search ${label}`} value={typed} onChange={(e) => setTyped(e.target.value)} /></div>
          <button type="button" className="opt" aria-pressed={chosen.length === 0} onClick={() => onChange([])}>{all}</button>
          {shown.map((o) => (
            <button type="button" role="checkbox" aria-checked={chosen.includes(o.name)} className="opt" key={o.name} onClick={() => onChange(toggle(chosen, o.name))}>
              <span className={`cbx${chosen.includes(o.name) ? " on" : ""}`}>{chosen.includes(o.name) ? <Icon name="check" /> : null}</span>
              {o.mark ? <Mark kind={markOf(o.mark)} /> : null}
              <span className="trunc">{o.name}</span>
              {o.note ? <span className="t3 s11" style={{ marginLeft: "auto" }}>{o.note}</span> : null}
            </button>
          ))}
          {shown.length === 0 ? <Empty title="None matches" /> : null}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Scope crumbs: which clusters, which namespaces. */
export function ScopeCrumbs({ children }: { readonly children: ReactNode }) {
  const scope = useScope();
  const change = useChangeView();
  const clusters = useClusters();
  const inScope = clusters.items.filter((c) => scope.clusters.length === 0 || scope.clusters.includes(c.name));
  const namespaces = useObjects(inScope.filter((c) => c.kind === "kubernetes").map((c) => c.id), ["Namespace"]);
  const names = [...new Set(namespaces.items.map((n) => n.name))].sort();
  return (
    <>
      <ScopePicker label="Clusters" all="All clusters" icon="server" chosen={scope.clusters} options={[...clusters.items].sort((a, b) => badness(markOf(a.state)) - badness(markOf(b.state))).map((c) => ({ name: c.name, mark: c.status === "disconnected" ? "unknown" : c.state, note: platformName(c.platform) }))} onChange={(l) => change({ in: printList(l) })} />
      <CrumbSep />
      <ScopePicker label="Namespaces" all="All namespaces" icon="box" chosen={scope.namespaces} options={names.map((name) => ({ name }))} onChange={(l) => change({ ns: printList(l) })} />
      <CrumbSep />
      {children}
    </>
  );
}

const told = new Set<string>();

/** Tells once which parameters of an address were not understood. */
export function tellDropped(all: readonly string[]): void {
  const names = all.filter((name) => !told.has(name));
  for (const name of names) told.add(name);
  if (names.length > 0) toast("warn", `Not understood in the address and left out: ${names.join(", ")}`);
}
