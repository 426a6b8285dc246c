import { expect, it } from "vitest";

import { BOARDS, type Panel } from "./boardList";
import { fillable, filled, fills, idsOf, spelling } from "./boards";
import { tokens } from "./promql";

const panel: Panel = { title: "CPU", unit: "{cpu}", expr: "sum by (@pod) (rate(#k8s.pod.cpu.time[$rate]))" };

it("finds a metric by its own name and by those that follow from it", () => {
  expect([
    spelling("k8s.pod.cpu.time", new Set(["k8s.pod.cpu.time"])), spelling("k8s.pod.cpu.time", new Set(["k8s_pod_cpu_time_seconds_total"])), spelling("a.b", new Set(["a_b_bytes"])),
    spelling("pilothouse.span.duration.bucket", new Set(["pilothouse_span_duration_seconds_bucket"])), spelling("a.b", new Set(["a_c"])),
  ]).toEqual(["k8s.pod.cpu.time", "k8s_pod_cpu_time_seconds_total", "a_b_bytes", "pilothouse_span_duration_seconds_bucket", null]);
});

it("writes a panel in the server's spelling, narrowed by the scope", () => {
  const short = { metrics: new Set(["k8s_pod_cpu_time_seconds_total"]), labels: new Set(["pod", "namespace"]), variables: ["cluster", "namespace"] as const, values: { cluster: ["c"], namespace: ["a", "b"] } };
  expect(filled(panel, short)).toBe('sum by (pod) (rate(k8s_pod_cpu_time_seconds_total{namespace=~"a|b"}[$rate]))');
  const dotted = { metrics: new Set(["k8s.pod.cpu.time"]), labels: new Set(["k8s.pod.name"]), variables: [], values: {} };
  expect(filled(panel, dotted)).toBe('sum by ("k8s.pod.name") (rate({"k8s.pod.cpu.time"}[$rate]))');
});

it("keeps the panel's own matchers", () => {
  expect(filled({ ...panel, expr: 'sum(#a.b{state="used"})' }, { metrics: new Set(["a.b"]), labels: new Set(["cluster"]), variables: ["cluster"], values: { cluster: ["x"] } })).toBe('sum({"a.b", state="used", cluster="x"})');
});

it("gives nothing when a metric or label is not there", () => {
  expect(filled(panel, { metrics: new Set(["k8s.pod.cpu.time"]), labels: new Set(), variables: [], values: {} })).toBeNull();
  expect(filled(panel, { metrics: new Set(), labels: new Set(["pod"]), variables: [], values: {} })).toBeNull();
});

it("offers boards that can show something, and says how much they cannot", () => {
  const two = { id: "x", title: "", says: "", variables: [], panels: [panel, { ...panel, expr: "#no.such" }] };
  expect(fillable([two], new Set(["k8s.pod.cpu.time"]))).toEqual([{ board: two, panels: [panel], missing: 1 }]);
  expect(fillable([two], new Set())).toEqual([]);
  expect(fills(panel, new Set(["k8s_pod_cpu_time"]))).toBe(true);
});

it("every panel of the list can be written when all is there", () => {
  for (const board of BOARDS) {
    for (const one of board.panels) {
      const labels = new Set(["cluster", "namespace", "pod", "container", "container_name", "node", "host_name", "deployment", "statefulset", "daemonset", "hpa", "persistentvolumeclaim", "service_name", "direction", "state"]);
      const text = filled(one, { metrics: new Set(idsOf(one).map((i) => i.replaceAll(".", "_"))), labels, variables: board.variables, values: { cluster: ["c"], namespace: ["n"] } });
      expect([one.title, text]).toEqual([one.title, expect.not.stringMatching(/[#@]/)]);
      const brackets = tokens(text ?? "").filter((t) => t.kind === "bracket").map((t) => t.text);
      expect([one.title, brackets.filter((b) => "([{".includes(b)).length]).toEqual([one.title, brackets.length / 2]);
    }
  }
});
