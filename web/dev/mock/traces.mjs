// Traces of the made-up world: requests through a few services, some slow and failing since a rollout, one with a hundred thousand spans.
const MS = 1_000_000n;
let seed = 7;
const random = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648; };
const hex = (n, digits) => n.toString(16).padStart(digits, "0");
const place = (service) => ({ cluster: "prod-eu-1", namespace: "payments", workload_kind: "Deployment", workload: service, pod: `${service}-5d8b7f9c4-hw2rc`, container: "app", node: "ip-10-4-31-12" });

function build(i, startMs, slow) {
  const spans = [];
  const id = hex(0x4bf92f35 + i * 7919, 8) + hex(0x77b34da6 + i, 8) + hex(i * 104729, 8) + hex(i + 1, 8);
  const add = (parent, service, name, kind, at, took, more = {}) => {
    const span = { span_id: hex(i * 100_000 + spans.length + 1, 16), ...(parent ? { parent_id: parent.span_id } : {}), service, name, kind, status: "unset", start_ns: String(BigInt(Math.round(startMs)) * MS + BigInt(Math.round(at * 1e6))), duration_ns: Math.round(took * 1e6), at, attributes: { "http.request.method": "POST", "server.address": `${service}.payments.svc`, "net.peer.port": 8080 }, resource: { "service.name": service, "telemetry.sdk.language": "go" }, ...place(service), ...more };
    spans.push(span);
    return span;
  };
  const wait = slow ? 5000 : 2 + random() * 40;
  const all = wait + 60 + random() * 20;
  const bad = slow ? { status: "error", status_text: "503" } : {};
  const root = add(null, "gateway", "POST /v1/checkout", "server", 0, all, bad);
  add(root, "gateway", "authn", "internal", 1, 11);
  const checkout = add(root, "checkout", "POST /v1/checkout", "server", 14, all - 20, bad);
  const cart = add(checkout, "checkout", "validate cart", "client", 15, 9);
  const get = add(cart, "cart", "GET /cart/{id}", "server", 16, 6);
  add(get, "cart", "redis GET", "client", 17, 2, { attributes: { "db.system": "redis" } });
  const fraud = add(checkout, "fraud", "score", "server", 25, 21);
  add(fraud, "fraud", "model predict", "internal", 26, 17);
  const order = add(checkout, "checkout", "begin order", "internal", 48, wait, bad);
  add(order, "checkout", "pool.acquire", "internal", 49, wait - 1, slow ? { ...bad, attributes: { "db.name": "orders", "pool.max": 32, "pool.in_use": 32, "pool.waiting": 57, "enduser.id": "masked #5c9e" }, events: [{ at_ns: String(BigInt(Math.round(startMs)) * MS + 5_040_000_000n), name: "exception", attributes: { "exception.type": "PoolTimeout", "exception.message": "waited 5000 ms for a connection; 32 of 32 in use, 57 waiting" } }] } : { attributes: { "db.name": "orders" } });
  if (i % 9 === 4) add({ span_id: "00000000deadbeef" }, "events", "publish order.failed", "producer", all - 8, 2);
  if (i % 11 === 5) add(checkout, "cart", "DELETE /lock", "server", 10, 4);
  add(root, "gateway", "render", "internal", all - 5, 4);
  if (i === 0) { let parent = checkout; for (let k = 0; k < 100_000; k += 1) { const next = add(k % 40 === 0 ? checkout : parent, ["cart", "fraud", "checkout"][k % 3], `step ${k}`, "internal", 20 + (k % 4000), 1 + (k % 7)); parent = k % 13 === 0 ? checkout : next; } }
  return { trace_id: id, spans: spans.sort((a, b) => a.at - b.at) };
}

const now = Date.now();
const traces = Array.from({ length: 320 }, (_, i) => { const startMs = now - 3_500_000 + i * 10_800; return { startMs, ...build(i, startMs, i > 190 && random() < 0.35) }; });
traces[0].startMs = now - 3_500_000;

function summary(t) {
  const services = {};
  let end = 0;
  for (const s of t.spans) { const e = (services[s.service] ??= { service: s.service, spans: 0, errors: 0 }); e.spans += 1; e.errors += s.status === "error" ? 1 : 0; end = Math.max(end, s.at * 1e6 + s.duration_ns); }
  const ids = new Set(t.spans.map((s) => s.span_id));
  return { trace_id: t.trace_id, root_service: t.spans[0].service, root_name: t.spans[0].name, rooted: true, start_ns: t.spans[0].start_ns, duration_ns: Math.round(end), spans: t.spans.length, errors: t.spans.filter((s) => s.status === "error").length, orphans: t.spans.filter((s) => s.parent_id && !ids.has(s.parent_id)).length, matched: t.spans.length, services: Object.values(services).sort((a, b) => (a.service < b.service ? -1 : 1)) };
}
const summaries = traces.map(summary).reverse();

/** `null` when no such route. */
export function tracesApi(path, q) {
  if (path === "/traces") {
    const ask = q.get("q") ?? "";
    if (/==/.test(ask)) return [422, { kind: "invalid", detail: "`==` is no operator (at byte 6)", next_step: "try =" }];
    const service = /service=(\S+)/.exec(ask)?.[1];
    const found = summaries.filter((t) => (!/status=error/.test(ask) || t.errors > 0) && (!service || t.services.some((s) => s.service === service)) && Number(BigInt(t.start_ns) / MS) >= Number(q.get("from")));
    const limit = Number(q.get("limit") ?? 100);
    return [200, { items: found.slice(0, limit), next: found.length > limit ? "more" : null }];
  }
  if (path.startsWith("/traces/")) {
    const t = traces.find((x) => x.trace_id === path.split("/")[2]);
    if (!t) return [404, { kind: "not_found", detail: "no such trace", next_step: "" }];
    const s = summary(t);
    return [200, { trace_id: t.trace_id, start_ns: s.start_ns, duration_ns: s.duration_ns, errors: s.errors, services: s.services, spans: t.spans, complete: true }];
  }
  if (path.startsWith("/logs/trace/")) {
    const t = traces.find((x) => x.trace_id === path.split("/")[3]);
    const slow = (t?.spans ?? []).filter((s) => s.status === "error");
    return [200, { items: slow.map((s) => ({ ts_ns: s.start_ns, span_id: s.span_id, level: "error", message: `${s.name} failed after ${Math.round(s.duration_ns / 1e6)} ms`, service: s.service, cluster: s.cluster, namespace: s.namespace, pod: s.pod, container: s.container, attributes: {} })) }];
  }
  if (path === "/services") {
    const by = new Map();
    for (const t of traces.slice(1)) for (const s of t.spans) { const e = by.get(s.service) ?? { name: s.service, spans: 0, errors: 0, operations: new Map() }; e.spans += 1; const bad = s.status === "error" ? 1 : 0; e.errors += bad; const o = e.operations.get(s.name) ?? { name: s.name, kind: s.kind, spans: 0, errors: 0 }; o.spans += 1; o.errors += bad; e.operations.set(s.name, o); by.set(s.service, e); }
    return [200, { items: [...by.values()].map((s) => ({ ...s, operations: [...s.operations.values()] })) }];
  }
  if (path === "/dependencies") return [200, { items: [["gateway", "checkout", "call", 2500, 104, 4e8, 6e8], ["checkout", "cart", "call", 2510, 0, 4e6, 6e6], ["checkout", "fraud", "call", 2490, 2, 2e7, 3.1e7], ["checkout", "payments-db", "database", 2480, 97, 8e6, 5e9], ["checkout", "events", "messaging", 2300, 0, 1e6, 2e6], ["cart", "redis", "database", 5000, 0, 4e5, 9e5]].map(([parent, child, kind, calls, errors, p50_ns, p95_ns]) => ({ parent, child, kind, calls, errors, p50_ns, p95_ns })) }];
  return null;
}
