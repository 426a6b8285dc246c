// Curves for the charts of the made-up world. Development only.
import { objects, usage } from "./world.mjs";

const MI = 1024 * 1024;
function noise(seed, n, base, amplitude) {
  let s = seed;
  let w = 0;
  return Array.from({ length: n }, () => {
    s = (Math.imul(s ^ (s >>> 15), 2246822519) + 0x9e3779b9) | 0;
    w = w * 0.82 + ((s >>> 0) / 4294967296 - 0.5) * amplitude;
    return Math.max(0, base + w);
  });
}

export function metricsOf(of, id, start, end) {
  const step = Math.max(15_000, Math.ceil((end - start) / 240 / 15_000) * 15_000);
  const n = Math.floor((end - start) / step) + 1;
  const object = objects.find((o) => o.uid === id);
  const pods = of === "workloads" ? objects.filter((o) => o.workload?.uid === id) : of === "pods" ? objects.filter((o) => o.uid === id) : [];
  const crash = (p) => p.containers?.[0]?.reason === "CrashLoopBackOff";
  const at = (i) => start + i * step;
  const change = Date.now() - 25 * 60_000;
  const saw = (seed) => Array.from({ length: n }, (_, i) => { const t = at(i) - change - seed * 9000; if (t < 0) return null; const f = (t % 290_000) / 150_000; return f > 1 ? null : (60 + 196 * f ** 0.7) * MI; });
  const labels = (p) => ({ pod: p.name });
  const node = of === "nodes";
  const mem = node ? [{ labels: {}, points: noise(5, n, 38_000 * MI, 900 * MI) }] : pods.slice(0, 8).map((p, i) => ({ labels: labels(p), points: crash(p) ? saw(i) : noise(21 + i, n, usage.get(p.uid)?.memory ?? 3e8, 14 * MI) }));
  const cpu = node ? [{ labels: {}, points: noise(6, n, 7.2, 1.4) }] : pods.slice(0, 8).map((p, i) => ({ labels: labels(p), points: crash(p) ? noise(31 + i, n, 0.3, 0.3).map((v, k) => (at(k) < change ? null : v)) : noise(31 + i, n, usage.get(p.uid)?.cpu ?? 0.3, 0.08) }));
  const restarts = pods.some(crash) ? [{ labels: {}, points: Array.from({ length: n }, (_, i) => (at(i) < change ? 0 : (i * 7) % 5 === 0 ? 2 : 0)) }] : [{ labels: {}, points: Array.from({ length: n }, () => 0) }];
  const chart = (metric, title, unit, shown, series, lines = []) => ({ metric, title, unit, shown, series, lines });
  const charts = [
    chart(node ? "k8s.node.cpu.usage" : "k8s.pod.cpu.usage", "CPU", "{cpu}", "value", cpu, node ? [{ kind: "allocatable", value: 16 }] : [{ kind: "limit", value: 1 }]),
    chart(node ? "k8s.node.memory.working_set" : "k8s.pod.memory.working_set", "Memory", "By", "value", mem, node ? [{ kind: "allocatable", value: 64 * 1024 * MI }] : [{ kind: "limit", value: 256 * MI }]),
    ...(node ? [] : [chart("k8s.container.restarts", "Restarts", "{restart}", "rate", restarts)]),
    chart("network", "Network", "By/s", "rate", [{ labels: { direction: "receive" }, points: noise(41, n, 3e6, 6e5) }, { labels: { direction: "transmit" }, points: noise(42, n, 1.7e6, 4e5).map((v, i) => (i > n * 0.3 && i < n * 0.35 ? null : v)) }]),
    ...(node ? [chart("disk", "Disk", "By/s", "rate", [{ labels: { direction: "read" }, points: noise(51, n, 8e5, 6e5) }, { labels: { direction: "write" }, points: noise(52, n, 2e6, 9e5) }])] : []),
  ];
  return { start_ms: start, end_ms: end, step_ms: step, charts: object ? charts : [], newest_ms: Date.now() - 4000 };
}
