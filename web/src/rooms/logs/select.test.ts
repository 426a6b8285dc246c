import { describe, expect, it } from "vitest";

import type { LogSource, ProblemRow } from "../../api/types";
import { concerns, flatten, parseSource, pathOf, tickOf, tree, type LogPlace } from "./select";

const place = (pod: string, container = "app"): LogPlace => ({ cluster: "prod", namespace: "shop", workload_kind: "Deployment", workload: "web", pod, container, state: "running", restarts: 0, bytes: 10 });
const docker: LogPlace = { cluster: "host-1", namespace: "", workload_kind: "", workload: "", pod: "", container: "db", state: "running", restarts: 0, bytes: 5 };

describe("log sources", () => {
  it("stand in the address and mean the same to the server", () => {
    expect(parseSource("prod")).toEqual({ cluster: "prod", all_containers: true });
    expect(parseSource("prod/shop")).toEqual({ cluster: "prod", namespace: "shop", all_containers: true });
    expect(parseSource("prod/shop/Deployment/web")).toEqual({ cluster: "prod", namespace: "shop", workload_kind: "Deployment", workload: "web", all_containers: true });
    expect(parseSource("prod/shop/Pod/web-1/app")).toEqual({ cluster: "prod", namespace: "shop", pod: "web-1", container: "app" });
    expect(parseSource("host-1/-/Container/db")).toEqual({ cluster: "host-1", container: "db" });
    for (const broken of ["", "a/b/c", "a/b/c/d/e/f"]) expect(parseSource(broken)).toBeNull();
  });
  it("every node of the tree is a source that can be chosen", () => {
    for (const p of [place("web-1"), docker]) for (const id of pathOf(p)) expect(parseSource(id)).not.toBeNull();
  });
  it("the tree sums what is below and is cut by what is typed", () => {
    const all = tree([place("web-1"), place("web-1", "proxy"), place("web-2"), docker], "");
    expect(all.map((n) => [n.name, n.bytes, n.sources])).toEqual([["host-1", 5, 1], ["prod", 30, 3]]);
    expect(flatten(tree([place("web-1"), place("web-2")], "web-2"), new Set(), true).map((n) => n.name)).toEqual(["prod", "shop", "web", "2", "app"]);
  });
  it("a chosen parent ticks its children, a chosen child half-ticks its parents", () => {
    const [prod] = tree([place("web-1"), place("web-2")], "");
    const web = prod?.children[0]?.children[0];
    if (!prod || !web) throw new Error("the tree lost its workload");
    expect(tickOf(web, ["prod/shop/Deployment/web"], false)).toBe("on");
    expect(tickOf(prod, ["prod/shop/Deployment/web"], false)).toBe("half");
    expect(tickOf(web, ["prod/shop/Pod/web-1"], false)).toBe("half");
    expect(tickOf(web, [], true)).toBe("on");
    expect(tickOf(web, [], false)).toBe("");
  });
});

it("hears of alerts on its own pod, workload and node alone", () => {
  const source = { cluster: "prod", namespace: "shop", workload: "web", pod: "web-7c-x1", node: "n1" } as LogSource;
  const alert = (kind: string, name: string, namespace = "shop", cluster = "prod"): boolean => concerns({ cluster, object: { kind, name, namespace } } as ProblemRow, source);
  expect([alert("Pod", "web-7c-x1"), alert("Deployment", "web"), alert("ReplicaSet", "web-7c"), alert("Node", "n1", "")]).toEqual([true, true, true, true]);
  expect([alert("Pod", "web-7c-x2"), alert("Deployment", "we"), alert("Deployment", "web", "other"), alert("Node", "n2", ""), alert("Deployment", "web", "shop", "stage")]).toEqual([false, false, false, false, false]);
});
