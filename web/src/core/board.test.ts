import { expect, it } from "vitest";

import type { BoardSpec, BoardVariable } from "../api/types";
import { blankPanel, chosenOf, copyOf, faultsOf, filledIn, freeTitle, legendOf, levelOf, moved, normal, printChoices, readChoices, refusals, standing, tableOf, variablesIn, wider, writtenPlace } from "./board";
import { BOARDS } from "./boardList";

const chosen = new Map<string, readonly string[]>([["one", ["a.b"]], ["two", ["x", "y+"]], ["all", []], ["by", ["pod", "node"]]]);

it("puts what is chosen in the place of variables, as the comparison needs it", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['up{a="$one"}', 'up{a="a.b"}'],
    ['up{a=~"$one"}', 'up{a=~"a\\\\.b"}'],
    ['up{a="$two"}', 'up{a=~"(x|y\\\\+)"}'],
    ['up{a!="$two"}', 'up{a!~"(x|y\\\\+)"}'],
    ['up{a=~"${two}-.*", b="c"}', 'up{a=~"(x|y\\\\+)-.*", b="c"}'],
    ['up{a="v1.$two"}', 'up{a=~"v1\\\\.(x|y\\\\+)"}'],
    ['up{a="$all"}', 'up{a=~".*"}'],
    ["up{a=~`$one`}", "up{a=~`a\\.b`}"],
    ["sum by ($by) (up)", "sum by (pod, node) (up)"],
    ['rate(x{a="$one"}[$rate]) / $__range', 'rate(x{a="a.b"}[$rate]) / $__range'],
    ['label_replace(x, "a", "$1", "b", "(.*)")', 'label_replace(x, "a", "$1", "b", "(.*)")'],
    ['x{a="$unknown"}', 'x{a="$unknown"}'],
  ];
  for (const [written, filled] of cases) expect([written, filledIn(written, chosen)]).toEqual([written, filled]);
});

it("keeps a value that looks like code a value", () => {
  const odd = new Map([["v", ['"} or vector(1) #']]]);
  expect(filledIn('up{a="$v"}', odd)).toBe('up{a="\\"} or vector(1) #"}');
  expect(filledIn("up{a='$v'}", new Map([["v", ["it's"]]]))).toBe("up{a='it\\'s'}");
});

it("chooses by the address, else by the preset, else all", () => {
  const v = (name: string, more: Partial<BoardVariable>): BoardVariable => ({ name, kind: "label_values", label: "l", query: "", values: [], multi: true, preset: [], ...more });
  const all = [v("cluster", { kind: "cluster" }), v("pod", { preset: ["p"] }), v("job", {}), v("q", { kind: "list", values: ["0.5", "0.9"], multi: false }), v("many", { kind: "list", values: ["a", "b"] })];
  const scope = { clusters: ["c1", "c2"], namespaces: [] };
  expect([...chosenOf(all, {}, scope)]).toEqual([["cluster", ["c1", "c2"]], ["pod", ["p"]], ["job", []], ["q", ["0.5"]], ["many", ["a", "b"]]]);
  expect([...chosenOf(all, { pod: [], q: ["0.9"], job: ["x", "y"] }, scope)].slice(1, 4)).toEqual([["pod", []], ["job", ["x", "y"]], ["q", ["0.9"]]]);
});

it("writes choices into the address and reads them back", () => {
  const choices = { pod: ["a,b", "c;d=e"], by: [], ü: ["100 %"] };
  expect(readChoices(printChoices(choices))).toEqual(choices);
  expect(readChoices("x=%zz;;=a;b")).toEqual({ x: ["%zz"] });
  expect([readChoices(undefined), printChoices({})]).toEqual([{}, undefined]);
});

it("says where a fault of the filled-in text stands in the written one", () => {
  expect(writtenPlace("sum(up", "sum(up", { from: 3, to: 6 })).toEqual({ from: 3, to: 6 });
  expect(writtenPlace('sum(up{a="$one"}', 'sum(up{a="a.b"}', { from: 3, to: 6 })).toEqual({ from: 3, to: 6 });
  expect(writtenPlace('up{a="$one"}) x', 'up{a="a.b"}) x', { from: 11, to: 12 })).toEqual({ from: 6, to: 15 });
});

it("names series by their legend", () => {
  expect([legendOf("{{ pod }} of {{k8s.node}}", { pod: "p", "k8s.node": "n" }), legendOf("{{none}}", {}), legendOf(" ", { pod: "p" })]).toEqual(["p of n", "", null]);
});

it("takes the highest threshold that is reached", () => {
  const all = [{ value: 80, level: "warn", label: "" }, { value: 100, level: "crit", label: "" }] as const;
  expect([79, 80, 99.9, 100, 500, null].map((v) => levelOf(v, all))).toEqual([null, "warn", "warn", "crit", "crit", null]);
});

it("puts series of several queries into rows by their labels", () => {
  const line = (query: string, labels: Record<string, string>, last: number) => ({ query, labels, key: `${query}${JSON.stringify(labels)}`, points: [last] });
  const table = tableOf([
    { letter: "A", lines: [line("A", { __name__: "x", pod: "p1", ns: "n" }, 1), line("A", { __name__: "x", pod: "p2", ns: "n" }, 5)] },
    { letter: "B", lines: [line("B", { ns: "n", pod: "p1" }, 7), line("B", { ns: "n", pod: "p3" }, 2)] },
  ], (l) => l.points[0] ?? null);
  expect([table.labels, table.rows.map((r) => [...r.labels, ...r.values])]).toEqual([["pod"], [["p2", 5, null], ["p1", 1, 7], ["p3", null, 2]]]);
});

it("moves, sizes and names", () => {
  expect([moved(["a", "b", "c"], 0, 2), moved(["a", "b", "c"], 2, 0), moved(["a"], 0, 9)]).toEqual([["b", "c", "a"], ["c", "a", "b"], ["a"]]);
  expect([wider(6, 1), wider(12, 1), wider(3, -1), wider(2, -1), wider(5, 1)]).toEqual([8, 12, 2, 2, 6]);
  expect([freeTitle("Shop", []), freeTitle("Shop", ["Shop"]), freeTitle("Shop 2", ["Shop", "Shop 2"])]).toEqual(["Shop", "Shop 2", "Shop 3"]);
  expect(variablesIn('x{a="$a", b="${b}"}[$a]')).toEqual(["a", "b"]);
});

it("copies every board of the product so that it asks the same, with the scope as variables", () => {
  const pods = BOARDS.find((b) => b.id === "namespace-pods");
  if (!pods) throw new Error("no such board");
  const copy = copyOf(pods, new Set(["k8s_pod_cpu_time_seconds_total"]), new Set(["cluster", "namespace", "pod"]), "Mine");
  expect(copy.variables.map((v) => v.kind)).toEqual(["cluster", "namespace"]);
  expect(copy.panels[0]).toMatchObject({ title: "CPU", kind: "lines", unit: "{cpu}", queries: [{ expr: 'sum by (pod) (rate(k8s_pod_cpu_time_seconds_total{cluster=~"$cluster", namespace=~"$namespace"}[$rate]))' }] });
  expect(copy.panels[1]?.queries[0]?.expr).toContain('{"k8s.pod.memory.working_set", cluster=~"$cluster"');
  for (const board of BOARDS) {
    const made = copyOf(board, new Set(), new Set(), board.title);
    expect([board.id, made.panels.length, faultsOf(made)]).toEqual([board.id, board.panels.length, []]);
    for (const p of made.panels) expect(p.queries[0]?.expr).not.toMatch(/[#@]/);
  }
});

it("fills in what the server leaves out when it is empty", () => {
  const spec: BoardSpec = normal({ title: "x", panels: [{ title: "p", queries: [{ expr: "up" }] }], variables: [{ name: "a", kind: "cluster" }] });
  expect(spec).toEqual({ title: "x", says: "", variables: [{ name: "a", kind: "cluster", label: "", query: "", values: [], multi: false, preset: [] }], panels: [{ title: "p", heading: "", kind: "lines", unit: "", width: 6, min: null, max: null, queries: [{ expr: "up", legend: "" }], thresholds: [] }] });
});

it("says what a draft lacks before the server has to", () => {
  expect(faultsOf({ title: " ", says: "", variables: [], panels: [blankPanel()] }).map((f) => [f.panel, f.text])).toEqual([[null, "the board needs a title"], [0, "a query of New panel is empty"]]);
});

it("finds the query that a refusal is about, in code units, as long as it stands as it was sent", () => {
  const sent: BoardSpec = { ...normal({ title: "x" }), panels: [blankPanel(), { ...blankPanel(), queries: [{ expr: "up", legend: "" }, { expr: 'é{a="ü"', legend: "" }] }] };
  const found = refusals([{ path: "title", message: "is taken" }, { path: "panels/1/queries/1/expr", message: "unclosed", from: 3, to: 9 }, { path: "panels/9/queries/0/expr", message: "x" }, { path: "panels/1/queries/0/expr", message: "no place" }], sent);
  expect(found.map((r) => [r.panel, r.query, r.from, r.to, r.words])).toEqual([[1, 1, 2, 7, "unclosed"], [1, 0, 0, 2, "no place"]]);
  expect(refusals(undefined, sent)).toEqual([]);
  const mended = { ...sent, panels: sent.panels.map((p, i) => (i === 1 ? { ...p, queries: p.queries.map((q, n) => (n === 1 ? { ...q, expr: "up" } : q)) } : p)) };
  expect([standing(found, sent).length, standing(found, mended).map((r) => r.query)]).toEqual([2, [0]]);
});
