import { describe, expect, it } from "vitest";

import type { Cluster, Container, Object as KubeObject } from "../../api/types";
import { keeps, matchesText, rows, sorted, type Filters } from "./rows";

const container = (limit: number | null, restarts = 0): Container => ({ name: "app", id: "", image: "", role: "main", state: "running", reason: "", message: "", ready: true, restarts, memory_limit: limit, memory_request: 10, cpu_limit: 1, cpu_request: 0.1 });
const object = (kind: string, name: string, more: Partial<KubeObject> = {}): KubeObject => ({ cluster_id: "c1", cluster: "prod", kind, api_version: "", namespace: "shop", name, uid: `${kind}-${name}`, health: { state: "ok", available: "yes", converged: "yes", ready: 1, wanted: 1, reasons: [] }, columns: {}, ...more });
const cluster = (status: string): Cluster => ({ id: "c1", name: "prod", kind: "kubernetes", status, platform: "", uid: "", tier: "observe", created_ms: 0, nodes_ready: 0, nodes: 0, pods_ready: 0, pods: 0, agents_connected: 0, agents: 0, cpu: {}, memory: {}, state: "ok", warnings: [] });
const all: Filters = { text: "", state: [], kind: [], clusters: [], namespaces: [] };
const web = { kind: "Deployment", namespace: "shop", name: "web", uid: "Deployment-web" };

const fleet: readonly KubeObject[] = [
  object("Deployment", "web"),
  object("Deployment", "api", { health: { state: "crit", available: "no", converged: "stalled", ready: 0, wanted: 2, reasons: [] } }),
  object("Pod", "web-1", { workload: web, containers: [container(100, 2)] }),
  object("Pod", "web-2", { workload: { ...web, uid: "" }, containers: [container(100, 1)] }),
  object("Pod", "lone", { containers: [container(null)] }),
];
const usage = new Map([["Pod-web-1", { cpu: 0.2, memory: 40 }], ["Pod-web-2", { cpu: 0.1, memory: 90 }], ["Pod-lone", { cpu: 0.5, memory: 7 }]]);

describe("workload rows", () => {
  it("join pods with their workload, also when its UID is not known, and put trouble first", () => {
    const out = rows({ objects: fleet, clusters: [cluster("connected")], usage });
    expect(out.map((r) => [r.object.name, r.pods.length, r.restarts, r.state])).toEqual([["api", 0, 0, "crit"], ["lone", 1, 0, "ok"], ["web", 2, 3, "ok"]]);
  });
  it("have a pod stand for itself when its workload may not be seen", () => {
    const out = rows({ objects: fleet.filter((o) => o.name !== "web"), clusters: [cluster("connected")], usage });
    expect(out.map((r) => [r.object.name, r.object.kind])).toEqual([["api", "Deployment"], ["lone", "Pod"], ["web-1", "Pod"], ["web-2", "Pod"]]);
  });
  it("show the tightest pod, and no limit where one container has none", () => {
    const out = rows({ objects: fleet, clusters: [cluster("connected")], usage });
    expect(out.find((r) => r.object.name === "web")?.memory).toEqual({ used: 90, requested: 10, limit: 100 });
    expect(out.find((r) => r.object.name === "lone")?.memory).toEqual({ used: 7, requested: 10, limit: null });
  });
  it("mark everything of a silent cluster as unknown, never as well", () => {
    expect(rows({ objects: fleet, clusters: [cluster("disconnected")], usage }).every((r) => r.stale && r.state === "unknown")).toBe(true);
  });
  it("filter by words, by not-words and by facets", () => {
    const out = rows({ objects: fleet, clusters: [cluster("connected")], usage });
    const names = (f: Partial<Filters>): string[] => out.filter((r) => keeps(r, { ...all, ...f })).map((r) => r.object.name);
    expect(names({ text: "deployment -api" })).toEqual(["web"]);
    expect(names({ state: ["crit"] })).toEqual(["api"]);
    expect(names({ kind: ["!Pod"] })).toEqual(["api", "web"]);
    expect(out.filter((r) => keeps(r, { ...all, state: ["crit"] }, "state"))).toHaveLength(3);
    expect(matchesText(out[0] ?? ({} as never), " ")).toBe(true);
  });
  it("sort by what was asked and by trouble among equals", () => {
    const out = rows({ objects: fleet, clusters: [cluster("connected")], usage });
    expect(sorted(out, "memory").map((r) => r.object.name)).toEqual(["web", "lone", "api"]);
    expect(sorted(out, "restarts")[0]?.object.name).toBe("web");
  });
});
