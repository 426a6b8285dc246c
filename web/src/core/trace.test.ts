import { describe, expect, it } from "vitest";

import { callsOf, criticalPath, fastSpans, onPath, rowsOf, timeMarks, treeOf, type Span } from "./trace";

const span = (id: string, parent: string | null, start: number, duration: number, more: Partial<Span> = {}): Span => ({
  id, parent, start, duration, service: "a", name: id, kind: "internal", status: "unset", statusText: "", cluster: "", namespace: "", workloadKind: "", workload: "", pod: "", container: "", node: "", attributes: {}, resource: {}, scope: "", events: [], links: [], ...more,
});
const names = (spans: Span[], folded: string[] = []) => {
  const tree = treeOf(spans);
  return rowsOf(tree, new Set(folded)).map((i) => `${"·".repeat(tree.nodes[i]?.depth ?? 0)}${tree.nodes[i]?.span.id ?? ""}`);
};
const path = (spans: Span[]) => criticalPath(treeOf(spans)).map((s) => `${spans[s.node]?.id ?? ""} ${s.from}-${s.to}`);

describe("the tree", () => {
  it("sets children below their parents by start, whatever the order they came in", () => {
    expect(names([span("c", "b", 5, 1), span("d", "a", 3, 1), span("b", "a", 4, 5), span("a", null, 0, 10)])).toEqual(["a", "·d", "·b", "··c"]);
    expect(names([span("a", null, 0, 10), span("b", "a", 1, 2), span("c", "b", 1, 1)], ["b"])).toEqual(["a", "·b"]);
  });
  it("keeps a span whose parent is missing, and says so", () => {
    const tree = treeOf([span("a", null, 0, 10), span("b", "gone", 1, 2)]);
    expect([tree.roots, tree.main, tree.orphans, tree.nodes[1]?.orphan]).toEqual([[0, 1], 0, 1, true]);
  });
  it("takes the first orphan when there is no root", () => expect(treeOf([span("b", "x", 5, 2), span("c", "x", 1, 2)]).main).toBe(1));
  it("cuts circles, and a span that is its own parent", () => {
    expect(names([span("a", "b", 0, 1), span("b", "a", 1, 1), span("c", "c", 2, 1)]).sort()).toEqual(["a", "c", "·b"].sort());
  });
  it("hangs children of an id that stands twice below the side that served", () => {
    const tree = treeOf([span("s", null, 0, 10, { kind: "client" }), span("s", null, 1, 8, { kind: "server" }), span("c", "s", 2, 1)]);
    expect(tree.nodes[2]?.parent).toBe(1);
  });
  it("says how far a child stands outside of its parent", () => {
    const tree = treeOf([span("a", null, 10, 10), span("b", "a", 7, 5), span("c", "a", 15, 9)]);
    expect(tree.nodes.map((n) => [n.early, n.late])).toEqual([[0, 0], [3, 0], [0, 4]]);
    expect(tree.skewed).toBe(1);
  });
  it("counts what is below, and carries failures up", () => {
    const tree = treeOf([span("a", null, 0, 10), span("b", "a", 1, 2), span("c", "b", 1, 1, { status: "error" }), span("d", "a", 4, 1)]);
    expect(tree.nodes.map((n) => [n.below, n.failing])).toEqual([[3, true], [1, true], [0, true], [0, false]]);
    expect([...fastSpans(tree, 0.5)]).toEqual([]);
  });
  it("folds what was fast and did not fail", () => expect([...fastSpans(treeOf([span("a", null, 0, 100), span("b", "a", 1, 0.5), span("c", "b", 1, 0.2), span("d", "a", 4, 50)]), 0.01)]).toEqual(["b"]));
  it("stands a chain of a hundred thousand spans", () => {
    const chain = Array.from({ length: 100_000 }, (_, i) => span(String(i), i === 0 ? null : String(i - 1), i, 200_000 - i * 2));
    const tree = treeOf(chain);
    expect([rowsOf(tree, new Set()).length, tree.nodes[99_999]?.depth, criticalPath(tree).length > 0]).toEqual([100_000, 99_999, true]);
  });
});

describe("the critical path", () => {
  it("is the span itself where no child runs", () => expect(path([span("a", null, 0, 10), span("b", "a", 2, 3)])).toEqual(["a 0-2", "b 2-5", "a 5-10"]));
  it("of two at once is the one that ended last", () => expect(path([span("a", null, 0, 10), span("b", "a", 1, 8), span("c", "a", 1, 3)])).toEqual(["a 0-1", "b 1-9", "a 9-10"]));
  it("goes on before the last child with the one that ended before it began", () => expect(path([span("a", null, 0, 10), span("b", "a", 0, 4), span("c", "a", 5, 5), span("d", "a", 3, 3)])).toEqual(["b 0-4", "a 4-5", "c 5-10"]));
  it("goes down", () => expect(path([span("a", null, 0, 10), span("b", "a", 1, 8), span("c", "b", 2, 6)])).toEqual(["a 0-1", "b 1-2", "c 2-8", "b 8-9", "a 9-10"]));
  it("cuts children to their parents, and leaves out what lies outside", () => expect(path([span("a", null, 5, 5), span("b", "a", 2, 5), span("c", "a", 9, 9), span("d", "a", 20, 5)])).toEqual(["b 5-7", "a 7-9", "c 9-10"]));
  it("covers the root whole and never twice", () => {
    const spans = [span("a", null, 0, 1000), ...Array.from({ length: 200 }, (_, i) => span(`s${i}`, i % 3 === 0 ? "a" : `s${Math.floor(i / 2)}`, (i * 37) % 900, 10 + ((i * 13) % 200)))];
    const all = criticalPath(treeOf(spans));
    expect(all.reduce((n, s) => n + s.to - s.from, 0)).toBe(1000);
    all.forEach((s, i) => expect(s.from).toBe(i === 0 ? 0 : all[i - 1]?.to));
    expect([...onPath(all).values()].reduce((n, e) => n + e.total, 0)).toBe(1000);
  });
  it("of nothing is nothing", () => expect(criticalPath(treeOf([]))).toEqual([]));
});

it("counts calls between services", () => {
  expect(callsOf(treeOf([span("a", null, 0, 10), span("b", "a", 1, 2, { service: "b", status: "error" }), span("c", "a", 4, 5, { service: "b" }), span("d", "c", 5, 1, { service: "b" })]))).toEqual([{ parent: "a", child: "b", calls: 2, errors: 1, longest: 5 }]);
});

it("marks an axis at round times", () => {
  expect([timeMarks(5_090_000_000), timeMarks(180), timeMarks(0)]).toEqual([[0, 1e9, 2e9, 3e9, 4e9, 5e9], [0, 50, 100, 150], [0]]);
});
