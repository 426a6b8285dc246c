import { expect, it } from "vitest";

import { MOST_NODES, serviceMap, type Call } from "./serviceMap";

const call = (parent: string, child: string, more: Partial<Call> = {}): Call => ({ parent, child, kind: "call", calls: 1, errors: 0, ...more });
const drawn = (calls: Call[]) => Object.fromEntries(serviceMap(calls).nodes.map((n) => [n.name, `${n.column}.${n.row}`]));

it("sets callers left of what they call, by the longest way", () => {
  expect(drawn([call("a", "b"), call("b", "c"), call("a", "c")])).toEqual({ a: "0.0", b: "1.0", c: "2.0" });
});
it("stands circles and calls of oneself", () => {
  expect(drawn([call("a", "b"), call("b", "a"), call("b", "b")])).toEqual({ a: "0.0", b: "1.0" });
  expect(drawn([call("x", "y"), call("y", "z"), call("z", "y")])).toEqual({ x: "0.0", y: "1.0", z: "2.0" });
});
it("orders a column by its callers", () => {
  expect(drawn([call("a", "z"), call("b", "y")])).toEqual({ a: "0.0", b: "0.1", z: "1.0", y: "1.1" });
});
it("counts what a service took, and knows a database from how it is called", () => {
  expect(serviceMap([call("a", "db", { kind: "database", calls: 3, errors: 1 }), call("b", "db", { kind: "database", calls: 4 })]).nodes.find((n) => n.name === "db")).toMatchObject({ kind: "database", calls: 7, errors: 1 });
});
it("over sixty services shows two calls around one, and says what is hidden", () => {
  const chain = Array.from({ length: MOST_NODES + 10 }, (_, i) => call(`s${String(i).padStart(3, "0")}`, `s${String(i + 1).padStart(3, "0")}`));
  const map = serviceMap(chain, "s030");
  expect([map.nodes.map((n) => n.name), map.hidden]).toEqual([["s028", "s029", "s030", "s031", "s032"], MOST_NODES + 11 - 5]);
});
it("of nothing is nothing", () => expect(serviceMap([])).toMatchObject({ nodes: [], columns: 0, rows: 0 }));
