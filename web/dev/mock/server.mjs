// Answers the interface's questions from a made-up world, so that rooms can be worked on without a server. Development only.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

import { boardsApi } from "./boards.mjs";
import { download, fault, logComplete, logCount, logLines, logPage, logSources, logViews, openDownload, openLogs, serveLogs } from "./logs.mjs";
import { metricsOf } from "./metrics.mjs";
import { promApi } from "./prometheus.mjs";
import { tracesApi } from "./traces.mjs";
import { agents, audit, cluster, clusters, events, objects, problems, usage, workloads } from "./world.mjs";

const PORT = Number(process.env.PORT ?? 8000);
const DIST = join(fileURLToPath(new URL(".", import.meta.url)), "../../dist");
const me = { user_id: "u1", email: "oncall@acme.example", name: "On call", org: { id: "o1", slug: "acme", name: "Acme", status: "active" }, role: "owner", permissions: ["dashboards.edit", "dashboards.read"], has_password: true, session: { id: "s1", created_ms: 0, last_used_ms: 0, expires_ms: 0, ip: "", user_agent: "", client: "browser", current: true }, server_time_ms: Date.now(), version: "0.1.0" };
let signedIn = process.env.SIGNED_OUT !== "1";
const joins = new Map();

function summary(names) {
  const list = clusters.filter((c) => names.length === 0 || names.includes(c.name));
  const sum = (of) => list.reduce((n, c) => n + (of(c) ?? 0), 0);
  return { clusters: list.filter((c) => c.kind === "kubernetes").length, hosts: list.filter((c) => c.kind !== "kubernetes").length, agents_connected: sum((c) => c.agents_connected), agents: sum((c) => c.agents), nodes_ready: sum((c) => c.nodes_ready), nodes: sum((c) => c.nodes), pods_ready: sum((c) => c.pods_ready) - Math.floor(Math.random() * 3), pods: sum((c) => c.pods), pods_by_phase: {}, containers: 3000, problems: {}, cpu_used: sum((c) => c.cpu.used) * (0.97 + Math.random() * 0.06), cpu_allocatable: sum((c) => c.cpu.allocatable), memory_used: sum((c) => c.memory.used) * (0.99 + Math.random() * 0.02), memory_allocatable: sum((c) => c.memory.allocatable), log_lines_per_s: sum((c) => c.log_lines_per_s) * (0.9 + Math.random() * 0.2), samples_per_s: 48_000 * (0.95 + Math.random() * 0.1), newest_ms: 4000, oldest_ms: 437_000, oldest_source: "edge-fra", updated_ms: Date.now() };
}

function podField() {
  return clusters.filter((c) => c.kind === "kubernetes").map((c) => {
    const mine = workloads.filter((w) => w.cluster_id === c.id);
    const pods = objects.filter((o) => o.kind === "Pod" && o.cluster_id === c.id);
    const index = new Map(mine.map((w, i) => [w.uid, i]));
    return { cluster_id: c.id, cluster: c.name, connected: c.status === "connected", states: pods.map((p) => ({ ok: "o", move: "m", warn: "w", crit: "c" })[p.health.state] ?? "u").join(""), uids: pods.map((p) => p.uid), workload: pods.map((p) => index.get(p.workload?.uid) ?? -1), workloads: mine.map((w) => ({ kind: w.kind, namespace: w.namespace, name: w.name, uid: w.uid })) };
  });
}

function checks(id) {
  const started = joins.get(id) ?? Date.now() - 90_000;
  const age = Date.now() - started;
  const steps = [["token", "Join token used", "spent by the first agent", 8], ["link", "Agent connected", "version 0.1.0, 41 ms away", 9], ["identity", "Cluster recognised", "key enrolled for this cluster's UID", 10], ["inventory", "Inventory read", "28 namespaces, 388 pods, 16 kinds", 14], ["nodes", "Node agents connected", "2 of 3 node-agents connected", 70], ["metrics", "Metrics arrive", "newest sample 3 s old", 80], ["logs", "Logs arrive", "newest line 1 s old", 95]];
  return steps.map(([step, title, evidence, at]) => ({ id: step, title, state: age > at * 1000 ? "done" : step === "nodes" && age > 16_000 ? "waiting" : "waiting", evidence: age > at * 1000 || step === "nodes" ? evidence : "", at_ms: age > at * 1000 ? started + at * 1000 : null, fix: step === "nodes" && age > 16_000 && age < 70_000 ? "ip-10-8-1-9 pulls the image" : "", fix_command: "" }));
}

const json = (response, status, body) => {
  response.writeHead(status, { "content-type": status >= 400 ? "application/problem+json" : "application/json" });
  response.end(body === undefined ? "" : JSON.stringify(body));
};
const problem = (status, kind, detail, next) => ({ type: "about:blank", title: kind, status, kind, detail, next_step: next, request_id: "mock" });

async function api(request, response, url) {
  const path = url.pathname.slice("/api/v1".length);
  const q = url.searchParams;
  let raw = "";
  for await (const chunk of request) raw += chunk;
  const body = raw ? JSON.parse(raw) : {};
  if (path === "/auth/methods") return json(response, 200, { password: true, first_start: false });
  if (path === "/auth/link") { signedIn = true; return json(response, 200, { ...me, has_password: false }); }
  if (path === "/auth/sign-in") { if (body.password !== "correct horse") return json(response, 401, problem(401, "unauthenticated", "e-mail or password is wrong", "try again, or ask for a one-time link")); signedIn = true; return json(response, 200, me); }
  if (!signedIn) return json(response, 401, problem(401, "unauthenticated", "not signed in", "sign in"));
  if (path === "/me") return json(response, 200, me);
  if (path === "/me/password") return json(response, 204);
  if (path.startsWith("/sessions/")) { signedIn = false; return json(response, 204); }
  if (path === "/summary") return json(response, 200, summary(q.get("cluster")?.split(",") ?? []));
  if (path === "/podfield") return json(response, 200, podField());
  if (path === "/clusters" && request.method === "POST") {
    if (clusters.some((c) => c.name === body.name)) return json(response, 422, problem(422, "invalid", `a cluster is called ${body.name} already`, "choose another name"));
    const made = { ...clusters[0], id: `c-${body.name}`, name: body.name, kind: body.kind, tier: body.tier, status: "waiting", nodes: 0, pods: 0 };
    joins.set(made.id, Date.now());
    return json(response, 200, { cluster: made, join_token: "phj_x", expires_ms: Date.now() + 15 * 60_000, manifests: "apiVersion: v1\nkind: Namespace", command: `kubectl apply -f - <<'END'\n# namespace, two agents, rights of tier ${body.tier}, our CA,\n# and the one-use token, which never stands in an address or an argument\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: pilothouse\n${Array.from({ length: 210 }, (_, i) => `# line ${i}`).join("\n")}\nEND` });
  }
  if (/^\/clusters\/[^/]+\/checks$/.test(path)) return json(response, 200, checks(decodeURIComponent(path.split("/")[2])));
  if (path.startsWith("/clusters/") && request.method === "DELETE") return json(response, 200, { revoked_agents: 3, command: "kubectl delete namespace pilothouse" });
  if (path === "/events") {
    const types = q.get("type")?.split(",");
    const object = q.get("object");
    const named = objects.find((o) => o.uid === object);
    const found = events.filter((e) => (!types || types.includes(e.type)) && (!named || (e.cluster === named.cluster && e.object_name.startsWith(named.name))) && e.at_ms >= Number(q.get("from") ?? 0));
    return json(response, 200, { items: found.sort((a, b) => b.at_ms - a.at_ms) });
  }
  if (path === "/audit") { const found = audit.filter((r) => (!q.get("actor") || r.actor.includes(q.get("actor"))) && (!q.get("action") || r.action.startsWith(q.get("action"))) && (!q.get("decision") || r.decision === q.get("decision"))); return json(response, 200, { items: found, total: found.length }); }
  if (path === "/audit/verify") return json(response, 200, { intact: true, rows: 18204, head_seq: 18204, head_hash: audit[0].hash, broken_at: null, reason: "", checked_ms: Date.now() });
  if (/^\/(nodes|pods|workloads|containers)\/[^/]+\/metrics$/.test(path)) return json(response, 200, metricsOf(path.split("/")[1], path.split("/")[2], Number(q.get("start")), Number(q.get("end"))));
  if (/^\/objects\/[^/]+\/[^/]+$/.test(path)) { const o = objects.find((x) => x.uid === path.split("/")[3]); return o ? json(response, 200, { object: o, yaml: `apiVersion: ${o.api_version}\nkind: ${o.kind}\nmetadata:\n  name: ${o.name}\n  namespace: ${o.namespace}\nspec:\n  replicas: ${o.health.wanted}\n`, owners: [], data_age_ms: 2000 }) : json(response, 404, problem(404, "not_found", "no such object")); }
  const traced = tracesApi(path, q);
  if (traced) return json(response, traced[0], traced[0] >= 400 ? problem(traced[0], traced[1].kind, traced[1].detail, traced[1].next_step) : traced[1]);
  if (path === "/logs/sources") return json(response, 200, { sources: logSources(body.sources ?? []), gaps: [] });
  const wrong = body.filter?.expr ? fault(body.filter.expr) : null;
  if (wrong) return json(response, 422, problem(422, "invalid", wrong.text, wrong.suggestion));
  if (path === "/logs/query") { const page = logPage(body); return page.problem ? json(response, page.problem[0], problem(...page.problem)) : json(response, 200, page); }
  if (path === "/logs/count") return json(response, 200, logCount(body));
  if (path === "/logs/complete") return json(response, 200, logComplete(body));
  if (path.startsWith("/logs/lines/")) return json(response, 200, logLines(decodeURIComponent(path.slice("/logs/lines/".length)), Number(q.get("before") ?? 5), Number(q.get("after") ?? 5)));
  if (path === "/logs/downloads") return json(response, 201, openDownload(body));
  if (path.startsWith("/logs/downloads/")) { const text = download(path.split("/").at(-1)); if (text === null) return json(response, 404, problem(404, "not_found", "no such download")); response.writeHead(200, { "content-type": "text/plain" }); return void response.end(text); }
  if (path === "/logs/views" || path.startsWith("/logs/views/")) { const answer = logViews(request.method, path.split("/")[3], body); return answer === null ? json(response, 204) : json(response, 200, answer); }
  if (path === "/dashboards" || path.startsWith("/dashboards/")) { const [status, answer] = boardsApi(request.method, path, q, body); return json(response, status, status >= 400 ? problem(status, answer.kind, answer.detail, answer.next_step) : answer); }
  if (path === "/logs/streams") return json(response, 201, openLogs(body));
  if (path === "/debug/exec") {
    if (cluster(body.cluster)?.tier === "observe") return json(response, 403, problem(403, "denied", `cluster ${body.cluster} allows tier observe; exec needs debug`, "raise the tier in the cluster"));
    return json(response, 201, { tty_id: "t1", container: body.container ?? "app", pod_uid: body.pod_uid, node: "ip-10-4-31-12", expires_ms: Date.now() + 60_000, audit_seq: 18205 });
  }
  return json(response, 404, problem(404, "not_found", `no route ${path}`));
}

const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";
const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/api/v1")) return void api(request, response, url).catch((e) => json(response, 500, problem(500, "internal", String(e))));
  if (url.pathname.startsWith("/prometheus/api/v1")) {
    const answer = promApi(url.pathname.slice("/prometheus/api/v1".length), url.searchParams);
    return void (answer ? json(response, answer[0], answer[1]) : json(response, 404, problem(404, "not_found", "no such route")));
  }
  const file = join(DIST, url.pathname);
  const found = extname(url.pathname) !== "" && existsSync(file) ? file : join(DIST, "index.html");
  response.writeHead(200, { "content-type": TYPES[extname(found)] ?? "application/octet-stream", "content-security-policy": CSP });
  createReadStream(found).pipe(response);
});

function stateOf(channel) {
  const [kind, rest = ""] = channel.split(/:(.*)/s);
  const set = (items, key) => items.map((value) => ({ key: key(value), value }));
  if (kind === "clusters") return set(clusters, (c) => c.id);
  if (kind === "agents") return set(agents, (a) => a.id);
  if (kind === "problems") return set(problems, (p) => p.id);
  const [id, what] = rest.split("/");
  if (kind === "objects") return set(objects.filter((o) => o.cluster_id === id && o.kind === what), (o) => o.uid);
  if (kind === "metrics") return [...usage].filter(([, u]) => u.cluster === id).flatMap(([pod, u]) => ["cpu.usage", "memory.working_set"].map((m, i) => ({ key: `${pod} ${m}`, value: { metric: `k8s.pod.${m}`, labels: { "k8s.pod.uid": pod }, at_ms: Date.now(), value: i === 0 ? u.cpu : u.memory } })));
  return [];
}

const live = new WebSocketServer({ noServer: true, handleProtocols: (set) => [...set][0] });
live.on("connection", (socket) => {
  const channels = new Map();
  const send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame));
  socket.on("message", (data) => {
    const ask = JSON.parse(String(data));
    if (ask.t === "ping") return send({ t: "pong", at: Date.now() });
    if (ask.t === "unsub") return channels.delete(ask.id);
    channels.set(ask.id, { ch: ask.ch, offset: 1 });
    send({ t: "snap", id: ask.id, epoch: 1, offset: 1, resume: "r", at: Date.now(), state: stateOf(ask.ch) });
  });
  const timer = setInterval(() => {
    for (const [id, c] of channels) {
      if (c.ch !== "clusters") continue;
      c.offset += 1;
      send({ t: "delta", id, offset: c.offset, resume: "r", at: Date.now(), set: clusters.slice(0, 4).map((x) => ({ key: x.id, value: { ...x, data_age_ms: 3000 + Math.floor(Math.random() * 3000) } })), del: [] });
    }
  }, 2000);
  socket.on("close", () => clearInterval(timer));
});

const tty = new WebSocketServer({ noServer: true, handleProtocols: (set) => [...set][0] });
tty.on("connection", (socket) => {
  let sequence = 0;
  let line = "";
  const out = (text) => {
    const body = Buffer.from(text);
    const frame = Buffer.alloc(9 + body.length);
    frame[0] = 1;
    frame.writeBigUInt64BE(BigInt(sequence), 1);
    body.copy(frame, 9);
    sequence += body.length;
    socket.send(frame);
  };
  out("root@checkout-5d8b7f9c4-hw2rc:/app# ");
  socket.on("message", (data) => {
    if (data[0] !== 0) return;
    for (const c of data.subarray(1).toString()) {
      if (c === "\r") {
        out("\r\n");
        if (line === "id") out("uid=0(root) gid=0(root) groups=0(root)\r\n");
        if (line === "exit") { const s = Buffer.from(JSON.stringify({ exit_code: 0, reason: "" })); socket.send(Buffer.concat([Buffer.from([3]), s])); socket.close(1000); return; }
        line = "";
        out("root@checkout-5d8b7f9c4-hw2rc:/app# ");
      } else {
        line += c;
        out(c);
      }
    }
  });
});

const logs = new WebSocketServer({ noServer: true, handleProtocols: (set) => [...set][0] });
logs.on("connection", serveLogs);

server.on("upgrade", (request, socket, head) => {
  const path = new URL(request.url, "http://localhost").pathname;
  const room = path === "/api/v1/live" ? live : path.startsWith("/api/v1/debug/tty/") ? tty : logs;
  room.handleUpgrade(request, socket, head, (ws) => room.emit("connection", ws, path.split("/").at(-1)));
});
server.listen(PORT, "127.0.0.1", () => console.log(`mock server on http://127.0.0.1:${server.address().port}`));
