/** One trace as a tree: parents and children, what does not fit, the critical path, and the rows to draw. Times are ns from the trace's start. */

import type { Json } from "../api/types";

export type SpanStatus = "unset" | "ok" | "error";

export interface SpanEvent {
  readonly name: string;
  readonly at: number;
  readonly attributes: Readonly<Record<string, Json>>;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Readonly<Record<string, Json>>;
}

export interface Span {
  /** 16 hex digits. */
  readonly id: string;
  readonly parent: string | null;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly status: SpanStatus;
  readonly statusText: string;
  readonly start: number;
  readonly duration: number;
  readonly cluster: string;
  readonly namespace: string;
  readonly workloadKind: string;
  readonly workload: string;
  readonly pod: string;
  readonly container: string;
  readonly node: string;
  readonly attributes: Readonly<Record<string, Json>>;
  readonly resource: Readonly<Record<string, Json>>;
  readonly scope: string;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

export interface SpanNode {
  readonly span: Span;
  /** Index of the parent's node; -1 for a root. */
  readonly parent: number;
  readonly children: readonly number[];
  readonly depth: number;
  /** It names a parent that is not here. */
  readonly orphan: boolean;
  /** ns that it starts before its parent; two clocks that differ, or a wrong parent. */
  readonly early: number;
  /** ns that it ends after its parent: work that goes on behind, or two clocks that differ. */
  readonly late: number;
  /** Spans below it. */
  readonly below: number;
  /** Itself or one below failed. */
  readonly failing: boolean;
}

export interface SpanTree {
  /** In the order of the spans given. */
  readonly nodes: readonly SpanNode[];
  readonly roots: readonly number[];
  /** The root that stands for the trace: without parent and first; of orphans alone the first. */
  readonly main: number;
  readonly duration: number;
  readonly services: readonly string[];
  readonly errors: number;
  readonly orphans: number;
  readonly skewed: number;
}

const endOf = (s: Span): number => s.start + s.duration;

/** Parents' indices: by id, the span that is not a client first where an id stands twice; a circle is cut at its first span. */
function parentsOf(spans: readonly Span[]): number[] {
  const byId = new Map<string, number>();
  spans.forEach((s, i) => {
    const known = byId.get(s.id);
    if (known === undefined || (spans[known]?.kind === "client" && s.kind !== "client")) byId.set(s.id, i);
  });
  const parents = spans.map((s, i) => {
    const found = s.parent === null ? undefined : byId.get(s.parent);
    return found === undefined || found === i ? -1 : found;
  });
  const seen = new Int8Array(spans.length);
  for (let i = 0; i < spans.length; i += 1) {
    const path: number[] = [];
    let at = i;
    while (at !== -1 && seen[at] === 0) {
      seen[at] = 1;
      path.push(at);
      at = parents[at] ?? -1;
    }
    if (at !== -1 && seen[at] === 1) parents[at] = -1;
    for (const p of path) seen[p] = 2;
  }
  return parents;
}

export function treeOf(spans: readonly Span[]): SpanTree {
  const parents = parentsOf(spans);
  const children: number[][] = spans.map(() => []);
  const roots: number[] = [];
  parents.forEach((p, i) => (p === -1 ? roots : (children[p] ?? roots)).push(i));
  const byStart = (a: number, b: number): number => (spans[a]?.start ?? 0) - (spans[b]?.start ?? 0) || (spans[b]?.duration ?? 0) - (spans[a]?.duration ?? 0) || a - b;
  roots.sort(byStart);
  for (const list of children) list.sort(byStart);
  const depth = new Int32Array(spans.length);
  const order = walk(roots, (i) => children[i] ?? [], () => true);
  for (const i of order) {
    const p = parents[i] ?? -1;
    depth[i] = p === -1 ? 0 : (depth[p] ?? 0) + 1;
  }
  const below = new Int32Array(spans.length);
  const failing = new Uint8Array(spans.length);
  for (const i of [...order].reverse()) {
    if (spans[i]?.status === "error") failing[i] = 1;
    const p = parents[i] ?? -1;
    if (p === -1) continue;
    below[p] = (below[p] ?? 0) + (below[i] ?? 0) + 1;
    if (failing[i] === 1) failing[p] = 1;
  }
  const nodes = spans.map((span, i): SpanNode => {
    const parent = parents[i] ?? -1;
    const above = parent === -1 ? undefined : spans[parent];
    return {
      span, parent, children: children[i] ?? [], depth: depth[i] ?? 0, orphan: span.parent !== null && parent === -1,
      early: above ? Math.max(0, above.start - span.start) : 0, late: above ? Math.max(0, endOf(span) - endOf(above)) : 0, below: below[i] ?? 0, failing: failing[i] === 1,
    };
  });
  return {
    nodes, roots,
    main: roots.find((r) => spans[r]?.parent === null) ?? roots[0] ?? -1,
    duration: spans.reduce((most, s) => Math.max(most, endOf(s)), 0),
    services: [...new Set(order.map((i) => spans[i]?.service ?? ""))],
    errors: spans.filter((s) => s.status === "error").length,
    orphans: nodes.filter((n) => n.orphan).length,
    skewed: nodes.filter((n) => n.early > 0).length,
  };
}

/** Depth first, without recursion: a chain of a hundred thousand spans is legal. */
function walk(roots: readonly number[], childrenOf: (i: number) => readonly number[], open: (i: number) => boolean): number[] {
  const out: number[] = [];
  const stack = [...roots].reverse();
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    out.push(i);
    const below = childrenOf(i);
    if (open(i)) for (let c = below.length - 1; c >= 0; c -= 1) stack.push(below[c] ?? 0);
  }
  return out;
}

/** Indices of the rows that show, in order; spans below a folded one do not. */
export const rowsOf = (tree: SpanTree, folded: ReadonlySet<string>): readonly number[] => walk(tree.roots, (i) => tree.nodes[i]?.children ?? [], (i) => !folded.has(tree.nodes[i]?.span.id ?? ""));

/** Ids of spans to fold so that what took less than this share of the trace, and did not fail, is one row. */
export function fastSpans(tree: SpanTree, share: number): ReadonlySet<string> {
  const limit = tree.duration * share;
  return new Set(tree.nodes.filter((n, i) => i !== tree.main && n.children.length > 0 && !n.failing && n.span.duration < limit).map((n) => n.span.id));
}

/** A stretch of time that one span alone accounts for. */
export interface Stretch {
  readonly node: number;
  readonly from: number;
  readonly to: number;
}

/**
 * What made the trace as long as it is: from the root's end backwards, always the child that ended last, and the span itself where no child ran.
 * Stretches do not overlap, cover the root whole, and ascend by time. Children are cut to their parents' time.
 */
export function criticalPath(tree: SpanTree): readonly Stretch[] {
  const root = tree.nodes[tree.main];
  if (!root) return [];
  interface Work { node: number; from: number; cursor: number; next: number; readonly order: readonly { i: number; from: number; to: number }[] }
  const open = (node: number, from: number, to: number): Work => {
    const order = (tree.nodes[node]?.children ?? [])
      .map((i) => {
        const s = tree.nodes[i]?.span;
        return { i, from: Math.max(from, s?.start ?? 0), to: Math.min(to, s ? endOf(s) : 0) };
      })
      .filter((c) => c.to > c.from)
      .sort((a, b) => b.to - a.to || a.from - b.from);
    return { node, from, cursor: to, next: 0, order };
  };
  const out: Stretch[] = [];
  const stack = [open(tree.main, root.span.start, endOf(root.span))];
  while (stack.length > 0) {
    const work = stack[stack.length - 1];
    if (!work) break;
    let child = work.order[work.next];
    while (child && child.to > work.cursor) {
      work.next += 1;
      child = work.order[work.next];
    }
    if (!child) {
      if (work.cursor > work.from) out.push({ node: work.node, from: work.from, to: work.cursor });
      stack.pop();
      continue;
    }
    work.next += 1;
    if (work.cursor > child.to) out.push({ node: work.node, from: child.to, to: work.cursor });
    work.cursor = child.from;
    stack.push(open(child.i, child.from, child.to));
  }
  return out.reverse();
}

/** ns on the critical path by node; what is not on it is absent. */
export function onPath(path: readonly Stretch[]): ReadonlyMap<number, { readonly total: number; readonly parts: readonly Stretch[] }> {
  const out = new Map<number, { total: number; parts: Stretch[] }>();
  for (const s of path) {
    const entry = out.get(s.node) ?? { total: 0, parts: [] };
    entry.total += s.to - s.from;
    entry.parts.push(s);
    out.set(s.node, entry);
  }
  return out;
}

/** Calls between services inside one trace, as dependencies. */
export function callsOf(tree: SpanTree): readonly { readonly parent: string; readonly child: string; readonly calls: number; readonly errors: number; readonly longest: number }[] {
  const out = new Map<string, { parent: string; child: string; calls: number; errors: number; longest: number }>();
  for (const n of tree.nodes) {
    const above = tree.nodes[n.parent]?.span.service;
    if (above === undefined || above === n.span.service) continue;
    const key = `${above}\n${n.span.service}`;
    const edge = out.get(key) ?? { parent: above, child: n.span.service, calls: 0, errors: 0, longest: 0 };
    edge.calls += 1;
    edge.errors += n.span.status === "error" ? 1 : 0;
    edge.longest = Math.max(edge.longest, n.span.duration);
    out.set(key, edge);
  }
  return [...out.values()];
}

/** Round marks from 0, at most six, for an axis of this many ns. */
export function timeMarks(duration: number): readonly number[] {
  if (duration <= 0) return [0];
  const base = 10 ** Math.floor(Math.log10(duration));
  const step = [base / 5, base / 2, base, base * 2].find((s) => duration / s <= 5.5) ?? base * 2;
  return Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => i * step);
}
