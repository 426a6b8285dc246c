/** Where lines come from: a tree of clusters, namespaces, workloads, pods and containers; below it the sources in view with colour, rate, last line and mute. */

import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import { useClusters, useFleetObjects } from "../../api/queries";
import type { LogSource } from "../../api/types";
import { lastMs } from "../../core/estimate";
import { age, bytes, plural, significant } from "../../core/format";
import { printList, toggle } from "../../core/list";
import { msOf } from "../../core/stamp";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useChangeView, useNow, useScope, useView } from "../../ui/view";
import { useSources } from "./ask";
import { muteText } from "./Menus";
import { Name } from "./Name";
import type { Pane } from "./pane";
import { flatten, places, tickOf, tree, type TreeNode } from "./select";
import { shortName, sourceName } from "./text";

const MOST_NODES = 400;
const MOST_IN_VIEW = 40;
const HUES = 8;

interface SourcesProps {
  readonly pane: Pane;
  readonly hues: ReadonlyMap<string, number>;
  readonly children: ReactNode;
  /** On a phone, where sources and lines take turns: back to the lines. */
  readonly onDone: () => void;
}

export function Sources({ pane, hues, children, onDone }: SourcesProps) {
  const { chosen } = pane;
  const files = pane.view.sources.length;
  const scope = useScope();
  const change = useChangeView();
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(chosen.flatMap((c) => c.split("/").map((_, i, all) => all.slice(0, i + 1).join("/")))));
  const clusters = useClusters();
  const inScope = useMemo(() => clusters.items.filter((c) => scope.clusters.length === 0 || scope.clusters.includes(c.name)), [clusters.items, scope.clusters]);
  const objects = useFleetObjects(inScope, ["Pod"]);
  const answer = useSources(chosen);
  const nodes = useMemo(() => {
    const sizes = new Map((answer.data?.sources ?? []).map((s) => [`${s.pod_uid}/${s.container}`, s.bytes]));
    const inSpaces = objects.items.filter((o) => scope.namespaces.length === 0 || scope.namespaces.includes(o.namespace));
    return tree(places(inSpaces, sizes), typed);
  }, [objects.items, answer.data, scope.namespaces, typed]);
  const single = nodes.length === 1 ? nodes[0] : undefined;
  const opened = useMemo(() => (single ? new Set([...open, single.id]) : open), [open, single]);
  const rows = useMemo(() => flatten(nodes, opened, typed.trim() !== ""), [nodes, opened, typed]);
  const box = useRef<HTMLDivElement>(null);
  const ready = rows.length > 0;
  useEffect(() => { if (ready) box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "center" }); }, [ready]);
  /** The tree is one stop of the tab key; arrows move within it. */
  const [at, setAt] = useState("");
  const { src } = pane.names;
  const line = pane.names.line;
  // The tree stands while lines stream beside it.
  const drawn = useMemo(() => {
    const flip = (id: string): void => setOpen((old) => new Set(toggle([...old], id)));
    const stop = rows.find((n) => n.id === at) ?? rows.find((n) => chosen.includes(n.id)) ?? rows[0];
    return rows.slice(0, MOST_NODES).map((n) => <Node key={n.id} node={n} stop={n === stop} chosen={chosen} open={opened.has(n.id) || typed !== ""} onOpen={() => flip(n.id)} onPick={() => change({ [src]: printList(pick(chosen, n.id)), [line]: undefined })} />);
  }, [rows, opened, typed, chosen, change, src, line, at]);
  return (
    <section className="pane" aria-label="Sources and facets">
      <div className="ph"><h2>Sources</h2><span className="n">{chosen.length === 0 ? "none chosen" : plural(files, "container")}</span><span className="sp" />{chosen.length > 0 ? <button type="button" className="btn on-phone" onClick={onDone}>Show lines</button> : null}{chosen.length > 0 ? <button type="button" className="btn quiet icon sm" aria-label="Choose none" title="Choose none" onClick={() => change({ [pane.names.src]: undefined, [pane.names.line]: undefined })}><Icon name="x" /></button> : null}</div>
      <div style={{ padding: "7px 12px 3px" }}><div className="inp"><Icon name="search" small className="t3" /><input aria-label="Search sources" placeholder="pod, workload, container" value={typed} onChange={(e) => setTyped(e.target.value)} /></div></div>
      <div className="tree" ref={box}>
        {objects.status === "loading" && (clusters.status === "loading" || inScope.length > 0) ? <Loading rows={6} what="log sources" /> : objects.status === "denied" ? <Fault error={new Error(objects.reason)} what="log sources" /> : rows.length === 0 ? <Empty title={typed ? "None matches" : "No log source yet"}>{typed ? "" : "Containers appear here when a node-agent is connected."}</Empty> : (
          <div role="tree" aria-label="Sources" onKeyDown={inTree} onFocus={(e) => setAt(e.target.closest<HTMLElement>("[data-id]")?.dataset["id"] ?? "")}>
            {drawn}
          </div>
        )}
        {rows.length > MOST_NODES ? <p className="t3 s11" style={{ padding: "4px 12px" }}>{rows.length - MOST_NODES} more: type a name to narrow them</p> : null}
        {(answer.data?.gaps ?? []).map((g, i) => <p key={i} className="s11 c-warn" style={{ padding: "2px 12px" }} title={g.text}><Mark kind="warn" /> {g.source_name || g.kind}: {g.text}</p>)}
      </div>
      <InView pane={pane} hues={hues} listed={answer.data?.sources ?? []} />
      {children}
    </section>
  );
}

/** A chosen parent stands for its children: picking it drops them, picking a child drops the parents. */
function pick(chosen: readonly string[], id: string): string[] {
  if (chosen.includes(id)) return chosen.filter((c) => c !== id);
  return [...chosen.filter((c) => !c.startsWith(`${id}/`) && !id.startsWith(`${c}/`)), id];
}

/** Up and down, first and last; right opens or goes in, left closes or goes out. */
function inTree(event: KeyboardEvent<HTMLElement>): void {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>('[role="treeitem"]')];
  const i = items.findIndex((item) => item.contains(document.activeElement));
  const item = items[i];
  if (!item) return;
  const level = Number(item.ariaLevel);
  const open = item.getAttribute("aria-expanded");
  const flip = (): void => item.querySelector<HTMLElement>(".tw")?.click();
  const go = (to: HTMLElement | undefined): void => to?.querySelector<HTMLElement>(".pick")?.focus();
  switch (event.key) {
    case "ArrowDown": go(items[i + 1]); break;
    case "ArrowUp": go(items[i - 1]); break;
    case "Home": go(items[0]); break;
    case "End": go(items.at(-1)); break;
    case "ArrowRight": if (open === "false") flip(); else if (open === "true") go(items[i + 1]); break;
    case "ArrowLeft": if (open === "true") flip(); else go(items.slice(0, i).findLast((other) => Number(other.ariaLevel) < level)); break;
    default: return;
  }
  event.preventDefault();
}

interface NodeProps {
  readonly node: TreeNode;
  /** The tab key stops here. */
  readonly stop: boolean;
  readonly chosen: readonly string[];
  readonly open: boolean;
  readonly onOpen: () => void;
  readonly onPick: () => void;
}

function Node({ node: n, stop, chosen, open, onOpen, onPick }: NodeProps) {
  const covered = chosen.some((c) => n.id.startsWith(`${c}/`));
  const tick = tickOf(n, chosen, covered);
  return (
    <div className="tn0" data-id={n.id} role="treeitem" aria-level={n.depth + 1} aria-expanded={n.children.length > 0 ? open : undefined} aria-selected={tick === "on"} style={{ paddingLeft: 4 + n.depth * 11 }}>
      {n.children.length > 0 ? <button type="button" className="tw" tabIndex={-1} aria-label={`${open ? "Close" : "Open"} ${n.name}`} aria-expanded={open} onClick={onOpen}><Icon name="chevron-right" /></button> : <span className="tw" />}
      <button type="button" className="pick" tabIndex={stop ? 0 : -1} role="checkbox" aria-checked={tick === "half" ? "mixed" : tick === "on"} title={n.id} onClick={onPick}>
        <span className={`cbx ${tick}`}>{tick === "on" ? <Icon name="check" /> : null}</span>
        <Name text={n.name} faint={tick === ""} />
        <span className="t3 s11 trunc">{n.note}</span>
        <span className="num">{n.state === "gone" ? "gone" : n.bytes > 0 ? bytes(n.bytes) : ""}</span>
      </button>
    </div>
  );
}

/** The sources whose lines are shown: their colour, how fast they write, when last, and whether they are shown. */
function InView({ pane, hues, listed }: { readonly pane: Pane; readonly hues: ReadonlyMap<string, number>; readonly listed: readonly LogSource[] }) {
  const change = useChangeView();
  const address = useView();
  const now = useNow();
  const { sources, rows } = pane.view;
  const written = useMemo(() => {
    // Stamps sort as text: only the outermost are read as times.
    const spans = new Map<number, { first: string; last: string; lines: number }>();
    for (const r of rows) {
      if (r.kind !== "line") continue;
      const entry = spans.get(r.source);
      if (!entry) spans.set(r.source, { first: r.time, last: r.time, lines: 1 });
      else {
        if (r.time > entry.last) entry.last = r.time;
        entry.lines += 1;
      }
    }
    return new Map([...spans].map(([source, s]) => [source, { first: msOf(s.first), last: msOf(s.last), lines: s.lines }]));
  }, [pane.slow, rows]);
  if (sources.length === 0) return null;
  const repaint = (name: string): void => {
    const kept = (address.hue ?? "").split(",").filter((h) => h !== "" && !h.startsWith(`${name}:`));
    change({ hue: printList([...kept, `${name}:${((hues.get(name) ?? 0) % HUES) + 1}`]) }, true);
  };
  return (
    <div className="fg inview">
      <h3>in view <span className="sp" />{pane.muted.length > 0 ? <button type="button" className="link" onClick={() => change({ mute: undefined }, true)}>unmute all</button> : <span className="t3">lines/s, last</span>}</h3>
      {sources.slice(0, MOST_IN_VIEW).map((s, i) => {
        const name = sourceName(s);
        const seen = written.get(i);
        const told = listed.find((l) => l.id === s.id) ?? s;
        const rate = told.lines_per_s ?? (seen && seen.lines > 1 && seen.last > seen.first ? (seen.lines / (seen.last - seen.first)) * 1000 : null);
        const last = Math.max(seen?.last ?? 0, lastMs(told) ?? 0);
        const off = pane.muted.includes(name);
        return (
          <div className="iv" key={s.id} data-muted={off || undefined}>
            <button type="button" className="hue" aria-label={`Colour of ${name}: ${hues.get(name) ?? 0} of ${HUES}; change`} title="another colour" onClick={() => repaint(name)}><i style={{ background: `var(--s${hues.get(name) ?? 1})` }} /></button>
            <span className="trunc" title={`${s.cluster} / ${s.namespace} / ${name}`}>{shortName(s)}<span className="t3"> {s.pod ? s.container : ""}{s.state === "running" ? "" : `, ${s.state}`}</span></span>
            <span className="num t3">{rate === null || rate === undefined ? "" : `${significant(rate)}/s`}</span><span className="num t3">{last > 0 ? age(now - last) : "none"}</span>
            <button type="button" className="tg" aria-pressed={off} aria-label={`Mute ${name}`} title={off ? "show its lines" : "hide its lines here"} onClick={() => change({ mute: muteText(pane.muted, name) }, true)}><Icon name={off ? "ban" : "eye"} /></button>
          </div>
        );
      })}
      {sources.length > MOST_IN_VIEW ? <p className="t3 s11">{plural(sources.length - MOST_IN_VIEW, "more source", "more sources")}</p> : null}
    </div>
  );
}
