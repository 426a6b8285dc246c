//! Logs: sources, queries, streams.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Names containers. Every field given narrows; a field left out means any. Names may have `*` and `?`. A stream that follows
/// takes up pods that fit later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSelect {
    /// Name or id.
    #[serde(default)]
    pub cluster: Option<String>,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub pod: Option<String>,
    #[serde(default)]
    pub pod_uid: Option<String>,
    #[serde(default)]
    pub container: Option<String>,
    /// UID of a workload: all its pods.
    #[serde(default)]
    pub workload_uid: Option<String>,
    /// Kind of a workload named by `workload`.
    #[serde(default)]
    pub workload_kind: Option<String>,
    #[serde(default)]
    pub workload: Option<String>,
    #[serde(default)]
    pub node: Option<String>,
    /// All containers of a pod, else its default container.
    #[serde(default)]
    pub all_containers: bool,
    /// Pods whose names match this expression; letters of either case unless one of them is a capital. So do the other
    /// expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_match: Option<String>,
    /// Not pods whose names match one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_pods: Vec<String>,
    /// Containers whose names match one of these; one that has exactly the name is meant alone. Looks at all containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_containers: Vec<String>,
    /// Where more than the default container is chosen: not init containers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_init: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_ephemeral: bool,
    /// Kubernetes label selector: `app=web,tier in (front,back),!canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Kubernetes field selector over pods: `status.phase=Running,spec.nodeName!=n1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<String>,
    /// Pods with all of these conditions: `Ready`, `Ready=False`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Pods that a service of this name selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Resource of the owner that `workload` names, with its group: `rollouts.argoproj.io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `running`, `waiting`, `terminated`, `gone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Any of these nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// On nodes of any of these regions; likewise zones, operating systems and architectures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub os: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arch: Vec<String>,
}

/// `POST /api/v1/logs/sources` → [`LogSources`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSourcesAsk {
    /// Empty: every source that the caller may read.
    #[serde(default)]
    pub sources: Vec<LogSelect>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogSources {
    pub sources: Vec<LogSource>,
    pub gaps: Vec<LogGap>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogSource {
    /// Stable within one answer or stream: `<cluster id>/<namespace>/<pod uid>/<container>`.
    pub id: String,
    pub cluster: String,
    pub namespace: String,
    pub workload_kind: String,
    pub workload: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub node: String,
    /// Of the node, where its labels tell; otherwise empty.
    #[serde(default)]
    pub zone: String,
    /// `running`, `waiting`, `terminated`, `gone`.
    pub state: String,
    pub runs: Vec<LogRun>,
    pub bytes: u64,
    pub first_ns: Option<String>,
    pub last_ns: Option<String>,
    /// Lines a second over the last minute, where lines are shipped.
    pub lines_per_s: Option<f64>,
    pub restarts: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogRun {
    pub run: u32,
    pub segments: Vec<LogSegment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogSegment {
    pub file: String,
    pub bytes: u64,
    pub gzip: bool,
}

/// `POST /api/v1/logs/query` → [`LogPage`]; `POST /api/v1/logs/streams` → 201 [`LogStreamOpened`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    pub sources: Vec<LogSelect>,
    /// RFC 3339 or ms UTC as text; inclusive.
    #[serde(default)]
    pub from: Option<String>,
    /// Exclusive.
    #[serde(default)]
    pub to: Option<String>,
    /// `tail` (default), `head`, `all`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Page token or cursor; exclusive.
    #[serde(default)]
    pub after: Option<String>,
    #[serde(default)]
    pub before: Option<String>,
    #[serde(default)]
    pub filter: LogFilter,
    /// Records in this page, default 300, at most 1,000.
    #[serde(default)]
    pub limit: Option<u32>,
    /// `auto` (default): files where they exist, the store for older time; `files`; `store`.
    #[serde(default)]
    pub origin: Option<String>,
    /// Streams: go on with new lines.
    #[serde(default)]
    pub follow: bool,
    /// All restarts, else the current run.
    #[serde(default)]
    pub all_runs: bool,
    /// The Nth run before the current one.
    #[serde(default)]
    pub previous: Option<u32>,
    /// The run of this restart number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<u32>,
    /// Streams in the order `merge`: how long a line may wait for older ones, ms; default 500, at most 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort_window_ms: Option<u32>,
    /// Longer lines are cut and marked: 64 KiB to 16 MiB, default 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_line: Option<u32>,
    /// Pages: after so many ms a page ends with what was found until then, and its tokens go on; at most what the caller's budget
    /// allows, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u32>,
    /// Cursor of one line: the page around it, the line itself included.
    #[serde(default)]
    pub at: Option<String>,
    /// Lines of the same source around each match, or around `at`.
    #[serde(default)]
    pub context: LogContext,
    /// `strict`: by time over all sources; `merge`: as strict, but nothing waits longer than half a second, what is found later
    /// is flagged `late`; `arrival`. Default: `strict` for pages, `merge` for streams.
    #[serde(default)]
    pub order: Option<String>,
    /// What else stands in the timeline: `events`.
    #[serde(default)]
    pub with: Vec<String>,
    /// Keys of the message that each record should bring along.
    #[serde(default)]
    pub fields: Vec<String>,
    /// `limit` counts for each source, not for the merged result.
    #[serde(default)]
    pub per_source: bool,
    /// Streams whose reader is too slow: `wait` (default) or `skip` to the end with a gap.
    #[serde(default)]
    pub on_lag: Option<String>,
    /// Lines as they are, where the cluster's owner allows it to people.
    #[serde(default)]
    pub unmasked: bool,
}

/// Lines around a match, at most 1,000 each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogContext {
    #[serde(default)]
    pub before: u32,
    #[serde(default)]
    pub after: u32,
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFilter {
    /// Text of the filter language. Stages behind it make a table of all lines of the range, in pages alone.
    #[serde(default)]
    pub expr: Option<String>,
    /// Message contains this text; insensitive unless it has an upper-case letter.
    #[serde(default)]
    pub contains: Option<String>,
    /// Message does not contain this.
    #[serde(default)]
    pub excludes: Option<String>,
    /// At least this level; lines of unknown level are left out.
    #[serde(default)]
    pub level: Option<String>,
    /// `stdout`, `stderr`.
    #[serde(default)]
    pub stream: Option<String>,
    /// Exact values of fields (JSON or logfmt keys of the message).
    #[serde(default)]
    pub fields: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogRecord {
    /// RFC 3339 with nine digits, UTC.
    pub ts: String,
    /// Index into `sources` of the page or stream.
    pub source: u32,
    /// `stdout`, `stderr`, `unknown`.
    pub stream: String,
    /// `trace` … `fatal`, `unknown`.
    pub level: String,
    /// Invalid UTF-8 replaced; exact bytes then in `message_b64`.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_b64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    pub restart: u32,
    /// Names this very line: survives rotation, gzip, restarts of agent and server.
    pub cursor: String,
    /// `files`, `store`, or `api`: read over the Kubernetes API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// Those of the query's `fields` that the message has, as text.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub fields: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogGap {
    /// `rotated_away`, `before_oldest`, `truncated`, `nul_run`, `corrupt`, `read_error`, `skipped`, `budget`, `stalled`,
    /// `node_unreachable`, `cluster_unreachable`, `denied`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u32>,
    pub source_name: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub bytes: Option<u64>,
    pub lines: Option<u64>,
    pub exact: bool,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogMarker {
    /// `restarted`, `ended`, `joined`; `waiting`: the container has not begun to write, and `reason` says why.
    pub kind: String,
    pub source: u32,
    pub restart: u32,
    pub at: Option<String>,
    pub exit_code: Option<i32>,
    pub reason: String,
}

/// Records ascending by time; within one source always in file order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    pub sources: Vec<LogSource>,
    pub records: Vec<LogRecord>,
    pub gaps: Vec<LogGap>,
    pub markers: Vec<LogMarker>,
    /// Token for newer records.
    pub next: Option<String>,
    /// Token for older records.
    pub prev: Option<String>,
    pub summary: LogSummary,
    /// What the stages of `filter.expr` made of the lines, in place of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<LogTable>,
}

/// A table that stages made of lines: `… | count by level every 1m`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogTable {
    pub columns: Vec<LogTableColumn>,
    /// Cells in the order of the columns: text, a number, a time as RFC 3339, or null where there is nothing.
    pub rows: Vec<Vec<serde_json::Value>>,
    /// False: `remarks` say which numbers are only near, or what is left out.
    pub exact: bool,
    pub remarks: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogTableColumn {
    pub name: String,
    /// `text`, `number`, `time`.
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogSummary {
    pub sources_read: u32,
    pub sources_known: u32,
    pub files_read: u32,
    pub files_known: u32,
    /// Of `files_read`: those in which the page before this one ended, so that they count once in the sum of both.
    #[serde(default)]
    pub files_resumed: u32,
    pub scanned_bytes: u64,
    pub known_bytes: u64,
    pub lines: u64,
    pub matches: u64,
    pub cut_lines: u64,
    pub gaps: u64,
    pub oldest: Option<String>,
    /// `done`, `rows`, `bytes`, `time`, `cancelled`.
    pub stopped: String,
    /// `proven`, `unproven`, `incomplete`.
    pub completeness: String,
    pub took_ms: u64,
    /// Lines that a condition on the level left out because their level is unknown.
    #[serde(default)]
    pub unknown_levels: u64,
    /// Masked values by kind; they are not wrong.
    #[serde(default)]
    pub redactions: std::collections::BTreeMap<String, u64>,
    /// `proven`, `assumed_ordered`, or empty when nothing was sought.
    #[serde(default)]
    pub seek: String,
    /// Of a page toward older lines that `stopped` for `time` or `bytes`: back to here every source was looked at. `prev` goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_to: Option<String>,
}

/// `POST /api/v1/logs/count` → [`LogCount`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogCountAsk {
    pub query: LogQuery,
    /// `time` (default), `level`, `field`, `pattern`.
    #[serde(default)]
    pub by: Option<String>,
    /// With `field`: its key.
    #[serde(default)]
    pub field: Option<String>,
    /// At most 500 by time, 100 by field, 1,000 by pattern; defaults 60, 10, 20.
    #[serde(default)]
    pub buckets: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogCount {
    /// Time: oldest first, one a level; else most frequent first.
    pub buckets: Vec<LogBucket>,
    /// Matches in no bucket.
    pub other: u64,
    /// False: counts may be too high, by at most `error`.
    pub exact: bool,
    pub error: u64,
    pub gaps: Vec<LogGap>,
    pub summary: LogSummary,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogBucket {
    pub from: Option<String>,
    pub to: Option<String>,
    /// Level, value or pattern.
    pub key: String,
    pub count: u64,
    /// Patterns: one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `GET /api/v1/logs/lines/{cursor}`: a line and its neighbours in the same source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    pub source: LogSource,
    pub records: Vec<LogRecord>,
    /// Index of the line itself in `records`.
    pub index: u32,
    pub gaps: Vec<LogGap>,
}

/// `POST /api/v1/logs/downloads` → 201 [`LogDownload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogDownloadAsk {
    pub query: LogQuery,
    /// `text`, `json` (one object a line), `csv`, `tsv`.
    pub format: String,
    /// `all`, `head`, `tail`, `between` (the query's times).
    pub range: String,
    /// With `head` and `tail`.
    #[serde(default)]
    pub lines: Option<u64>,
    /// Keep colour sequences; else they are removed.
    #[serde(default)]
    pub ansi: bool,
    /// gzip.
    #[serde(default)]
    pub compress: bool,
    /// Columns of csv and tsv; empty: timestamp, cluster, namespace, pod, container, level, message.
    #[serde(default)]
    pub columns: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogDownload {
    /// Fetched once from `/api/v1/logs/downloads/{id}` by its creator; `?after=` with the last summary's token resumes it.
    pub id: String,
    pub file_name: String,
    /// Before the filter: bytes that will be scanned.
    pub scan_bytes: u64,
    pub sources: u32,
    pub expires_ms: i64,
}

/// A named query. `GET /api/v1/logs/views` → list, `POST` creates or replaces by name, `DELETE /api/v1/logs/views/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogView {
    pub id: String,
    pub name: String,
    pub query: LogQuery,
    pub columns: Vec<String>,
    /// Seen by the organisation, else by its owner alone.
    pub shared: bool,
    pub owner: String,
    pub updated_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogViewAsk {
    pub name: String,
    pub query: LogQuery,
    #[serde(default)]
    pub columns: Vec<String>,
    #[serde(default)]
    pub shared: bool,
}

/// `POST /api/v1/logs/complete`: what fits at a place in a filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogCompleteAsk {
    pub text: String,
    /// Byte offset of the cursor.
    pub at: u32,
    #[serde(default)]
    pub sources: Vec<LogSelect>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogCompletion {
    /// Byte range of `text` that a suggestion replaces.
    pub from: u32,
    pub to: u32,
    pub suggestions: Vec<LogSuggestion>,
    /// What is wrong with the text as it stands.
    pub error: Option<LogFilterError>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogSuggestion {
    pub text: String,
    /// `field`, `value`, `operator`, `stage`.
    pub kind: String,
    /// Lines that have it, where counted.
    pub count: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogFilterError {
    /// Byte range.
    pub from: u32,
    pub to: u32,
    pub text: String,
    pub suggestion: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogStreamOpened {
    pub id: String,
    /// To be claimed by then, by its creator.
    pub expires_ms: i64,
}

/// Client frames of `GET /api/v1/logs/streams/{id}`, subprotocol `pilothouse.logs.v1`, JSON text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "one at a time, just read from a socket")]
pub enum LogStreamAsk {
    /// Bytes of batches that the client can take beyond what it was sent. 1 MiB is granted at the start.
    Credit {
        bytes: u64,
    },
    Pause,
    Resume,
    /// A new query on the same socket.
    Open {
        query: LogQuery,
    },
    Close,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum LogStreamFrame {
    /// All sources so far; a later frame replaces it, indexes never change.
    Sources {
        sources: Vec<LogSource>,
    },
    Batch {
        records: Vec<LogRecord>,
        bytes: u64,
        next: String,
    },
    Progress {
        source: u32,
        at: Option<String>,
        scanned_bytes: u64,
        total_bytes: u64,
        caught_up: bool,
    },
    Gap {
        gap: LogGap,
    },
    Marker {
        marker: LogMarker,
    },
    /// How far behind the file the client is.
    Lag {
        bytes: u64,
        lines: u64,
    },
    Summary {
        summary: LogSummary,
    },
    Error {
        kind: String,
        detail: String,
        next_step: Option<String>,
    },
}
