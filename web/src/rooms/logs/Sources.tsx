/** Where lines come from: a tree of clusters, namespaces, workloads, pods and containers, and facets of what is loaded. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";

import { post } from "../../api/client";
import { useClusters, useFleetObjects } from "../../api/queries";
import type { LogSources } from "../../api/types";
import { bytes, count, plural, si } from "../../core/format";
import { printList, toggle } from "../../core/list";
import { parseLogQuery, withTerm, type LevelName } from "../../core/logquery";
import { Icon, Mark } from "../../ui/Mark";
import { Empty, Fault, Loading } from "../../ui/parts";
import { useChangeView, useScope, useView } from "../../ui/view";
import { flatten, parseSource, places, tickOf, tree, type TreeNode } from "./select";

const REFRESH_MS = 15_000;
const MOST_NODES = 400;

export interface Counts {
  readonly levels: readonly (readonly [LevelName | "unknown", number])[];
  readonly streams: readonly (readonly [string, number])[];
  readonly pods: readonly (readonly [string, number])[];
}

interface SourcesProps {
  readonly chosen: readonly string[];
  readonly files: number;
  readonly counts: Counts;
  /** On a phone, where sources and lines take turns: back to the lines. */
  readonly onDone: () => void;
}

export function Sources({ chosen, files, counts, onDone }: SourcesProps) {
  const scope = useScope();
  const change = useChangeView();
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(chosen.flatMap((c) => c.split("/").map((_, i, all) => all.slice(0, i + 1).join("/")))));
  const clusters = useClusters();
  const inScope = useMemo(() => clusters.items.filter((c) => scope.clusters.length === 0 || scope.clusters.includes(c.name)), [clusters.items, scope.clusters]);
  const objects = useFleetObjects(inScope, ["Pod"]);
  const answer = useQuery({ queryKey: ["log-sources", chosen], queryFn: ({ signal }) => post<LogSources>("/logs/sources", { sources: chosen.flatMap((c) => parseSource(c) ?? []) }, signal), refetchInterval: REFRESH_MS, enabled: chosen.length > 0 });
  const nodes = useMemo(() => {
    const sizes = new Map((answer.data?.sources ?? []).map((s) => [`${s.pod_uid}/${s.container}`, s.bytes]));
    const inSpaces = objects.items.filter((o) => scope.namespaces.length === 0 || scope.namespaces.includes(o.namespace));
    return tree(places(inSpaces, sizes), typed);
  }, [objects.items, answer.data, scope.namespaces, typed]);
  const single = nodes.length === 1 ? nodes[0] : undefined;
  const opened = useMemo(() => (single ? new Set([...open, single.id]) : open), [open, single]);
  const rows = flatten(nodes, opened, typed.trim() !== "");
  const box = useRef<HTMLDivElement>(null);
  const ready = rows.length > 0;
  useEffect(() => { if (ready) box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "center" }); }, [ready]);
  const flip = (id: string): void => setOpen((old) => new Set(toggle([...old], id)));
  return (
    <section className="pane" aria-label="Sources and facets">
      <div className="ph"><h2>Sources</h2><span className="n">{chosen.length === 0 ? "none chosen" : plural(files, "container")}</span><span className="sp" />{chosen.length > 0 ? <button type="button" className="btn on-phone" onClick={onDone}>Show lines</button> : null}{chosen.length > 0 ? <button type="button" className="btn quiet icon sm" aria-label="Choose none" title="Choose none" onClick={() => change({ src: undefined, line: undefined })}><Icon name="x" /></button> : null}</div>
      <div style={{ padding: "7px 12px 3px" }}><div className="inp"><Icon name="search" small className="t3" /><input aria-label="Search sources" placeholder="pod, workload, container" value={typed} onChange={(e) => setTyped(e.target.value)} /></div></div>
      <div className="tree" ref={box}>
        {objects.status === "loading" && (clusters.status === "loading" || inScope.length > 0) ? <Loading rows={6} what="log sources" /> : objects.status === "denied" ? <Fault error={new Error(objects.reason)} what="log sources" /> : rows.length === 0 ? <Empty title={typed ? "None matches" : "No log source yet"}>{typed ? "" : "Containers appear here when a node-agent is connected."}</Empty> : (
          <div role="tree" aria-label="Sources">
            {rows.slice(0, MOST_NODES).map((n) => (
              <Node key={n.id} node={n} chosen={chosen} open={opened.has(n.id) || typed !== ""} onOpen={() => flip(n.id)} onPick={() => change({ src: printList(pick(chosen, n.id)), line: undefined })} />
            ))}
          </div>
        )}
        {rows.length > MOST_NODES ? <p className="t3 s11" style={{ padding: "4px 12px" }}>{rows.length - MOST_NODES} more: type a name to narrow them</p> : null}
        {(answer.data?.gaps ?? []).map((g, i) => <p key={i} className="s11 c-warn" style={{ padding: "2px 12px" }} title={g.text}><Mark kind="warn" /> {g.source_name || g.kind}: {g.text}</p>)}
      </div>
      <Facets counts={counts} />
    </section>
  );
}

/** A chosen parent stands for its children: picking it drops them, picking a child drops the parents. */
function pick(chosen: readonly string[], id: string): string[] {
  if (chosen.includes(id)) return chosen.filter((c) => c !== id);
  return [...chosen.filter((c) => !c.startsWith(`${id}/`) && !id.startsWith(`${c}/`)), id];
}

interface NodeProps {
  readonly node: TreeNode;
  readonly chosen: readonly string[];
  readonly open: boolean;
  readonly onOpen: () => void;
  readonly onPick: () => void;
}

function Node({ node: n, chosen, open, onOpen, onPick }: NodeProps) {
  const covered = chosen.some((c) => n.id.startsWith(`${c}/`));
  const tick = tickOf(n, chosen, covered);
  return (
    <div className="tn0" role="treeitem" aria-level={n.depth + 1} aria-expanded={n.children.length > 0 ? open : undefined} aria-selected={tick === "on"} style={{ paddingLeft: 4 + n.depth * 11 }}>
      {n.children.length > 0 ? <button type="button" className="tw" aria-label={`${open ? "Close" : "Open"} ${n.name}`} aria-expanded={open} onClick={onOpen}><Icon name="chevron-right" /></button> : <span className="tw" />}
      <button type="button" className="pick" role="checkbox" aria-checked={tick === "half" ? "mixed" : tick === "on"} title={n.id} onClick={onPick}>
        <span className={`cbx ${tick}`}>{tick === "on" ? <Icon name="check" /> : null}</span>
        <span className={`trunc ${tick === "" ? "t2" : ""}`}>{n.name}</span>
        <span className="t3 s11 trunc">{n.note}</span>
        <span className="num">{n.state === "gone" ? "gone" : n.bytes > 0 ? bytes(n.bytes) : ""}</span>
      </button>
    </div>
  );
}

function Facets({ counts }: { readonly counts: Counts }) {
  const view = useView();
  const change = useChangeView();
  const parsed = parseLogQuery(view.q ?? "");
  const level = parsed.ok ? parsed.terms.level : undefined;
  const stream = parsed.ok ? parsed.terms.stream : undefined;
  const most = (list: readonly (readonly [string, number])[]): number => Math.max(1, ...list.map(([, n]) => n));
  const marks: Readonly<Record<string, "crit" | "warn">> = { fatal: "crit", error: "crit", warn: "warn" };
  return (
    <div style={{ flex: "none", overflow: "auto", maxHeight: "44%" }} title="Counts of the lines loaded here">
      <div className="fg">
        <h3 className="mono">level, at least</h3>
        {counts.levels.map(([name, n]) => (
          <button type="button" className="fv" key={name} aria-pressed={level === name} disabled={name === "unknown"} onClick={() => change({ q: withTerm(view.q ?? "", { level: level === name ? "" : name }) || undefined })}>
            <span className={`cbx${level === name ? " on" : ""}`}>{level === name ? <Icon name="check" /> : null}</span>
            <span className="trunc">{marks[name] ? <><Mark kind={marks[name]} label="" /> </> : null}{name}</span><span className="num tn">{n < 100_000 ? count(n) : si(n)}</span><i className="bar" style={{ width: `${(n / most(counts.levels)) * 70}%` }} />
          </button>
        ))}
      </div>
      {counts.pods.length > 1 ? <div className="fg"><h3 className="mono">pod</h3>{counts.pods.map(([name, n]) => <div className="fv" key={name}><span /><span className="trunc" title={name}>{name}</span><span className="num tn">{count(n)}</span><i className="bar" style={{ width: `${(n / most(counts.pods)) * 70}%` }} /></div>)}</div> : null}
      <div className="fg">
        <h3 className="mono">stream</h3>
        {counts.streams.map(([name, n]) => (
          <button type="button" className="fv" key={name} aria-pressed={stream === name} onClick={() => change({ q: withTerm(view.q ?? "", { stream: stream === name ? "" : name }) || undefined })}>
            <span className={`cbx${stream === name ? " on" : ""}`}>{stream === name ? <Icon name="check" /> : null}</span><span>{name}</span><span className="num tn">{count(n)}</span><i className="bar" style={{ width: `${(n / most(counts.streams)) * 70}%` }} />
          </button>
        ))}
      </div>
    </div>
  );
}
