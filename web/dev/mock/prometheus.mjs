// A Prometheus API over made-up series, for work on the metrics room: enough of PromQL to tell counters, groups and faults apart.
const POD = ["checkout-5d8b7f9c4-vz9xm", "checkout-5d8b7f9c4-hw2rc", "checkout-5d8b7f9c4-q7n5k", "checkout-7c9f6d5b8-x2kvq", "checkout-7c9f6d5b8-lm8dw", "checkout-7c9f6d5b8-9tq4z", "payments-db-0", "cart-6f9-aa", "cart-6f9-bb", "fraud-1-cc"];
const METRICS = { k8s_pod_cpu_time_seconds_total: ["counter", "seconds", "CPU time of a pod."], k8s_pod_memory_working_set_bytes: ["gauge", "bytes", "Memory of a pod that cannot be freed."], k8s_pod_memory_limit_utilization_ratio: ["gauge", "ratio", "Working set as a share of the limit."], k8s_pod_network_io_bytes_total: ["counter", "bytes", "Bytes by direction."], k8s_container_restarts: ["gauge", "", "Restarts since the pod was made."], k8s_pod_phase: ["gauge", "", ""], k8s_node_cpu_time_seconds_total: ["counter", "seconds", "CPU time of a node."], k8s_node_memory_working_set_bytes: ["gauge", "bytes", ""], http_server_requests_total: ["counter", "", "Requests answered, by route and code."], up: ["gauge", "", "1 while the target answers."] };
const LABELS = ["__name__", "cluster", "namespace", "pod", "container", "node", "direction", "code", "job", "instance"];
const wave = (i, t) => 1 + 0.15 * Math.sin(t / 420 + i) + 0.06 * Math.sin(t / 37 + i * 3);

/** Cumulative buckets of waits: most around 200 ms, now and then a slow hour. */
const BOUNDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, Infinity];
const buckets = () => BOUNDS.map((le, i) => ({ labels: { le: le === Infinity ? "+Inf" : String(le) }, at: (t) => Math.round(BOUNDS.slice(0, i + 1).reduce((n, _, b) => n + 900 * wave(b, t) * Math.exp(-((b - 3.5 - 2 * Math.max(0, Math.sin(t / 1900))) ** 2) / 2), 0)) }));

function series(expr) {
  if (expr.includes("_bucket")) return buckets();
  const name = Object.keys(METRICS).find((m) => expr.includes(m)) ?? "up";
  const by = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(",").map((l) => l.trim()) ?? null;
  const all = POD.map((pod, i) => ({ labels: { __name__: name, cluster: "prod-eu-1", namespace: i < 6 ? "payments" : "shop", pod, node: `ip-10-4-31-${i % 3}`, direction: "receive", code: ["200", "503"][i % 2] }, i }));
  const only = /pod="([^"]+)"/.exec(expr)?.[1];
  const seen = new Map();
  for (const s of all) {
    if (only && s.labels.pod !== only) continue;
    const labels = by ? Object.fromEntries(by.map((l) => [l, s.labels[l] ?? ""])) : s.labels;
    if (!seen.has(JSON.stringify(labels))) seen.set(JSON.stringify(labels), { labels, i: s.i });
  }
  const scale = /bytes_total/.test(name) ? 4e5 : /bytes/.test(name) ? 3e8 : /ratio/.test(name) ? 0.6 : /cpu/.test(name) ? 0.4 : /requests/.test(name) ? 300 : 1;
  return [...seen.values()].map(({ labels, i }) => ({ labels, at: (t) => (i === 3 && t % 900 > 780 ? null : scale * (1 + i * 0.2) * wave(i, t)) }));
}

export function promApi(path, q) {
  if (path === "/label/__name__/values") return [200, { status: "success", data: Object.keys(METRICS) }];
  if (path === "/metadata") return [200, { status: "success", data: Object.fromEntries(Object.entries(METRICS).map(([n, [type, unit, help]]) => [n, [{ type, unit, help }]])) }];
  if (path === "/labels") return [200, { status: "success", data: LABELS }];
  const label = /^\/label\/([^/]+)\/values$/.exec(path)?.[1];
  if (label) return [200, { status: "success", data: { cluster: ["prod-eu-1", "prod-ap-1"], namespace: ["payments", "shop"], pod: POD, code: ["200", "503"] }[label] ?? [] }];
  const expr = q.get("query") ?? "";
  const open = (expr.match(/\(/g) ?? []).length - (expr.match(/\)/g) ?? []).length;
  if (open !== 0 && /format_query|query/.test(path)) return [400, { status: "error", errorType: "bad_data", error: `invalid parameter "query": 1:${expr.length + 1}: parse error: unclosed left parenthesis` }];
  if (path === "/format_query") return [200, { status: "success", data: expr }];
  if (path === "/query_range") {
    const [start, end, step] = ["start", "end", "step"].map((k) => Number(q.get(k)));
    const result = series(expr).map(({ labels, at }) => { const values = []; for (let t = start; t <= end; t += step) { const v = at(t); if (v !== null) values.push([t, String(v)]); } const { __name__, ...rest } = labels; return { metric: /[a-z]\(/.test(expr) ? rest : labels, values }; });
    return [200, { status: "success", data: { resultType: "matrix", result, stats: { timings: { evalTotalTime: 0.0046 }, samples: { totalQueryableSamples: result.length * 960 } } }, ...(/rate\(.*memory/.test(expr) ? { infos: ["metric might not be a counter, name does not end in _total/_sum/_count/_bucket (1:6)"] } : {}) }];
  }
  return null;
}
