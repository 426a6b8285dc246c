/** Catalogue: the server's JSON types. Names and shapes are those of the OpenAPI document; `npm run api` derives them again. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Body of every error, `application/problem+json`. */
export interface Problem {
  /** `about:blank`, or a page of the user guide. */
  type: string;
  title: string;
  status: number;
  /** `invalid`, `denied`, `not_found`, `exhausted`, `unavailable`, `gone`, `internal`, `unauthenticated`. */
  kind: string;
  /** The thing and the cause, for people. */
  detail: string;
  /** All faults of a body at once. */
  errors?: FieldError[];
  /** What to do now. */
  next_step?: string | null;
  request_id: string;
}

export interface FieldError {
  /** JSON pointer or name of the parameter. */
  path: string;
  message: string;
}

/** One page of a list. `next` is opaque and belongs to this query; absent at the end. */
export interface Page<T> {
  items: T[];
  next?: string | null;
  /** How many there are in all, where that is known. */
  total?: number | null;
  /** What could not be read, in words. Empty when the answer is complete. */
  incomplete?: string[];
}

/** `GET /api/v1/auth/methods` — what the sign-in page offers. No credential needed. */
export interface AuthMethods {
  password: boolean;
  /** No user has a password yet: use the one-time link that `serve` printed. */
  first_start: boolean;
}

/** `POST /api/v1/auth/link` — spends a one-time sign-in link (the page `/sign-in#token=…` sends it; it is never in a query). */
export interface LinkSignIn {
  token: string;
}

/** `POST /api/v1/auth/sign-in` — by password. */
export interface PasswordSignIn {
  email: string;
  password: string;
}

/** `PUT /api/v1/me/password`. `current` is needed once a password is set, unless the session came from a one-time link. */
export interface PasswordChange {
  current?: string | null;
  new: string;
}

/** `GET /api/v1/me`, and the answer to both sign-ins (which also set the session cookie). */
export interface Me {
  user_id?: string | null;
  email: string;
  name: string;
  org: Organisation;
  /** `owner`, `admin`, `operator`, `editor`, `viewer`, `auditor`. */
  role: string;
  /** Names of permissions, sorted: what the caller may do in this organisation. */
  permissions: string[];
  has_password: boolean;
  /** Anti-forgery is by `Sec-Fetch-Site` or `Origin`; no token is needed. */
  session?: Session | null;
  server_time_ms: number;
  version: string;
}

export interface Organisation {
  id: string;
  /** Stands in web addresses: `/o/{slug}/…`. */
  slug: string;
  name: string;
  status: string;
}

/** `GET /api/v1/orgs`, `GET /api/v1/members`. */
export interface Member {
  user_id: string;
  email: string;
  name: string;
  role: string;
  status: string;
}

/** `POST /api/v1/members` — creates the user when the address is new. The answer holds a one-time sign-in link. */
export interface MemberNew {
  email: string;
  name?: string;
  role: string;
}

export interface MemberCreated {
  member: Member;
  /** Shown once; 30 min. */
  sign_in_link: string;
}

/** `GET /api/v1/sessions`, `DELETE /api/v1/sessions/{id}`. */
export interface Session {
  id: string;
  created_ms: number;
  last_used_ms: number;
  expires_ms: number;
  ip: string;
  user_agent: string;
  /** `browser` or `terminal`. */
  client: string;
  current: boolean;
}

/** `GET /api/v1/keys`, `DELETE /api/v1/keys/{id}`. */
export interface ApiKey {
  id: string;
  name: string;
  /** First characters, enough to tell keys apart. */
  prefix: string;
  role: string;
  created_ms: number;
  expires_ms?: number | null;
  last_used_ms?: number | null;
  created_by: string;
}

/** `POST /api/v1/keys`. */
export interface ApiKeyNew {
  name: string;
  role: string;
  /** Default 90; at most 365. */
  expires_days?: number | null;
}

export interface ApiKeyCreated {
  key: ApiKey;
  /** Shown once. */
  secret: string;
}

/** `POST /api/v1/auth/device` — a terminal asks to be signed in; `POST /api/v1/auth/device/poll` waits for it. */
export interface DeviceStarted {
  /** Held by the terminal; never shown. */
  device_secret: string;
  /** Shown in the terminal and confirmed in the browser at `verify_url`. */
  code: string;
  verify_url: string;
  expires_ms: number;
  poll_ms: number;
}

export interface DevicePoll {
  device_secret: string;
}

/** Answer to a poll: 200 with this once confirmed, 202 while waiting, 410 when denied or expired. */
export interface DeviceGranted {
  /** Session token for `Authorization: Bearer`. */
  token: string;
  email: string;
  org: Organisation;
  expires_ms: number;
}

/** `POST /api/v1/auth/device/confirm`, by the signed-in browser. */
export interface DeviceConfirm {
  code: string;
  approve: boolean;
}

/** `GET /api/v1/agents`; live channel `agents` (key: id). */
export interface Agent {
  id: string;
  /** `cluster`, `node`, `host`. */
  kind: string;
  cluster_id: string;
  cluster: string;
  /** Node or host name; empty for a cluster-agent. */
  node: string;
  version: string;
  platform: string;
  /** `connected`, `disconnected`, `revoked`. */
  status: string;
  connected_since_ms?: number | null;
  last_seen_ms?: number | null;
  /** Round trip of the last ping. */
  ping_ms?: number | null;
  /** Ceiling set in the cluster: `observe`, `debug`, `operate`. */
  tier: string;
  sources: AgentSource[];
  warnings: string[];
  queue_bytes: number;
  rss_bytes: number;
}

/** One source of an agent: when it last worked, else why not and the fix. */
export interface AgentSource {
  name: string;
  last_success_ms?: number | null;
  last_error: string;
  fix: string;
  facts: Record<string, string>;
}

/** `POST /api/v1/agents/enrol` — buys the enrolment of a public key. No other credential. */
export interface EnrolAsk {
  proof: EnrolProof;
  /** Ed25519, base64. */
  public_key: string;
  /** UID of `kube-system`; empty for hosts. */
  cluster_uid?: string;
  /** Node or host name; empty for a cluster-agent. */
  node?: string;
  /** `/etc/machine-id`, hashed; empty where there is none. */
  machine?: string;
  version: string;
}

export type EnrolProof =
  | { kind: "join_token"; token: string }
  | { kind: "service_account"; cluster_id: string; token: string };

export interface Enrolled {
  agent_id: string;
  cluster_id: string;
  cluster_name: string;
}

/** `POST /api/v1/agents/token` — a token between links (the link hands one out too): proves the key again. */
export interface AgentTokenAsk {
  agent_id: string;
  /** ms UTC; within 2 min of the server's clock. */
  at_ms: number;
  /** Base64 of Ed25519 over `"pilothouse-token-v1" || agent_id (16 bytes) || at_ms (i64 BE) || host name`. */
  signature: string;
}

export interface AgentToken {
  token: string;
  expires_ms: number;
}

/** `GET /api/v1/clusters`, `/clusters/{id or name}`; live channel `clusters` (key: id). */
export interface Cluster {
  id: string;
  name: string;
  /** `kubernetes`, `docker`, `host`. */
  kind: string;
  /** `waiting` (token made, nothing seen), `connected`, `disconnected`, `cluster_changed`, `removed`. */
  status: string;
  /** For example `kubernetes v1.34.4`, `docker 28.2`. */
  platform: string;
  uid: string;
  tier: string;
  created_ms: number;
  last_seen_ms?: number | null;
  nodes_ready: number;
  nodes: number;
  pods_ready: number;
  pods: number;
  agents_connected: number;
  agents: number;
  /** Cores and bytes; absent until measured. */
  cpu: Usage;
  memory: Usage;
  /** Log lines per second over the last minute. */
  log_lines_per_s?: number | null;
  /** Age of the newest sample. */
  data_age_ms?: number | null;
  /** The worst state of what is in it: `ok`, `warn`, `crit`, `unknown`, `move`. */
  state: string;
  warnings: string[];
}

export interface Usage {
  used?: number | null;
  requested?: number | null;
  allocatable?: number | null;
}

/** `POST /api/v1/clusters` — registers a cluster and makes its join token. */
export interface ClusterJoin {
  /** 1–63 characters, `[a-z0-9]([-a-z0-9]*[a-z0-9])?`. */
  name: string;
  /** `kubernetes`, `docker`, `host`. */
  kind?: string;
  /** `observe` or `debug`. */
  tier?: string;
  /** Image of the agents; default: the server's own. */
  image?: string | null;
}

export interface ClusterJoining {
  cluster: Cluster;
  /** Shown once; 15 min, one use. */
  join_token: string;
  expires_ms: number;
  /** Manifests for `kubectl apply -f -`, with the token in them; empty for hosts. */
  manifests: string;
  /** The whole command as a here-document, or `pilothouse host join …` for hosts. */
  command: string;
}

/** `GET /api/v1/clusters/{id}/checks` — the Connect page's list, in order. */
export interface ConnectCheck {
  /** `token`, `link`, `identity`, `inventory`, `nodes`, `metrics`, `logs`. */
  id: string;
  title: string;
  /** `waiting`, `done`, `failed`. */
  state: string;
  /** What was seen, for example `2 of 2 node-agents connected`. */
  evidence: string;
  at_ms?: number | null;
  /** What to do when it failed or hangs; empty otherwise. */
  fix: string;
  /** A command to copy; empty where there is none. */
  fix_command: string;
}

/** Answer to `DELETE /api/v1/clusters/{id}`: agents are revoked at once; what remains in the cluster is named. */
export interface ClusterRemoved {
  revoked_agents: number;
  /** What to delete in the cluster, as a command. */
  command: string;
}

/** Query of `GET /api/v1/objects/{kind}` (kind: plural or kubectl's short name), and the compatible `/nodes`, `/pods`, `/containers`. */
export interface ObjectQuery {
  /** Names or ids, comma-separated; absent: all. */
  cluster?: string | null;
  /** Comma-separated. */
  namespace?: string | null;
  /** Substring of the name. */
  name?: string | null;
  /** `ok`, `move`, `warn`, `crit`, `unknown`, comma-separated. */
  state?: string | null;
  node?: string | null;
  /** UID of an owner: the pods of a workload. */
  owner?: string | null;
  /** 1–1000, default 100; above: 422. */
  limit?: number | null;
  cursor?: string | null;
}

/** One object of any kind. Live channel `objects:<cluster>/<kind>` (key: uid). `GET /api/v1/objects/{kind}/{uid}` gives `ObjectDetail`. */
export interface Object {
  cluster_id: string;
  cluster: string;
  kind: string;
  api_version: string;
  /** Empty for cluster-scoped kinds. */
  namespace: string;
  name: string;
  /** Kubernetes UID, or a Docker container's id. */
  uid: string;
  created_ms?: number | null;
  health: Health;
  /** What stands in lists beside the name, by kind (pods: `phase`, `ready`, `restarts`, `node`, `ip`, `owner_kind`, `owner`, `qos`; nodes: `version`, `os`, `roles`, `cpu_allocatable`, `memory_allocatable`, `pods_allocatable`; workloads: `ready`, `desired`, `updated`, `available`, `images`, `strategy`). */
  columns: Record<string, string>;
  /** Pods: their containers. */
  containers?: Container[];
  /** Pods: the controlling workload (a Deployment, not its ReplicaSet). */
  workload?: ObjectLink | null;
}

export interface ObjectLink {
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

export interface Container {
  name: string;
  /** As the runtime names it, without `containerd://`; empty before it was created. */
  id: string;
  image: string;
  /** `init`, `main`, `sidecar`, `ephemeral`. */
  role: string;
  /** `running`, `waiting`, `terminated`. */
  state: string;
  /** For example `CrashLoopBackOff`, `OOMKilled`. */
  reason: string;
  message: string;
  ready: boolean;
  restarts: number;
  exit_code?: number | null;
  started_ms?: number | null;
  cpu_request?: number | null;
  cpu_limit?: number | null;
  memory_request?: number | null;
  memory_limit?: number | null;
}

/** "Has the controller finished what was asked", and "can it be used now". */
export interface Health {
  /** `ok`, `move`, `warn`, `crit`, `unknown`, `off`: the mark to draw. */
  state: string;
  /** `yes`, `no`, `stalled`, `terminating`, `gone`, `unknown`. */
  converged: string;
  /** `yes`, `coming`, `no`, `suspended`, `gone`, `unknown`, `n/a`. */
  available: string;
  ready: number;
  wanted: number;
  /** Effect first, first cause last. */
  reasons: Reason[];
}

export interface Reason {
  /** Stable: `crash_loop`, `image_pull`, `unschedulable`, `oom_killed`, `probe_failed`, `config_missing` … */
  code: string;
  object: ObjectLink;
  /** The container that is meant, where it is one; else empty. */
  container?: string;
  /** A sentence of ours. */
  text: string;
  /** The system's own words. */
  quote: string;
  /** `condition`, `event`, `container`, `metric`, `schema`, `log`. */
  source: string;
  at_ms?: number | null;
}

export interface ObjectDetail {
  object: Object;
  /** The pruned object, as YAML. */
  yaml: string;
  owners: ObjectLink[];
  /** Age of what the server knows of this object; grows while the link is down. */
  data_age_ms: number;
}

/** `GET /api/v1/objects/counts` — how many of each kind and state, by cluster and namespace. */
export interface ObjectCounts {
  cluster_id: string;
  namespace: string;
  kind: string;
  states: Record<string, number>;
}

/** Query of `GET /api/v1/{nodes|pods|workloads|containers}/{id}/metrics`. */
export interface MetricQuery {
  /** Canonical names, comma-separated; absent: the kind's standard set. */
  metric?: string | null;
  /** ms UTC; default: one hour before `end`. */
  start?: number | null;
  /** ms UTC; default: now. */
  end?: number | null;
  /** Seconds (`15`), or a duration (`15s`, `1m`); default: what gives at most 240 points, at least 15 s. */
  step?: string | null;
}

/** Series of one object. All share the grid `start_ms + i × step_ms`. */
export interface ObjectMetrics {
  start_ms: number;
  end_ms: number;
  step_ms: number;
  charts: Chart[];
  /** Newest sample of any series; absent without data. */
  newest_ms?: number | null;
}

export interface Chart {
  /** Canonical name, for example `k8s.pod.cpu.usage`. */
  metric: string;
  title: string;
  /** UCUM: `{cpu}`, `By`, `By/s`, `1` … */
  unit: string;
  /** `value`, or `rate` when a counter is shown per second. */
  shown: string;
  series: ChartSeries[];
  /** Limits and requests to draw as dashed lines. */
  lines: ChartLine[];
}

export interface ChartSeries {
  /** What tells this series from the others of the chart, for example `{"pod":"web-1","direction":"receive"}`. */
  labels: Record<string, string>;
  /** One entry a step; `null` is a gap, never zero. */
  points: (number | null)[];
}

export interface ChartLine {
  /** `limit`, `request`, `allocatable`. */
  kind: string;
  value: number;
}

/** `GET /api/v1/metrics`. Names, sorted; `truncated` when there are more than fit. */
export interface LabelPageAnswer {
  items: string[];
  truncated: boolean;
}

/** Query of `GET /api/v1/events`. */
export interface EventQuery {
  cluster?: string | null;
  namespace?: string | null;
  /** UID of the object; with `related=true` also its owners' and pods'. */
  object?: string | null;
  related?: boolean | null;
  /** `Normal`, `Warning`, `change`, comma-separated. */
  type?: string | null;
  reason?: string | null;
  /** ms UTC; default: one hour before `to`. */
  from?: number | null;
  to?: number | null;
  /** 1–1000, default 100. */
  limit?: number | null;
  cursor?: string | null;
}

/** Newest first. Live channel `events:<cluster>` (key: uid). */
export interface Event {
  cluster_id: string;
  cluster: string;
  uid: string;
  at_ms: number;
  first_ms: number;
  count: number;
  /** `Normal`, `Warning`, `change`. */
  type: string;
  reason: string;
  action: string;
  message: string;
  namespace: string;
  object_kind: string;
  object_name: string;
  object_uid: string;
  reporter: string;
  node: string;
}

/** `GET /api/v1/problems` — everything that deviates, worst first, one row a cause. */
export interface ProblemRow {
  /** Stable while the problem lasts. */
  id: string;
  /** `crit`, `warn`, `unknown`. */
  state: string;
  cluster_id: string;
  cluster: string;
  object: ObjectLink;
  /** For example `3 of 6 available`, `NotReady · 31 pods`. */
  effect: string;
  /** Effect first, first cause last; the last one's `quote` stands on the row. */
  chain: Reason[];
  pods: number;
  since_ms: number;
}

/** `GET /api/v1/summary[?cluster=]`. */
export interface Summary {
  clusters: number;
  hosts: number;
  agents_connected: number;
  agents: number;
  nodes_ready: number;
  nodes: number;
  pods_ready: number;
  pods: number;
  pods_by_phase: Record<string, number>;
  containers: number;
  problems: Record<string, number>;
  cpu_used?: number | null;
  cpu_allocatable?: number | null;
  memory_used?: number | null;
  memory_allocatable?: number | null;
  log_lines_per_s?: number | null;
  samples_per_s?: number | null;
  /** Age of the newest and of the oldest newest sample over all sources. */
  newest_ms?: number | null;
  oldest_ms?: number | null;
  oldest_source: string;
  updated_ms: number;
}

/** `GET /api/v1/podfield` — one cell a pod, grouped by cluster; `states` has one letter a pod (`o` ok, `m` move, `w` warn, `c` crit, `u` unknown) in the order of `uids`. */
export interface PodField {
  cluster_id: string;
  cluster: string;
  connected: boolean;
  states: string;
  uids: string[];
  /** Index into `workloads` for each pod; -1 for bare pods. */
  workload: number[];
  workloads: ObjectLink[];
}

/** Names containers. Every field given narrows; a field left out means any. */
export interface LogSelect {
  /** Name or id. */
  cluster?: string | null;
  namespace?: string | null;
  pod?: string | null;
  pod_uid?: string | null;
  container?: string | null;
  /** UID of a workload: all its pods. */
  workload_uid?: string | null;
  /** Kind of a workload named by `workload`. */
  workload_kind?: string | null;
  workload?: string | null;
  node?: string | null;
  /** All containers of a pod, else its default container. */
  all_containers?: boolean;
}

/** `POST /api/v1/logs/sources` → [`LogSources`]. */
export interface LogSourcesAsk {
  /** Empty: every source that the caller may read. */
  sources?: LogSelect[];
}

export interface LogSources {
  sources: LogSource[];
  gaps: LogGap[];
}

export interface LogSource {
  /** Stable within one answer or stream: `<cluster id>/<namespace>/<pod uid>/<container>`. */
  id: string;
  cluster: string;
  namespace: string;
  workload_kind: string;
  workload: string;
  pod: string;
  pod_uid: string;
  container: string;
  node: string;
  /** `running`, `waiting`, `terminated`, `gone`. */
  state: string;
  runs: LogRun[];
  bytes: number;
  first_ns?: string | null;
  last_ns?: string | null;
  /** Lines a second over the last minute, where lines are shipped. */
  lines_per_s?: number | null;
  restarts: number;
}

export interface LogRun {
  run: number;
  segments: LogSegment[];
}

export interface LogSegment {
  file: string;
  bytes: number;
  gzip: boolean;
}

/** `POST /api/v1/logs/query` → [`LogPage`]; `POST /api/v1/logs/streams` → 201 [`LogStreamOpened`]. */
export interface LogQuery {
  sources: LogSelect[];
  /** RFC 3339 or ms UTC as text; inclusive. */
  from?: string | null;
  /** Exclusive. */
  to?: string | null;
  /** `tail` (default), `head`, `all`. */
  mode?: string | null;
  /** Page token or cursor; exclusive. */
  after?: string | null;
  before?: string | null;
  filter?: LogFilter;
  /** Records in this page, default 300, at most 1,000. */
  limit?: number | null;
  /** `auto` (default): files where they exist, the store for older time; `files`; `store`. */
  origin?: string | null;
  /** Streams: go on with new lines. */
  follow?: boolean;
  /** All restarts, else the current run. */
  all_runs?: boolean;
}

/** All given conditions must hold. */
export interface LogFilter {
  /** Message contains this text; insensitive unless it has an upper-case letter. */
  contains?: string | null;
  /** Message does not contain this. */
  excludes?: string | null;
  /** At least this level; lines of unknown level are left out. */
  level?: string | null;
  /** `stdout`, `stderr`. */
  stream?: string | null;
  /** Exact values of fields (JSON or logfmt keys of the message). */
  fields?: Record<string, string>;
}

export interface LogRecord {
  /** RFC 3339 with nine digits, UTC. */
  ts: string;
  /** Index into `sources` of the page or stream. */
  source: number;
  /** `stdout`, `stderr`, `unknown`. */
  stream: string;
  /** `trace` … `fatal`, `unknown`. */
  level: string;
  /** Invalid UTF-8 replaced; exact bytes then in `message_b64`. */
  message: string;
  message_b64?: string | null;
  full_bytes?: number | null;
  flags?: string[];
  restart: number;
  /** Names this very line: survives rotation, gzip, restarts of agent and server. */
  cursor: string;
  /** `files` or `store`. */
  origin?: string;
}

export interface LogGap {
  /** `rotated_away`, `before_oldest`, `truncated`, `nul_run`, `corrupt`, `read_error`, `skipped`, `budget`, `stalled`, `node_unreachable`, `cluster_unreachable`, `denied`. */
  kind: string;
  source?: number | null;
  source_name: string;
  from?: string | null;
  to?: string | null;
  bytes?: number | null;
  lines?: number | null;
  exact: boolean;
  text: string;
}

export interface LogMarker {
  /** `restarted`, `ended`, `joined`. */
  kind: string;
  source: number;
  restart: number;
  at?: string | null;
  exit_code?: number | null;
  reason: string;
}

/** Records ascending by time; within one source always in file order. */
export interface LogPage {
  sources: LogSource[];
  records: LogRecord[];
  gaps: LogGap[];
  markers: LogMarker[];
  /** Token for newer records. */
  next?: string | null;
  /** Token for older records. */
  prev?: string | null;
  summary: LogSummary;
}

export interface LogSummary {
  sources_read: number;
  sources_known: number;
  files_read: number;
  files_known: number;
  scanned_bytes: number;
  known_bytes: number;
  lines: number;
  matches: number;
  cut_lines: number;
  gaps: number;
  oldest?: string | null;
  /** `done`, `rows`, `bytes`, `time`, `cancelled`. */
  stopped: string;
  /** `proven`, `unproven`, `incomplete`. */
  completeness: string;
  took_ms: number;
}

export interface LogStreamOpened {
  id: string;
  /** To be claimed by then, by its creator. */
  expires_ms: number;
}

/** Client frames of `GET /api/v1/logs/streams/{id}`, subprotocol `pilothouse.logs.v1`, JSON text. */
export type LogStreamAsk =
  | { t: "credit"; bytes: number }
  | { t: "pause" }
  | { t: "resume" }
  | { t: "open"; query: LogQuery }
  | { t: "close" };

export type LogStreamFrame =
  | { t: "sources"; sources: LogSource[] }
  | { t: "batch"; records: LogRecord[]; bytes: number; next: string }
  | { t: "progress"; source: number; at?: string | null; scanned_bytes: number; total_bytes: number; caught_up: boolean }
  | { t: "gap"; gap: LogGap }
  | { t: "marker"; marker: LogMarker }
  | { t: "lag"; bytes: number; lines: number }
  | { t: "summary"; summary: LogSummary }
  | { t: "error"; kind: string; detail: string; next_step?: string | null };

/** `POST /api/v1/debug/exec` → 201 [`ExecOpened`], then `GET /api/v1/debug/tty/{tty_id}` as WebSocket, subprotocol `pilothouse.tty.v1`. Binary frames; first byte: 0 stdin (client), 1 stdout, 2 stderr (server; then u64 BE sequence of the first byte, then bytes), 3 status (server; JSON [`ExecStatus`]), 4 resize (client; JSON `{"cols","rows"}`), 5 acknowledged sequence (client; u64 BE), 6 notice (server; JSON [`ExecNotice`]), 7 end of stdin (client). Reconnect with `?from=<sequence>` within 60 s. */
export interface ExecOpen {
  /** Name or id. */
  cluster: string;
  namespace: string;
  pod: string;
  /** Refused when the pod of that name has another UID by now. Absent: whatever pod has the name, fixed from here on. */
  pod_uid?: string | null;
  /** Absent: annotation `kubectl.kubernetes.io/default-container`, else the first. */
  container?: string | null;
  /** Passed as given; nothing is parsed. */
  argv: string[];
  tty?: boolean;
  stdin?: boolean;
  cols?: number | null;
  rows?: number | null;
  reason?: string | null;
}

export interface ExecOpened {
  tty_id: string;
  container: string;
  pod_uid: string;
  node: string;
  expires_ms: number;
  /** Audit sequence of the row that allowed it. */
  audit_seq: number;
}

export interface ExecStatus {
  /** Absent when not known. */
  exit_code?: number | null;
  /** Empty on a plain exit. */
  reason: string;
}

export interface ExecNotice {
  text: string;
  missing_bytes: number;
}

export type LiveAsk =
  | { t: "sub"; id: number; ch: string; resume?: string | null }
  | { t: "unsub"; id: number }
  | { t: "ping" };

export type LiveFrame =
  | { t: "snap"; id: number; epoch: number; offset: number; resume: string; at: number; state: LiveSet[] }
  | { t: "delta"; id: number; offset: number; resume: string; at: number; set: LiveSet[]; del: string[] }
  | { t: "resync"; id: number }
  | { t: "gap"; id: number; dropped: number; from: number; to: number }
  | { t: "denied"; id: number; reason: string }
  | { t: "pong"; at: number }
  | { t: "bye"; code: number; reason: string; resume: ([number, string])[] };

export interface LiveSet {
  key: string;
  value: Json;
}

/** Newest value of one series, for readouts and moving charts. */
export interface LiveValue {
  metric: string;
  labels: Record<string, string>;
  at_ms: number;
  value: number;
}

/** Query of `GET /api/v1/audit`. */
export interface AuditQuery {
  actor?: string | null;
  /** Prefix, for example `exec`, `sign_in`. */
  action?: string | null;
  object?: string | null;
  cluster?: string | null;
  /** `allow`, `deny`. */
  decision?: string | null;
  from?: number | null;
  to?: number | null;
  /** 1–1000, default 100. */
  limit?: number | null;
  cursor?: string | null;
}

/** One row; newest first. `hash = SHA-256(prev ‖ canonical JSON of the row without prev and hash)`, in hex; canonical: keys sorted, no white space; the first row's `prev` is `SHA-256("pilothouse-audit-v1" ‖ organisation id)`. */
export interface AuditRow {
  /** Gap-free per organisation, from 1. */
  seq: number;
  at_ms: number;
  /** For example `user:ann@example.org`, `key:ci`, `agent:…`, `system`. */
  actor: string;
  /** `web`, `cli`, `api`, `agent`, `server`. */
  client: string;
  ip: string;
  user_agent: string;
  request_id: string;
  /** Session that carried the call; empty without one. */
  session: string;
  /** For example `sign_in.password`, `key.create`, `cluster.join`, `agent.enrol`, `agent.revoke`, `exec.open`, `exec.close`, `logs.query`. */
  action: string;
  cluster: string;
  /** What was acted on, in words: `pod shop/web-1 container app`. */
  object: string;
  target_uid: string;
  /** `allow`, `deny`, or empty for outcomes. */
  decision: string;
  rule: string;
  /** Outcome: `ok`, `failed`, empty on a decision. */
  state: string;
  /** Further fields by action: `argv`, `exit_code`, `bytes`, `rows`, `filter`, `from_ms`, `to_ms`, `output_sha256` …; secrets never. */
  detail: Json;
  /** Of the decision row this outcome belongs to. */
  decision_seq?: number | null;
  prev: string;
  hash: string;
}

/** `GET /api/v1/audit/verify`. */
export interface AuditVerified {
  intact: boolean;
  rows: number;
  head_seq: number;
  head_hash: string;
  /** First row that does not fit, and why. */
  broken_at?: number | null;
  reason: string;
  checked_ms: number;
}
