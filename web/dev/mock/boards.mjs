// Boards of the made-up organisation, with versions, kept while the server of this world runs.
const p = (title, kind, width, unit, queries, thresholds = []) => ({ title, kind, width, unit, queries: queries.map(([expr, legend = ""]) => ({ expr, ...(legend ? { legend } : {}) })), ...(thresholds.length > 0 ? { thresholds } : {}) });
const NS = 'cluster=~"$cluster", namespace=~"$namespace", pod=~"$pod"';
const boards = [{
  id: "0193a000-0000-7000-8000-000000000001", version: 7, created_by: "user:ann@acme.example", created_ms: Date.now() - 9e8, updated_by: "user:ann@acme.example", updated_ms: Date.now() - 4e6,
  board: {
    title: "Payments", says: "what the payments team looks at first",
    variables: [{ name: "cluster", kind: "cluster" }, { name: "namespace", kind: "namespace" }, { name: "pod", kind: "label_values", label: "pod", query: 'up{namespace=~"$namespace"}', multi: true }, { name: "by", kind: "list", values: ["pod", "node", "namespace"] }],
    panels: [
      p("Pods ready", "stat", 2, "", [["sum(up{namespace=\"payments\"})"], ["count(up)"]]), p("Requests", "stat", 2, "/s", [["sum by (job) (rate(http_server_requests_total[$rate]))"]]), p("Errors", "stat", 2, "%", [["up"]], [{ value: 0.5, level: "crit" }]),
      p("Memory", "stat", 2, "By", [["sum by (job) (k8s_pod_memory_working_set_bytes)"]]), p("Restarts, 1 h", "stat", 2, "", [["k8s_container_restarts"]], [{ value: 1, level: "warn" }]), p("CPU", "stat", 2, "{cpu}", [["sum by (job) (rate(k8s_pod_cpu_time_seconds_total[$rate]))"]]),
      { ...p("CPU", "stack", 6, "{cpu}", [[`sum by ($by) (rate(k8s_pod_cpu_time_seconds_total{${NS}}[$rate]))`]]), heading: "What it uses" },
      { ...p("Memory of limit", "lines", 6, "1", [[`max by (pod) (k8s_pod_memory_limit_utilization_ratio{${NS}})`, "{{pod}}"]], [{ value: 0.8, level: "warn", label: "tight" }, { value: 1, level: "crit", label: "killed at limit" }]), min: 0, max: 1.2 },
      p("Requests by pod", "bars", 4, "/s", [[`sum by (pod) (rate(http_server_requests_total{${NS}}[$rate]))`, "{{pod}}"]], [{ value: 600, level: "warn" }]),
      p("Pods", "table", 8, "By", [[`k8s_pod_memory_working_set_bytes{${NS}}`, "Memory"], [`rate(k8s_pod_network_io_bytes_total{${NS}}[$rate])`, "Network"]]),
      p("Not right yet", "lines", 4, "", [["sum(rate(up[5m])"]]),
      { ...p("Waits", "heatmap", 8, "s", [["sum by (le) (increase(http_server_request_duration_seconds_bucket[$step]))"]]), heading: "Latency" },
    ],
  },
}];
let serial = 2;
const stamp = (b) => ({ ...b, updated_by: "user:oncall@acme.example", updated_ms: Date.now() });

/** `[status, body]` of a call below `/dashboards`. */
export function boardsApi(method, path, q, body) {
  const id = path.split("/")[2];
  const at = boards.findIndex((b) => b.id === id);
  const make = (board) => { const made = stamp({ id: `0193a000-0000-7000-8000-${String(serial++).padStart(12, "0")}`, version: 1, created_by: "user:oncall@acme.example", created_ms: Date.now(), board }); boards.push(made); return made; };
  if (id === "import") return [201, { board: make({ title: body.title ?? body.document?.title ?? "Imported board", panels: [] }), left_out: (body.document?.panels ?? []).map((one, i) => ({ path: `/panels/${i}`, text: `the panel "${one.title}": this made-up server takes none` })) }];
  if (id === undefined) return method === "POST" ? [201, make(body)] : [200, boards.map(({ board, ...b }) => ({ ...b, title: board.title, says: board.says ?? "", panels: board.panels?.length ?? 0 }))];
  if (at === -1) return [404, { kind: "not_found", detail: "no such thing, or none that you may see" }];
  if (path.endsWith("/export")) return [200, { format: "pilothouse.board/1", board: boards[at].board }];
  if (method === "GET") return [200, boards[at]];
  const version = method === "DELETE" ? Number(q.get("version")) : body.version;
  if (version !== boards[at].version) return [409, { kind: "conflict", detail: `${boards[at].updated_by} changed the board ${boards[at].board.title} meanwhile`, next_step: "read the board again" }];
  if (method === "DELETE") { boards.splice(at, 1); return [204]; }
  boards[at] = stamp({ ...boards[at], version: version + 1, board: body.board });
  return [200, boards[at]];
}
