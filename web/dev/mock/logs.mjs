// Lines of the made-up world: pages backwards, a stream forwards, a gap and a restart in between. Development only.
import { objects } from "./world.mjs";

const pad = (n, w) => String(n).padStart(w, "0");
const stamp = (ms) => `${new Date(ms).toISOString().slice(0, -1)}${pad(Math.floor((ms * 7919) % 1_000_000), 6)}Z`;
const MESSAGES = [
  ["info", (i) => `order accepted order=ord_7d1e${pad((i * 37) % 4096, 4)} amount=${((i * 17) % 200) + 8}.40 ms=${38 + (i % 30)}`], ["info", (i) => `order accepted order=ord_7d1f${pad((i * 53) % 4096, 4)} amount=${((i * 29) % 90) + 3}.10 ms=${35 + (i % 12)}`],
  ["warn", (i) => `heap ${200 + (i % 55)}Mi of 256Mi, gc pause ${100 + (i % 90)} ms gc=major`], ["info", () => "pool resize ignored: max reached in_use=32 max=32"],
  ["error", (i) => `pool timeout after 5000 ms waiting for payments-db waiting=${40 + (i % 30)}`], ["error", (i) => `request failed status=503 route="POST /v1/checkout" trace=4bf92f${pad(i % 100, 2)}`],
  ["info", (i) => `{"level":"info","msg":"session refreshed","user":"u-${1000 + (i % 80)}","ms":${i % 20},"cache":{"hit":true}}`], ["debug", (i) => `pool wait queued position=${i % 60}`], ["warn", () => "pool saturated in_use=32 max=32 waiting=29"],
];

const sourceOf = (p) => ({ id: `${p.cluster_id}/${p.namespace}/${p.uid}/app`, cluster: p.cluster, namespace: p.namespace, workload_kind: p.workload?.kind ?? "", workload: p.workload?.name ?? "", pod: p.name, pod_uid: p.uid, container: p.containers[0].name, node: p.columns.node, state: p.containers[0].state === "running" ? "running" : "waiting", runs: [{ run: p.containers[0].restarts, segments: [{ file: `${p.containers[0].restarts}.log`, bytes: 18_442_107, gzip: false }] }], bytes: 18_442_107, first_ns: null, last_ns: null, lines_per_s: 12, restarts: p.containers[0].restarts });

export function logSources(selects) {
  const pods = objects.filter((o) => o.kind === "Pod");
  const fits = (p, s) => (!s.cluster || p.cluster === s.cluster) && (!s.namespace || p.namespace === s.namespace) && (!s.pod || p.name === s.pod) && (!s.workload || (p.workload?.name === s.workload && p.workload?.kind === s.workload_kind));
  const found = selects.length === 0 ? pods.filter((p) => ["payments", "streaming", "edge"].includes(p.namespace) && p.cluster.startsWith("prod")) : pods.filter((p) => selects.some((s) => fits(p, s)));
  return found.map(sourceOf);
}

const GAP_MS = 400;
function record(i, sources, base) {
  const at = base + i * GAP_MS;
  const n = ((i % 1000) + 1000) % 1000;
  const [level, text] = MESSAGES[(n * 7 + (n % 11)) % MESSAGES.length];
  return { ts: stamp(at), source: (n * 13) % Math.max(1, sources.length), stream: level === "error" ? "stderr" : "stdout", level, message: text(n), restart: 0, cursor: `pc1_${i}`, origin: "files" };
}
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];
const passes = (filter = {}) => (r) => (!filter.level || LEVELS.indexOf(r.level) >= LEVELS.indexOf(filter.level)) && (!filter.contains || r.message.includes(filter.contains)) && (!filter.excludes || !r.message.includes(filter.excludes)) && (!filter.stream || r.stream === filter.stream) && Object.entries(filter.fields ?? {}).every(([k, v]) => r.message.includes(`${k}=${v}`));

const BASE = Math.floor(Date.now() / 1000) * 1000;
const indexAt = (ms) => Math.floor((ms - BASE) / GAP_MS);
export function logPage(query) {
  const sources = logSources(query.sources);
  const limit = query.limit ?? 300;
  const end = query.before ? Number(query.before.slice(4)) : indexAt(query.to ? Number(query.to) : Date.now());
  const records = sources.length === 0 ? [] : Array.from({ length: limit }, (_, k) => record(end - limit + k, sources, BASE)).filter(passes(query.filter));
  const gapAt = stamp(BASE - 61_000);
  const inside = records.length > 0 && records[0].ts < gapAt && gapAt < records.at(-1).ts;
  return {
    sources, records, gaps: inside ? [{ kind: "rotated_away", source: 1, source_name: "lm8dw on ip-10-4-17-88", from: gapAt, to: stamp(BASE - 59_300), bytes: 120_000, lines: 1204, exact: true, text: "the file rotated twice before it was read" }] : [],
    markers: inside ? [{ kind: "ended", source: 0, restart: 6, at: stamp(BASE - 30_000), exit_code: 137, reason: "OOMKilled" }, { kind: "restarted", source: 0, restart: 7, at: stamp(BASE - 20_000), exit_code: null, reason: "" }] : [],
    next: `pp1_${end}`, prev: end < -6000 ? null : `pp1_${end - limit}`,
    summary: { sources_read: sources.length, sources_known: sources.length, files_read: sources.length, files_known: sources.length, scanned_bytes: 3.1e9, known_bytes: 3.2e9, lines: records.length, matches: records.length, cut_lines: 0, gaps: inside ? 1 : 0, oldest: null, stopped: "done", completeness: "proven", took_ms: 1400 },
  };
}

const open = new Map();
export function openLogs(query) {
  const id = `st${open.size + 1}`;
  open.set(id, query);
  return { id, expires_ms: Date.now() + 60_000 };
}

export function serveLogs(socket, id) {
  const query = open.get(id);
  if (!query) return socket.close(1008);
  const sources = logSources(query.sources);
  let i = query.after ? Number(query.after.slice(4)) : indexAt(Date.now()) - 50;
  const send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame));
  send({ t: "sources", sources });
  const timer = setInterval(() => {
    const to = indexAt(Date.now());
    if (to <= i || sources.length === 0) return;
    const records = Array.from({ length: to - i }, (_, k) => record(i + k, sources, BASE)).filter(passes(query.filter));
    i = to;
    send({ t: "batch", records, bytes: records.length * 120, next: `pp1_${to}` });
  }, 200);
  socket.on("close", () => clearInterval(timer));
}
