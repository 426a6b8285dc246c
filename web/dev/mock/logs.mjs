// Lines of the made-up world: a log that is a function of the line's number, so that any page, either way, at any speed, is exact. `RATE` lines a second (default 2.5), `HISTORY` lines before the start (default 9,000). Development only.
import { objects } from "./world.mjs";

const RATE = Number(process.env.RATE ?? 2.5);
const HISTORY = Number(process.env.HISTORY ?? 9000);
const GAP_MS = 1000 / RATE;
const BASE = Math.floor(Date.now() / 1000) * 1000;
const OLDEST = -HISTORY;

const pad = (n, w) => String(n).padStart(w, "0");
const stamp = (ms) => { const whole = Math.floor(ms); return `${new Date(whole).toISOString().slice(0, -1)}${pad(Math.floor((ms - whole) * 1e6), 6)}Z`; };
const msOf = (text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text));
const MESSAGES = [
  ["info", (i) => `order accepted order=ord_7d1e${pad((i * 37) % 4096, 4)} amount=${((i * 17) % 200) + 8}.40 ms=${38 + (i % 30)}`], ["info", (i) => `order accepted order=ord_7d1f${pad((i * 53) % 4096, 4)} amount=${((i * 29) % 90) + 3}.10 ms=${35 + (i % 12)}`],
  ["warn", (i) => `heap ${200 + (i % 55)}Mi of 256Mi, gc pause ${100 + (i % 90)} ms gc=major`], ["info", () => "pool resize ignored: max reached in_use=32 max=32"],
  ["error", (i) => `pool timeout after 5000 ms waiting for payments-db waiting=${40 + (i % 30)} err.kind=PoolTimeout`], ["error", (i) => `request failed status=503 route="POST /v1/checkout" trace=4bf92f${pad(i % 100, 2)} err.kind=UpstreamReset`],
  ["info", (i) => `{"level":"info","msg":"session refreshed","user":"u-${1000 + (i % 80)}","ms":${i % 20},"cache":{"hit":true,"age":${i % 7}},"customer.email":"masked #a41f"}`], ["debug", (i) => `pool wait queued position=${i % 60}`], ["warn", () => "pool saturated in_use=32 max=32 waiting=29"],
  ["info", (i) => `\u001b[32mGET\u001b[0m /v1/orders/${i % 97} \u001b[1m200\u001b[0m \u001b[2m${i % 40} ms\u001b[0m`],
];
const TRACE = ["panic recovered: PoolTimeout", "\tat shop.Pool.take(Pool.java:214)", "\tat shop.Checkout.pay(Checkout.java:88)", "\tat shop.Checkout.submit(Checkout.java:41)", "Caused by: java.net.SocketTimeoutException: read timed out", "\t... 18 more"];

const sourceOf = (p) => ({ id: `${p.cluster_id}/${p.namespace}/${p.uid}/app`, cluster: p.cluster, namespace: p.namespace, workload_kind: p.workload?.kind ?? "", workload: p.workload?.name ?? "", pod: p.name, pod_uid: p.uid, container: p.containers[0].name, node: p.columns.node, zone: `${p.cluster.replace(/^prod-/, "")}${"abc"[(p.columns.node ?? "").length + (p.columns.node ?? "").charCodeAt((p.columns.node ?? "").length - 1) & 1]}`, state: p.containers[0].state === "running" ? "running" : "waiting", runs: [{ run: p.containers[0].restarts, segments: [{ file: "0.log.20261118-140955.gz", bytes: 2_420_107, gzip: true }, { file: `${p.containers[0].restarts}.log`, bytes: 18_442_107, gzip: false }] }], bytes: 20_862_214, first_ns: `${BASE + OLDEST * GAP_MS}000000`, last_ns: `${Date.now()}000000`, lines_per_s: 12, restarts: p.containers[0].restarts });

export function logSources(selects) {
  const pods = objects.filter((o) => o.kind === "Pod");
  const fits = (p, s) => (!s.cluster || p.cluster === s.cluster) && (!s.namespace || p.namespace === s.namespace) && (!s.pod || p.name === s.pod) && (!s.workload || (p.workload?.name === s.workload && p.workload?.kind === s.workload_kind));
  const found = selects.length === 0 ? pods.filter((p) => ["payments", "streaming", "edge"].includes(p.namespace) && p.cluster.startsWith("prod")) : pods.filter((p) => selects.some((s) => fits(p, s)));
  return found.map(sourceOf);
}

/** A cursor as the server makes it: cluster, run, key, offset, rewind; here the offset is the line's number. */
function cursorOf(i) {
  const b = Buffer.alloc(56);
  b.writeBigUInt64BE(BigInt(i - OLDEST), 36);
  return `pc1_${b.toString("base64url")}`;
}
const indexOfCursor = (text) => Number(Buffer.from(text.slice(4), "base64url").readBigUInt64BE(36)) + OLDEST;

function record(i, sources) {
  const n = (((i * 31) % 1009) + 1009) % 1009;
  const inTrace = ((i % 97) + 97) % 97;
  const trace = inTrace < TRACE.length;
  const repeat = ((i % 53) + 53) % 53 < 4;
  const [level, text] = trace ? ["error", () => TRACE[inTrace]] : repeat ? MESSAGES[8] : MESSAGES[(n * 7 + (n % 11)) % MESSAGES.length];
  const near = trace ? i - inTrace : repeat ? Math.floor(i / 53) : n;
  return { ts: stamp(BASE + i * GAP_MS), source: (Math.abs(near) * 13) % Math.max(1, sources.length), stream: level === "error" ? "stderr" : "stdout", level: trace && inTrace > 0 ? "unknown" : level, message: text(n), restart: 0, cursor: cursorOf(i), origin: "files" };
}

// ---- a small part of the filter language: terms that must all hold ----
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];
const TERM = /(not\s+|-)?(?:([\w.]+)\s*(>=|<=|!=|=~|=|:|>|<))?("(?:[^"\\]|\\.)*"|[^\s"]+)/g;
const unquote = (t) => (t.startsWith('"') ? t.slice(1, -1).replace(/\\(.)/g, "$1") : t);
export function fault(text) {
  const open = (text.match(/(?<!\\)"/g) ?? []).length % 2 === 1;
  if (open) return { from: text.lastIndexOf('"'), to: text.length, text: "a quotation mark is not closed", suggestion: `${text.slice(text.lastIndexOf('"'))}"` };
  const level = /level\s*>=\s*(\w*)/.exec(text);
  if (level && !LEVELS.includes(level[1])) return { from: level.index + level[0].length - level[1].length, to: level.index + level[0].length, text: `\`${level[1]}\` is no level`, suggestion: "warn" };
  return null;
}
function fieldOf(r, name, sources) {
  const s = sources[r.source];
  if (name === "message") return r.message;
  if (name in r) return r[name];
  if (s && name in s) return s[name];
  const json = r.message.startsWith("{") ? JSON.parse(r.message)[name] : undefined;
  return json ?? new RegExp(`(?:^|\\s)${name.replace(/\./g, "\\.")}=("[^"]*"|\\S+)`).exec(r.message)?.[1]?.replace(/^"(.*)"$/, "$1");
}
function compile(expr, sources) {
  const terms = [...(expr ?? "").matchAll(TERM)].filter((m) => m[0] !== "and");
  return (r) => terms.every(([, negated, name, op, raw]) => {
    const value = unquote(raw);
    let ok;
    if (!name) ok = r.message.toLowerCase().includes(value.toLowerCase());
    else if (name === "level" && op === ">=") ok = LEVELS.indexOf(r.level) >= LEVELS.indexOf(value);
    else {
      const has = fieldOf(r, name, sources);
      if (op === "!=") ok = String(has) !== value;
      else if (has === undefined) ok = false;
      else if (op === "=~") ok = new RegExp(value).test(String(has));
      else if (op === "=") ok = String(has) === value;
      else if (op === ":") ok = String(has).includes(value);
      else ok = op === ">=" ? Number(has) >= Number(value) : op === "<=" ? Number(has) <= Number(value) : op === ">" ? Number(has) > Number(value) : Number(has) < Number(value);
    }
    return negated ? !ok : ok;
  });
}

const indexAt = (ms) => Math.floor((ms - BASE) / GAP_MS);
const summary = (sources, lines, matches, more = {}) => ({ sources_read: sources.length, sources_known: sources.length, files_read: sources.length * 2, files_known: sources.length * 2, scanned_bytes: lines * 140, known_bytes: sources.length * 20_862_214, lines, matches, cut_lines: 0, gaps: 0, oldest: stamp(BASE + OLDEST * GAP_MS), stopped: "done", completeness: "proven", took_ms: Math.max(1, Math.round(lines / 4000)), unknown_levels: 0, redactions: { email: Math.round(matches / 40) }, seek: "proven", ...more });

export function logPage(query) {
  const sources = logSources(query.sources);
  const limit = query.limit ?? 300;
  const low = Math.max(OLDEST, query.from ? Math.ceil((msOf(query.from) - BASE) / GAP_MS) : OLDEST);
  const high = Math.min(indexAt(Date.now()), query.to ? Math.ceil((msOf(query.to) - BASE) / GAP_MS) : Infinity);
  const passes = compile(query.filter?.expr, sources);
  const token = (text) => Number(text.slice(4));
  let [from, to] = [low, high];
  const records = [];
  let read = 0;
  const forward = (at) => { let i = at; for (; i < high && records.length < limit && read < 200_000; i += 1, read += 1) { const r = record(i, sources); if (passes(r)) records.push(r); } return i; };
  const backward = (at) => { let i = at; for (; i > low && records.length < limit && read < 200_000; i -= 1, read += 1) { const r = record(i - 1, sources); if (passes(r)) records.unshift(r); } return i; };
  if (query.at) {
    const i = indexOfCursor(query.at);
    if (!(i >= OLDEST && i < high)) return { problem: [410, "gone", "the line has rotated away", `the oldest line is of ${stamp(BASE + OLDEST * GAP_MS)}`] };
    from = Math.max(low, i - Math.floor(limit / 2));
    to = forward(from);
  } else if (query.before) { to = Math.min(high, token(query.before)); from = backward(to); }
  else if (query.after || query.mode === "head") { from = query.after ? Math.max(low, token(query.after)) : low; to = forward(from); }
  else { to = high; from = backward(high); }
  const holeAt = BASE - 61_000;
  const inside = sources.length > 0 && BASE + from * GAP_MS < holeAt && holeAt < BASE + to * GAP_MS && RATE < 100;
  return {
    sources, records: sources.length === 0 ? [] : records,
    gaps: inside ? [{ kind: "rotated_away", source: Math.min(1, sources.length - 1), source_name: "lm8dw on ip-10-4-17-88", from: stamp(holeAt), to: stamp(holeAt + 40_000), bytes: 120_000, lines: 1204, exact: true, text: "the file rotated twice before it was read" }] : [],
    markers: inside ? [{ kind: "ended", source: 0, restart: 6, at: stamp(BASE - 30_000), exit_code: 137, reason: "OOMKilled" }, { kind: "restarted", source: 0, restart: 7, at: stamp(BASE - 20_000), exit_code: null, reason: "" }] : [],
    next: `pp1_${to}`, prev: from <= low ? null : `pp1_${from}`,
    summary: summary(sources, read, records.length, { gaps: inside ? 1 : 0, stopped: records.length >= limit ? "rows" : read >= 200_000 ? "bytes" : "done" }),
  };
}

const SAMPLES = 6000;
export function logCount({ query, by = "time", field, buckets = 60 }) {
  const sources = logSources(query.sources);
  const [from, to] = [msOf(query.from), msOf(query.to)];
  const passes = compile(query.filter?.expr, sources);
  const [low, high] = [Math.max(OLDEST, indexAt(from)), Math.min(indexAt(Date.now()), indexAt(to))];
  const stride = Math.max(1, Math.floor((high - low) / SAMPLES));
  const counts = new Map();
  let matches = 0;
  for (let i = low; i < high && sources.length > 0; i += stride) {
    const r = record(i, sources);
    if (!passes(r)) continue;
    matches += stride;
    const at = Math.floor(((BASE + i * GAP_MS - from) / (to - from)) * buckets);
    const value = by === "time" ? `${at} ${r.level}` : fieldOf(r, field, sources);
    if (value !== undefined) counts.set(String(value), (counts.get(String(value)) ?? 0) + stride);
  }
  const width = (to - from) / buckets;
  const all = by === "time"
    ? [...counts].map(([k, count]) => { const [at, level] = k.split(" "); return { from: stamp(from + Number(at) * width), to: stamp(from + (Number(at) + 1) * width), key: level, count }; }).sort((a, b) => (a.from < b.from ? -1 : 1))
    : [...counts].map(([key, count]) => ({ key, count })).sort((a, b) => b.count - a.count);
  const kept = by === "time" ? all : all.slice(0, buckets);
  return { buckets: kept, other: all.slice(kept.length).reduce((n, b) => n + b.count, 0), exact: stride === 1, error: stride === 1 ? 0 : stride, gaps: [], summary: summary(sources, high - low, matches) };
}

export function logLines(cursor, before, after) {
  const i = indexOfCursor(cursor);
  const sources = logSources([]).slice(0, 7);
  const own = record(i, sources).source;
  const records = [];
  for (let k = i; k >= OLDEST && records.length <= before; k -= 1) { const r = record(k, sources); if (r.source === own) records.unshift({ ...r, source: 0 }); }
  const index = records.length - 1;
  for (let k = i + 1; k < indexAt(Date.now()) && records.length <= index + after; k += 1) { const r = record(k, sources); if (r.source === own) records.push({ ...r, source: 0 }); }
  return { source: sources[own], records, index, gaps: [] };
}

const FIELDS = ["level", "stream", "pod", "container", "node", "status", "err.kind", "ms", "order", "message"];
const VALUES = { level: LEVELS, stream: ["stdout", "stderr"], "err.kind": ["PoolTimeout", "UpstreamReset"] };
export function logComplete({ text, at }) {
  const head = text.slice(0, at);
  const word = /([\w.]*)(>=|=|:|!=)?([\w.]*)$/.exec(head);
  const value = word?.[2] !== undefined;
  const typed = value ? word[3] : (word?.[1] ?? "");
  const all = value ? (VALUES[word[1]] ?? []).map((v, i) => ({ text: v, kind: "value", count: 1000 - i * 90 })) : FIELDS.map((f) => ({ text: f, kind: "field", count: null }));
  return { from: at - typed.length, to: at, suggestions: text.trim() === "" || typed !== "" || value ? all.filter((s) => s.text.startsWith(typed) && s.text !== typed) : [], error: fault(text) };
}

const downloads = new Map();
export function openDownload(ask) {
  const id = `d${downloads.size + 1}`;
  downloads.set(id, ask);
  const sources = logSources(ask.query.sources);
  return { id, file_name: `checkout.${ask.format === "text" ? "log" : ask.format === "json" ? "jsonl" : ask.format}${ask.compress ? ".gz" : ""}`, scan_bytes: sources.length * 20_862_214, sources: sources.length, expires_ms: Date.now() + 600_000 };
}
export function download(id) {
  const ask = downloads.get(id);
  if (!ask) return null;
  const page = logPage({ ...ask.query, mode: ask.range === "head" ? "head" : "tail", limit: Math.min(ask.lines ?? 5000, 50_000) });
  return `${page.records.map((r) => (ask.format === "json" ? JSON.stringify(r) : `${r.ts} ${r.message}`)).join("\n")}\n${JSON.stringify({ type: "summary", ...page.summary })}\n`;
}

const views = [{ id: "v1", name: "payment failures", query: { sources: [], filter: { expr: 'level>=error "pool timeout"' } }, columns: [], shared: true, owner: "oncall@acme.example", updated_ms: Date.now() }];
export function logViews(method, id, body) {
  if (method === "POST") views.push({ id: `v${views.length + 1}`, owner: "oncall@acme.example", updated_ms: Date.now(), columns: [], shared: false, ...body });
  if (method === "DELETE") { views.splice(views.findIndex((v) => v.id === id), 1); return null; }
  return method === "POST" ? views.at(-1) : views;
}

const open = new Map();
export function openLogs(query) {
  const id = `st${open.size + 1}`;
  open.set(id, query);
  return { id, expires_ms: Date.now() + 60_000 };
}

const TICK_MS = Number(process.env.TICK_MS ?? 50);
const FIRST_CREDIT = 1 << 20;
export function serveLogs(socket, id) {
  const query = open.get(id);
  if (!query) return socket.close(1008);
  const sources = logSources(query.sources);
  const passes = compile(query.filter?.expr, sources);
  let i = query.after ? Number(query.after.slice(4)) : indexAt(Date.now()) - 50;
  let credit = FIRST_CREDIT;
  const send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame));
  send({ t: "sources", sources });
  socket.on("message", (data) => { const ask = JSON.parse(String(data)); if (ask.t === "credit") credit += ask.bytes; });
  const timer = setInterval(() => {
    const to = Math.min(indexAt(Date.now()), i + 5000);
    if (to <= i || sources.length === 0 || credit <= 0) return;
    const records = Array.from({ length: to - i }, (_, k) => record(i + k, sources)).filter(passes);
    i = to;
    const bytes = records.reduce((n, r) => n + r.message.length + 60, 0);
    credit -= bytes;
    send({ t: "batch", records, bytes, next: `pp1_${to}` });
  }, TICK_MS);
  socket.on("close", () => clearInterval(timer));
}
