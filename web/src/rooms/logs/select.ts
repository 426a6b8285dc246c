/** Sources of a view: how they stand in the address, what is asked of the server, and the tree they are picked from. */

import type { LogSelect, LogSource, Object as KubeObject, ProblemRow } from "../../api/types";
import { NO_NAMESPACE } from "../../ui/links";

/** `cluster[/namespace[/Kind/name[/container]]]` as a selection; `null` when it is not one. */
export function parseSource(text: string): LogSelect | null {
  const [cluster, namespace, kind, name, container, ...rest] = text.split("/");
  if (!cluster || rest.length > 0 || (kind !== undefined && !name)) return null;
  const ns = namespace && namespace !== NO_NAMESPACE ? { namespace } : {};
  if (kind === undefined || name === undefined) return { cluster, ...ns, all_containers: true };
  const inner = container ? { container } : { all_containers: true };
  if (kind === "Container") return { cluster, container: name };
  if (kind === "Pod") return { cluster, ...ns, pod: name, ...inner };
  return { cluster, ...ns, workload_kind: kind, workload: name, ...inner };
}

/** One container that has a log, as the inventory knows it. */
export interface LogPlace {
  readonly cluster: string;
  readonly namespace: string;
  readonly workload_kind: string;
  readonly workload: string;
  readonly pod: string;
  readonly container: string;
  readonly state: string;
  readonly restarts: number;
  readonly bytes: number;
}

/** Containers of pods, and containers of Docker hosts; `sizes` by `pod uid/container`. */
export function places(objects: readonly KubeObject[], sizes: ReadonlyMap<string, number>): LogPlace[] {
  return objects.flatMap((o): LogPlace[] => {
    const common = { cluster: o.cluster, namespace: o.namespace };
    if (o.kind === "Container") return [{ ...common, workload_kind: "", workload: "", pod: "", container: o.name, state: o.columns["state"] ?? "", restarts: 0, bytes: sizes.get(`${o.uid}/${o.name}`) ?? 0 }];
    return (o.containers ?? []).map((c) => ({ ...common, workload_kind: o.workload?.kind ?? "", workload: o.workload?.name ?? "", pod: o.name, container: c.name, state: c.state, restarts: c.restarts, bytes: sizes.get(`${o.uid}/${c.name}`) ?? 0 }));
  });
}

/** The ids, from the widest to the narrowest, that cover one source. */
export function pathOf(s: LogPlace): readonly string[] {
  const ns = s.namespace || NO_NAMESPACE;
  const space = `${s.cluster}/${ns}`;
  if (s.pod === "") return [s.cluster, space, `${space}/Container/${s.container}`];
  const pod = `${space}/Pod/${s.pod}`;
  const workload = s.workload ? [`${space}/${s.workload_kind}/${s.workload}`] : [];
  return [s.cluster, space, ...workload, pod, `${pod}/${s.container}`];
}

export interface TreeNode {
  readonly id: string;
  readonly name: string;
  readonly note: string;
  readonly depth: number;
  readonly children: readonly TreeNode[];
  readonly bytes: number;
  readonly state: string;
  readonly sources: number;
}

interface Draft {
  readonly id: string;
  readonly name: string;
  readonly note: string;
  readonly depth: number;
  readonly children: Map<string, Draft>;
  bytes: number;
  state: string;
  sources: number;
}

/** The tree of all sources; a level with one only child of the same name is kept, so that depth always means the same. */
export function tree(sources: readonly LogPlace[], typed: string): readonly TreeNode[] {
  const roots = new Map<string, Draft>();
  const needle = typed.trim().toLowerCase();
  for (const s of sources) {
    const path = pathOf(s);
    if (needle !== "" && !path.some((id) => id.toLowerCase().includes(needle))) continue;
    let level = roots;
    path.forEach((id, depth) => {
      const last = id.split("/").at(-1) ?? id;
      const name = depth === 1 ? s.namespace || "no namespace" : s.workload && last.startsWith(`${s.workload}-`) && path[depth]?.split("/")[2] === "Pod" ? last.slice(s.workload.length + 1) : last;
      const kind = id.split("/")[2] ?? "";
      const note = depth > 1 && depth < path.length - 1 && kind !== "Pod" ? kind : depth === path.length - 1 ? (s.restarts > 0 ? `${s.restarts} restarts` : "") : "";
      const node = level.get(id) ?? { id, name, note, depth, children: new Map<string, Draft>(), bytes: 0, state: "gone", sources: 0 };
      node.bytes += s.bytes;
      node.sources += 1;
      if (s.state === "running" || node.state === "gone") node.state = s.state;
      level.set(id, node);
      level = node.children;
    });
  }
  return finish(roots);
}

function finish(level: ReadonlyMap<string, Draft>): readonly TreeNode[] {
  return [...level.values()].map((d): TreeNode => ({ ...d, children: finish(d.children) })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export type Tick = "on" | "half" | "";

/** Whether a node is chosen: itself or by an ancestor, in part by a descendant. */
export function tickOf(node: TreeNode, chosen: readonly string[], covered: boolean): Tick {
  if (covered || chosen.includes(node.id)) return "on";
  return chosen.some((c) => c.startsWith(`${node.id}/`)) || node.children.some((c) => tickOf(c, chosen, false) !== "") ? "half" : "";
}

/** Rows of the tree that are open, flat and in order. */
export function flatten(nodes: readonly TreeNode[], open: ReadonlySet<string>, all: boolean): readonly TreeNode[] {
  return nodes.flatMap((n) => [n, ...(all || open.has(n.id) ? flatten(n.children, open, all) : [])]);
}

/** Whether an alert is about a source: its pod, its workload, or its node. */
export function concerns(p: ProblemRow, s: LogSource): boolean {
  if (p.cluster !== s.cluster) return false;
  if (p.object.kind === "Node") return p.object.name === s.node;
  return p.object.namespace === s.namespace && (p.object.name === s.pod || p.object.name === s.workload || s.pod.startsWith(`${p.object.name}-`));
}
