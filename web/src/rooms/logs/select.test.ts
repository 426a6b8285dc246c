import { describe, expect, it } from "vitest";

import { flatten, parseSource, pathOf, tickOf, tree, type LogPlace } from "./select";

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
