// A made-up fleet for working on the interface without a server: five clusters, two Docker hosts, one incident. Development only.
const uid = (text) => {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0;
  const hex = (n) => ((Math.imul(h ^ n, 2654435761) >>> 0) + 0x100000000).toString(16).slice(1);
  return `${hex(1)}-${hex(2).slice(0, 4)}-4${hex(3).slice(0, 3)}-a${hex(4).slice(0, 3)}-${hex(5)}${hex(6).slice(0, 4)}`;
};
let seed = 7;
export const random = () => ((seed = (Math.imul(seed ^ (seed >>> 15), 2246822519) + 0x9e3779b9) | 0) >>> 0) / 4294967296;
const NOW = Date.now();
const MIN = 60_000;
const MI = 1024 * 1024;
const letters = "bcdfghjklmnpqrstvwxz2456789";
const suffix = (n) => Array.from({ length: n }, () => letters[Math.floor(random() * letters.length)]).join("");

const CLUSTERS = [
  ["prod-eu-1", "kubernetes", "kubernetes v1.36.2", "debug", 42, "connected"],
  ["prod-us-1", "kubernetes", "kubernetes v1.36.1", "debug", 38, "connected"],
  ["prod-ap-1", "kubernetes", "kubernetes v1.35.6", "observe", 16, "connected"],
  ["staging-eu", "kubernetes", "kubernetes v1.36.2", "debug", 9, "connected"],
  ["edge-fra", "kubernetes", "kubernetes v1.35.4", "observe", 3, "disconnected"],
  ["build-host-1", "docker", "docker 29.1", "debug", 1, "connected"],
  ["db-legacy-2", "docker", "docker 27.5", "observe", 1, "connected"],
];
export const clusters = CLUSTERS.map(([name, kind, platform, tier, nodes, status]) => ({
  id: uid(`cluster ${name}`), name, kind, platform, tier, status, uid: uid(`kube-system ${name}`), created_ms: NOW - 11 * 86400e3, last_seen_ms: status === "connected" ? NOW : NOW - 7 * MIN - 17e3,
  nodes, nodes_ready: nodes, pods: 0, pods_ready: 0, agents: kind === "kubernetes" ? nodes + 2 : 1, agents_connected: status === "connected" ? (kind === "kubernetes" ? nodes + 1 : 1) : 0,
  cpu: { used: 0, requested: null, allocatable: nodes * 16 }, memory: { used: 0, requested: null, allocatable: nodes * 64 * 1024 * MI }, log_lines_per_s: status === "connected" ? nodes * 880 : null,
  data_age_ms: status === "connected" ? 4000 : 7 * MIN + 17e3, state: "ok", warnings: [],
}));
const cluster = (name) => clusters.find((c) => c.name === name);

export const objects = [];
export const usage = new Map();
export const workloads = [];
const reason = (code, object, text, quote, source, ago) => ({ code, object, text, quote, source, at_ms: NOW - ago });
const link = (o) => ({ kind: o.kind, namespace: o.namespace, name: o.name, uid: o.uid });
const health = (state, available, converged, ready, wanted, reasons = []) => ({ state, available, converged, ready, wanted, reasons });

for (const c of clusters) {
  for (let i = 0; c.kind !== "docker" && i < c.nodes; i += 1) {
    const name = c.name.startsWith("prod-us") ? `gke-pool-${"abc"[i % 3]}-${(0x7f00 + i * 33).toString(16)}` : `ip-10-${c.name.length}-${10 + i * 3}-${12 + i}`;
    const bad = c.name === "prod-us-1" && i === 2;
    const o = { cluster_id: c.id, cluster: c.name, kind: "Node", api_version: "v1", namespace: "", name, uid: uid(`${c.name} node ${i}`), created_ms: NOW - (40 + i) * 86400e3, columns: { roles: i === 0 ? "control-plane" : "", version: c.platform.split(" ")[1], os: "Debian GNU/Linux 13", cpu_allocatable: "16", memory_allocatable: "64Gi" }, health: health("ok", "yes", "yes", 1, 1) };
    if (bad) {
      c.nodes_ready -= 1;
      c.state = "crit";
      o.health = health("crit", "no", "no", 0, 1, [reason("node_not_ready", link(o), "Node is not ready", "PLEG is not healthy: pleg was last seen active 3m12s ago; threshold is 3m0s", "condition", 6 * MIN)]);
    }
    objects.push(o);
  }
  if (c.kind === "docker") objects.push({ cluster_id: c.id, cluster: c.name, kind: "Node", api_version: "v1", namespace: "", name: c.name, uid: uid(`${c.name} node`), created_ms: NOW - 90 * 86400e3, columns: { os: "Debian GNU/Linux 13", version: c.platform }, health: health("ok", "yes", "yes", 1, 1) });
}
const nodesOf = (c) => objects.filter((o) => o.kind === "Node" && o.cluster_id === c.id);

function workload(name, kind, ns, clusterName, wanted, opts = {}) {
  const c = cluster(clusterName);
  const state = opts.state ?? "ok";
  const ready = opts.ready ?? wanted;
  const o = { cluster_id: c.id, cluster: c.name, kind, api_version: "apps/v1", namespace: ns, name, uid: uid(`${clusterName}/${ns}/${kind}/${name}`), created_ms: NOW - (opts.age ?? 200) * 86400e3, columns: { ready: String(ready), desired: String(wanted), images: `registry.acme.example/${name}:${opts.tag ?? "1.4.0"}`, strategy: "RollingUpdate" } };
  o.health = health(state, opts.available ?? (state === "ok" ? "yes" : state === "move" ? "coming" : "no"), opts.converged ?? (state === "move" ? "no" : "yes"), ready, wanted, (opts.reasons ?? (() => []))(link(o)));
  objects.push(o);
  workloads.push(o);
  const nodes = nodesOf(c);
  const hash = suffix(9);
  for (let i = 0; i < (opts.pods ?? wanted); i += 1) {
    const bad = i >= ready;
    const pod = { cluster_id: c.id, cluster: c.name, kind: "Pod", api_version: "v1", namespace: ns, name: kind === "StatefulSet" ? `${name}-${i}` : `${name}-${bad ? "7c9f6d5b8" : hash}-${suffix(5)}`, uid: uid(`${o.uid} pod ${i}`), created_ms: NOW - (bad ? 25 * MIN : 29 * 3600e3), workload: link(o) };
    const limit = (opts.limitMi ?? 512) * MI;
    const restarts = bad ? (opts.restarts ?? [7, 6, 4])[i - ready] ?? 1 : 0;
    const crash = bad && opts.crash;
    pod.columns = { phase: bad && !crash ? "Pending" : "Running", ready: bad ? "0/1" : "1/1", restarts: String(restarts), node: nodes[(i * 7 + name.length) % nodes.length].name, ip: `10.1.${i}.${name.length}` };
    pod.containers = [{ name: "app", id: uid(`${pod.uid} c`).replaceAll("-", ""), image: o.columns.images, role: "main", state: crash ? "waiting" : bad ? "waiting" : "running", reason: crash ? "CrashLoopBackOff" : bad ? (opts.waits ?? "ContainerCreating") : "", message: crash ? "back-off 5m0s restarting failed container=app" : "", ready: !bad, restarts, exit_code: crash ? 137 : null, started_ms: NOW - 29 * 3600e3, cpu_request: 0.25, cpu_limit: 1, memory_request: limit * 0.5, memory_limit: bad && crash ? 256 * MI : limit }];
    pod.health = crash ? health("crit", "no", "stalled", 0, 1, [reason("crash_loop", link(pod), "Container app is in CrashLoopBackOff", "back-off 5m0s restarting failed container=app", "container", 21 * MIN), reason("oom_killed", link(pod), "memory limit hit", "OOMKilled, exit 137: working set 256Mi of limit 256Mi", "container", 22 * MIN)]) : bad ? health(state === "ok" ? "move" : state, state === "warn" || state === "crit" ? "no" : "coming", "no", 0, 1) : health("ok", "yes", "yes", 1, 1);
    objects.push(pod);
    c.pods += 1;
    if (!bad) c.pods_ready += 1;
    const cpu = (opts.cpu ?? 0.2 + random() * 0.5) * (crash ? 0.45 : 1);
    const memory = crash ? (256 - i) * MI : limit * (opts.memory ?? 0.4 + random() * 0.25);
    usage.set(pod.uid, { cluster: c.id, cpu, memory });
    c.cpu.used += cpu;
    c.memory.used += memory;
  }
  return o;
}

workload("checkout", "Deployment", "payments", "prod-eu-1", 6, { state: "crit", ready: 3, crash: true, converged: "stalled", tag: "2.32.0", memory: 0.59, cpu: 0.66, reasons: (o) => [reason("unavailable", o, "3 of 6 pods available", "Deployment does not have minimum availability.", "condition", 22 * MIN), reason("deadline", { ...o, kind: "ReplicaSet", name: "checkout-7c9f6d5b8" }, "Rollout stopped progressing", 'ReplicaSet "checkout-7c9f6d5b8" has timed out progressing.', "condition", 15 * MIN), reason("crash_loop", { ...o, kind: "Pod", name: "checkout-7c9f6d5b8-x2kvq" }, "3 pods in CrashLoopBackOff", "back-off 5m0s restarting failed container=app", "container", 21 * MIN), reason("oom_killed", { ...o, kind: "Pod", name: "checkout-7c9f6d5b8-x2kvq" }, "memory limit hit", "OOMKilled, exit 137: working set 256Mi of limit 256Mi", "container", 22 * MIN)] });
workload("payments-db", "StatefulSet", "payments", "prod-eu-1", 3, { cpu: 0.85, limitMi: 8192, memory: 0.72, age: 400 });
workload("kafka", "StatefulSet", "streaming", "prod-us-1", 3, { state: "warn", ready: 2, cpu: 0.44, limitMi: 12288, memory: 0.68, reasons: (o) => [reason("not_ready", o, "2 of 3 pods ready", "", "condition", 41 * MIN), reason("unschedulable", { ...o, kind: "Pod", name: "kafka-2" }, "kafka-2 cannot be scheduled", "0/38 nodes are available: 38 node(s) had volume node affinity conflict", "event", 41 * MIN)] });
workload("ledger-export", "CronJob", "finance", "prod-eu-1", 0, { state: "warn", available: "no", pods: 0, age: 214, reasons: (o) => [reason("job_failed", o, "2 runs failed", "", "condition", 130 * MIN), reason("image_pull", { ...o, kind: "Pod", name: "ledger-export-29411-k8m2x" }, "image cannot be pulled", "failed to pull registry.acme.example/ledger:1.9.0: 401 Unauthorized", "container", 130 * MIN)] });
workload("gateway", "Deployment", "edge", "prod-us-1", 9, { state: "warn", available: "yes", cpu: 0.88, memory: 0.51, limitMi: 1024, reasons: (o) => [reason("at_maximum", { ...o, kind: "HorizontalPodAutoscaler" }, "at its maximum", "ScalingLimited: the desired replica count is more than the maximum replica count (9)", "condition", 18 * MIN)] });
workload("mailer", "Deployment", "notify", "prod-eu-1", 4, { state: "warn", ready: 3, restarts: [2], cpu: 0.085, limitMi: 256, memory: 0.63, waits: "ErrImagePull" });
workload("report-ui", "Deployment", "bi", "staging-eu", 4, { state: "warn", ready: 2, restarts: [1, 0], cpu: 0.031 });
for (const [n, ns, w] of [["search-api", "search", 12], ["recommend", "web", 8], ["image-proxy", "edge", 8], ["wishlist", "web", 4]]) workload(n, "Deployment", ns, "prod-us-1", w, { state: "move", ready: w - 1, restarts: [0] });
workload("nightly-etl", "CronJob", "bi", "prod-ap-1", 0, { state: "off", available: "suspended", pods: 0, age: 220 });
workload("edge-cache", "Deployment", "edge", "edge-fra", 6);
workload("edge-router", "DaemonSet", "edge", "edge-fra", 3);
const words = "cart fraud events ledger inventory catalog profile pricing shipping invoices sessions audit billing notify reviews coupons media assets search-index feed webhooks reports metrics-proxy auth tokens mailbox geo tax returns stock vendors gift loyalty promos banners content cms forms survey chat".split(" ");
const spaces = ["payments", "web", "search", "finance", "streaming", "notify", "bi", "edge", "platform", "kube-system"];
for (const [c, total] of [["prod-eu-1", 1184], ["prod-us-1", 1022], ["prod-ap-1", 388], ["staging-eu", 240], ["edge-fra", 61]]) {
  for (let i = 0; cluster(c).pods < total; i += 1) workload(`${words[i % words.length]}${i < words.length ? "" : `-${Math.floor(i / words.length)}`}`, ["Deployment", "Deployment", "StatefulSet", "Deployment", "DaemonSet"][i % 5], spaces[i % spaces.length], c, Math.min(total - cluster(c).pods, 2 + ((i * 5) % 14)), { age: 3 + ((i * 37) % 600) });
}
for (const c of clusters.filter((x) => x.kind === "docker")) {
  for (let i = 0; i < (c.name === "build-host-1" ? 24 : 11); i += 1) {
    const name = `${c.name === "build-host-1" ? "runner" : "pg"}-${i + 1}`;
    const o = { cluster_id: c.id, cluster: c.name, kind: "Container", api_version: "docker", namespace: "", name, uid: uid(`${c.name} ${name}`).replaceAll("-", ""), created_ms: NOW - (i + 1) * 86400e3, columns: { image: "docker.io/library/postgres:17", status: "running" }, containers: [{ name, id: "x", image: "postgres:17", role: "main", state: "running", reason: "", message: "", ready: true, restarts: 0, memory_limit: 2048 * MI, cpu_limit: 2 }], health: health("ok", "yes", "yes", 1, 1) };
    objects.push(o);
    c.pods += 1;
    c.pods_ready += 1;
    usage.set(o.uid, { cluster: c.id, cpu: 0.3 + random(), memory: (400 + random() * 900) * MI });
    c.cpu.used += 0.4;
    c.memory.used += 900 * MI;
  }
}
for (const c of clusters) {
  c.cpu.used = Math.min(c.cpu.used * 1.2, c.cpu.allocatable * 0.8);
  c.cpu.requested = c.kind === "kubernetes" ? Math.min(c.cpu.allocatable * 0.86, c.cpu.used * 1.3 + c.cpu.allocatable * 0.1) : null;
  c.memory.used = Math.min(c.memory.allocatable * 0.78, c.memory.used * 2.1 + c.memory.allocatable * 0.3);
  c.memory.requested = c.kind === "kubernetes" ? Math.min(c.memory.allocatable * 0.88, c.memory.used * 1.15) : null;
}
for (const ns of spaces) for (const c of clusters.filter((x) => x.kind === "kubernetes")) objects.push({ cluster_id: c.id, cluster: c.name, kind: "Namespace", api_version: "v1", namespace: "", name: ns, uid: uid(`${c.name} ns ${ns}`), created_ms: NOW - 400 * 86400e3, columns: {}, health: health("ok", "n/a", "yes", 0, 0) });

export const problems = objects
  .filter((o) => (o.kind !== "Pod" || !o.workload) && (o.health.state === "crit" || o.health.state === "warn") && o.health.reasons.length > 0)
  .map((o) => ({ id: `p-${o.uid.slice(0, 8)}`, state: o.health.state, cluster_id: o.cluster_id, cluster: o.cluster, object: link(o), effect: o.kind === "Node" ? "NotReady · 31 pods" : o.health.wanted > 0 ? (o.health.ready < o.health.wanted ? `${o.health.ready} of ${o.health.wanted} available` : o.health.reasons[0].text) : o.health.reasons[0].text, chain: o.health.reasons.slice(-3), pods: o.kind === "Node" ? 31 : Math.max(0, o.health.wanted - o.health.ready), since_ms: o.health.reasons[0].at_ms }));
problems.push({ id: "p-edge", state: "unknown", cluster_id: cluster("edge-fra").id, cluster: "edge-fra", object: { kind: "Cluster", namespace: "", name: "edge-fra", uid: cluster("edge-fra").id }, effect: "no data", chain: [{ code: "link_lost", object: { kind: "Cluster", namespace: "", name: "edge-fra", uid: "" }, text: "the link is silent", quote: "tunnel closed by peer; retry 12 in 9 s", source: "event", at_ms: NOW - 7 * MIN }], pods: 61, since_ms: NOW - 7 * MIN - 17e3 });

export const agents = clusters.flatMap((c) => {
  const one = (node, kind, i) => ({ id: uid(`${c.name} agent ${kind} ${i}`), kind, cluster_id: c.id, cluster: c.name, node, version: c.name === "edge-fra" ? "0.0.9" : "0.1.0", platform: "linux/amd64", status: c.status === "connected" && !(c.name === "prod-us-1" && i === 2) ? "connected" : "disconnected", connected_since_ms: NOW - 11 * 86400e3 - i * 1000, last_seen_ms: c.status === "connected" ? NOW - 3000 : NOW - 7 * MIN, ping_ms: c.status === "connected" ? 36 + i : null, tier: c.tier, sources: [{ name: "kubelet", last_success_ms: NOW - 4000, last_error: "", fix: "", facts: {} }, { name: "cgroups", last_success_ms: NOW - 4000, last_error: "", fix: "", facts: {} }, { name: "logs", last_success_ms: NOW - 2000, last_error: c.name === "staging-eu" && i === 1 ? "/var/log/pods: permission denied (mode 0750, owner root)" : "", fix: c.name === "staging-eu" && i === 1 ? "Run the node-agent as uid 0, or allow its group." : "", facts: {} }], warnings: [], queue_bytes: 0, rss_bytes: (18 + i % 4) * MI });
  const nodes = nodesOf(c).map((n, i) => one(n.name, c.kind === "kubernetes" ? "node" : "host", i));
  return c.kind === "kubernetes" ? [one("", "cluster", 900), ...nodes] : nodes;
});

export const events = [
  [10.6, "change", "gateway", "Deployment", "edge", "prod-us-1", "Scaled", "HPA 6 to 9 replicas"],
  [25.1, "change", "checkout", "Deployment", "payments", "prod-eu-1", "RolledOut", "#49 to 2.32.0, limits.memory 512Mi to 256Mi"],
  [33.5, "change", "feature-flags", "ConfigMap", "payments", "prod-eu-1", "Changed", "ConfigMap, 2 keys"],
  [41, "change", "prod-ap-1", "Node", "", "prod-ap-1", "Joined", "node pool 15 to 16"],
  [48, "change", "search-api", "Deployment", "search", "prod-us-1", "RolledOut", "#112, 4.8.0 to 4.8.1"],
  [0.2, "Warning", "checkout-7c9f6d5b8-x2kvq", "Pod", "payments", "prod-eu-1", "BackOff", "Back-off restarting failed container app", 38],
  [15, "Warning", "checkout", "Deployment", "payments", "prod-eu-1", "ProgressDeadlineExceeded", 'ReplicaSet "checkout-7c9f6d5b8" has timed out progressing.', 1],
  [22.6, "Warning", "checkout-7c9f6d5b8-x2kvq", "Pod", "payments", "prod-eu-1", "OOMKilling", "Memory cgroup out of memory: Killed process 2841 (checkout)", 17],
  [24, "Warning", "checkout-7c9f6d5b8-lm8dw", "Pod", "payments", "prod-eu-1", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 9],
  [25, "Normal", "checkout", "Deployment", "payments", "prod-eu-1", "ScalingReplicaSet", "Scaled up replica set checkout-7c9f6d5b8 to 3", 2],
].map(([ago, type, name, kind, ns, c, why, message, times = 1], i) => ({ cluster_id: cluster(c).id, cluster: c, uid: uid(`event ${i}`), at_ms: NOW - ago * MIN, first_ms: NOW - ago * MIN, count: times, type, reason: why, action: "", message, namespace: ns, object_kind: kind, object_name: name, object_uid: uid(`${c}/${ns}/${kind}/${name}`), reporter: "deployment-controller", node: "" }));

const ACTS = [["exec.open", "pod payments/checkout-5d8b7f9c4-hw2rc container app", "prod-eu-1", "allow", "debug.exec"], ["logs.query", "payments, 3 containers", "prod-eu-1", "allow", "logs.read"], ["exec.open", "pod kube-system/etcd-0 container etcd", "prod-ap-1", "deny", "tier.observe"], ["cluster.join", "cluster prod-ap-2", "", "allow", "clusters.manage"], ["sign_in.password", "user oncall@acme.example", "", "allow", "password"], ["agent.enrol", "agent of node ip-10-8-1-4", "prod-ap-1", "allow", "join.single-use"], ["key.create", "API key ci", "", "allow", "keys.manage"]];
export const audit = Array.from({ length: 64 }, (_, i) => {
  const [action, object, c, decision, rule] = ACTS[(i * 5) % ACTS.length];
  const outcome = i % 4 === 3;
  const h = uid(`audit ${i}`).replaceAll("-", "") + uid(`audit x${i}`).replaceAll("-", "");
  return { seq: 18204 - i, at_ms: NOW - (i * 47 + 40) * 1000, actor: ["user:oncall@acme.example", "key:ci-deploy", "user:platform@acme.example", "system", "agent:prod-ap-1"][(i * 3) % 5], client: ["web", "cli", "api", "server", "agent"][(i * 3) % 5], ip: "198.51.100.17", user_agent: "Mozilla/5.0", request_id: uid(`req ${i}`).slice(0, 13), action: outcome && action === "exec.open" ? "exec.close" : action, cluster: c, object, target_uid: "", decision: outcome ? "" : decision, rule, state: outcome ? "ok" : "", detail: action === "exec.open" ? { argv: ["/bin/sh"], tty: true, ...(outcome ? { exit_code: 0, bytes: 4211 } : {}) } : { rows: 300, filter: "level>=warn" }, decision_seq: outcome ? 18203 - i : null, prev: uid(`audit ${i + 1}`).replaceAll("-", "") + uid(`audit x${i + 1}`).replaceAll("-", ""), hash: h };
});
export { cluster, uid, link };
