//! Catalogue: every argument of `pilothouse logs`, as it is written. What they mean together is `ask`'s matter.
//!
//! Every long flag can stand in the configuration file below `[logs]`, and in the environment as `PILOTHOUSE_LOGS_FLAG`.

use clap::Args as Group;

use crate::api::Connection;

const EXAMPLES: &str = "\
Examples:
  pilothouse logs web-7d4b9c-x2x1z
  pilothouse logs shop:deploy/web -f --since 10m
  pilothouse logs prod@shop:sts/db/postgres --tail 100
  pilothouse logs -n shop job/import --all-containers -o json | jq .message
  pilothouse logs ns/shop --level error,fatal --where 'status>=500 and not path:\"/healthz\"' --since 1h
  pilothouse logs deploy/web -g 'timeout|refused' -C 3 --since 2h
  pilothouse logs ns/shop --top level --since 1d
  pilothouse logs file:/tmp/copied --all -o raw -g refused
  kubectl logs web-1 | pilothouse logs --stdin --level warn
  pilothouse logs @web-errors

Exit codes: 0 done, 1 no line (--exit-empty), 2 usage, 3 no such source or several of the name, 4 incomplete (--strict),
5 denied everywhere, 6 unreachable or not possible there, 7 deadline or budget and nothing shown, 70 a defect, 130 interrupted,
141 the reader of the output went away.";

/// Print, follow and search logs of containers.
///
/// SOURCE is `[CLUSTER@][NAMESPACE:]TARGET[/CONTAINER]`, `file:PATH`, `docker/NAME` or a line's cursor. TARGET is a pod, `TYPE/NAME`
/// with TYPE one of pod, deploy, rs, rc, sts, ds, job, cj, svc, node and ns (long names and plurals too), or `~REGEX` over pods' names.
/// Namespaces, names and containers may have `*` and `?`. A bare name is the pod of that name, else the workload of that name, else
/// the pods whose names begin with it and `-`. Without a container it is the pod's default one; `/*` is all of them. `@NAME` is a
/// command saved in the configuration file.
///
/// Lines are read where they lie: live, rotated, gzipped, of earlier runs. Those whose files are gone come from the store.
#[derive(clap::Args, Debug, Clone)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to read; several are united.
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub choose: Choose,
    #[command(flatten)]
    pub range: Range,
    #[command(flatten)]
    pub search: Search,
    #[command(flatten)]
    pub count: Count,
    #[command(flatten)]
    pub view: View,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub connection: Connection,
}

/// Which containers.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Sources")]
pub struct Choose {
    /// Namespaces of sources that name none; commas, globs. Default: the kubeconfig context's, or with agents any.
    #[arg(short, long, value_name = "LIST", env = "PILOTHOUSE_NAMESPACE", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Pods with these labels: `app=web,tier!=batch`.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Pods with these fields: `status.phase=Running`.
    #[arg(long, value_name = "SELECTOR")]
    pub field_selector: Option<String>,
    /// Contexts of the kubeconfig, commas; several make one timeline.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub context: Vec<String>,
    /// Registered clusters by name or id, commas; several make one timeline. Default: any.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// Containers whose names match. Repeatable: any of them.
    #[arg(short, long, value_name = "RE")]
    pub container: Vec<String>,
    /// But not containers whose names match. Repeatable.
    #[arg(short = 'E', long, value_name = "RE")]
    pub exclude_container: Vec<String>,
    /// Not pods whose names match. Repeatable.
    #[arg(long, value_name = "RE")]
    pub exclude_pod: Vec<String>,
    /// All containers of each pod, not the default one alone.
    #[arg(long)]
    pub all_containers: bool,
    /// Init containers among them, when more than the default container is chosen.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub init_containers: Option<bool>,
    /// Ephemeral containers among them, when more than the default container is chosen.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ephemeral_containers: Option<bool>,
    /// Containers in these states: running, waiting, terminated, gone.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = ["running", "waiting", "terminated", "gone"])]
    pub container_state: Vec<String>,
    /// Pods with this condition: `Ready`, `Ready=False`. Repeatable: all of them.
    #[arg(long, value_name = "TYPE[=STATUS]")]
    pub condition: Vec<String>,
    /// Pods on these nodes; commas, globs.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub node: Vec<String>,
    /// Pods on nodes of these regions.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub region: Vec<String>,
    /// Pods on nodes of these zones.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub zone: Vec<String>,
    /// Pods on nodes with these operating systems.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub os: Vec<String>,
    /// Pods on nodes of these architectures.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub arch: Vec<String>,
    /// Containers of this Docker host.
    #[arg(long, value_name = "HOST")]
    pub docker: Option<String>,
    /// Choose from a list on the terminal. Without a SOURCE the list opens by itself.
    #[arg(long)]
    pub pick: bool,
    /// Standard input, in the format of container logs or as plain lines.
    #[arg(long, conflicts_with_all = ["sources", "pick", "follow", "cluster", "context", "docker"])]
    pub stdin: bool,
}

/// Which lines by place and time.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Range")]
pub struct Range {
    /// The last N lines of all sources together. Default: 10; with --since, --until, --after or --stdin all.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = super::ask::lines)]
    pub tail: Option<u64>,
    /// The first N lines of all sources together.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10", conflicts_with_all = ["tail", "follow"])]
    pub head: Option<u64>,
    /// All lines, from the oldest on.
    #[arg(long, conflicts_with_all = ["tail", "head"])]
    pub all: bool,
    /// N lines of each source, not of all together.
    #[arg(long)]
    pub per_source: bool,
    /// From when on, inclusive: `3h`, `1d2h`, `PT30M`, `14:03`, `yesterday`, `monday`, `2026-11-21`, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until when, inclusive.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// Lines after this cursor, page token or time, exclusive.
    #[arg(long, value_name = "X")]
    pub after: Option<String>,
    /// Lines before this cursor, page token or time, exclusive.
    #[arg(long, value_name = "X", conflicts_with_all = ["after", "follow", "head"])]
    pub before: Option<String>,
    /// One line by its cursor, and 5 lines around it, or as many as -C says.
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["tail", "head", "all", "since", "until", "after", "before", "follow"])]
    pub at: Option<String>,
    /// The container's run before the current one, or the Nth before.
    #[arg(short, long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1", conflicts_with_all = ["restarts", "follow"])]
    pub previous: Option<u32>,
    /// Runs of the containers: all, current, or a restart number. Default: current; all with a range or a search.
    #[arg(long, value_name = "all|current|N")]
    pub restarts: Option<String>,
    /// Go on with new lines, until interrupted. `--tail=0 -f` gives new lines alone.
    #[arg(short, long)]
    pub follow: bool,
    /// When this command reads too slowly to keep up: wait, or skip to the end with a gap.
    #[arg(long, value_name = "HOW", value_parser = ["wait", "skip"])]
    pub on_lag: Option<String>,
    /// How long a line may wait for older ones of other sources, in the orders merge.
    #[arg(long, value_name = "SPAN")]
    pub sort_window: Option<String>,
    /// By time over all sources (strict), the same but waiting no longer than the window (merge), or as lines come (arrival).
    /// Default: merge for follows and for unbounded output on a terminal, else strict.
    #[arg(long, value_name = "HOW", value_parser = ["strict", "merge", "arrival"])]
    pub order: Option<String>,
    /// From the files on the nodes, from the store, or from both: the store for what files no longer hold.
    #[arg(long, value_name = "WHERE", value_parser = ["auto", "files", "store"], default_value = "auto")]
    pub origin: String,
}

/// Which lines by content.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Search")]
pub struct Search {
    /// Lines that this matches; letters of either case unless one of them is a capital.
    #[arg(short, long, value_name = "RE")]
    pub grep: Option<String>,
    /// Patterns of -g, -i and -e are texts, not expressions.
    #[arg(short = 'F', long)]
    pub fixed_strings: bool,
    /// Patterns of -g, -i and -e match whole words.
    #[arg(short, long)]
    pub word_regexp: bool,
    /// Lines that -g does not match.
    #[arg(short = 'v', long, requires = "grep")]
    pub invert_match: bool,
    /// Letters of either case match.
    #[arg(long)]
    pub ignore_case: bool,
    /// Letters match as they are written.
    #[arg(long, conflicts_with = "ignore_case")]
    pub case_sensitive: bool,
    /// Lines that at least one of these matches. Repeatable.
    #[arg(short, long, value_name = "RE")]
    pub include: Vec<String>,
    /// Lines that none of these matches. Repeatable.
    #[arg(short, long, value_name = "RE")]
    pub exclude: Vec<String>,
    /// Levels: `error,fatal`, or `>=warn`. Lines of unknown level are left out and counted.
    #[arg(long, value_name = "L[,L]|>=L")]
    pub level: Option<String>,
    /// A condition in the filter language: `status>=500 and not path:"/healthz"`. Repeatable: all of them.
    #[arg(long = "where", value_name = "EXPR")]
    pub condition_expr: Vec<String>,
    /// One of the two streams.
    #[arg(long, value_parser = ["stdout", "stderr"], value_name = "STREAM")]
    pub stream: Option<String>,
    /// N lines of the same source before and after each match.
    #[arg(short = 'C', long, value_name = "N")]
    pub context_lines: Option<u32>,
    /// N lines before each match.
    #[arg(long, value_name = "N")]
    pub before_lines: Option<u32>,
    /// N lines after each match.
    #[arg(long, value_name = "N")]
    pub after_lines: Option<u32>,
    /// Stop after N matches.
    #[arg(short, long, value_name = "N")]
    pub max_count: Option<u64>,
}

/// Numbers instead of lines.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Counts")]
pub struct Count {
    /// How many lines each source has.
    #[arg(long, group = "aggregate", conflicts_with = "follow")]
    pub count: bool,
    /// The sources that have such a line.
    #[arg(long, group = "aggregate", conflicts_with = "follow")]
    pub sources_only: bool,
    /// Lines by time and level, in N steps.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "60", group = "aggregate", conflicts_with = "follow", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub histogram: Option<u32>,
    /// The N most frequent values of a field: `status`, `user.id=20`, `level`.
    #[arg(long, value_name = "FIELD[=N]", group = "aggregate", conflicts_with = "follow")]
    pub top: Option<String>,
    /// The N most frequent shapes of lines, with numbers, ids and quoted texts left out.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20", group = "aggregate", conflicts_with = "follow", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub patterns: Option<u32>,
}

/// How lines are shown.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Output")]
pub struct View {
    /// How a line is printed. Default: table on a terminal, else text.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<super::output::Format>,
    /// The same as `-o json`.
    #[arg(long, conflicts_with_all = ["output", "template", "template_file"])]
    pub json: bool,
    /// A line by this pattern: `{ts:short} {pod:20} {json.user.id} {message}`.
    #[arg(long, value_name = "T", conflicts_with_all = ["output", "template_file"])]
    pub template: Option<String>,
    /// The pattern of --template in a file.
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub template_file: Option<std::path::PathBuf>,
    /// Show these fields of the message instead of all of it; in JSON beside it.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Columns of table, csv and tsv, of: timestamp, dot, cluster, node, region, zone, os, arch, namespace, pod, container, restart,
    /// stream, level, position. Default: timestamp,dot,pod,container.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<super::output::Column>,
    /// These columns too.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub add_columns: Vec<super::output::Column>,
    /// Not these columns.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub remove_columns: Vec<super::output::Column>,
    /// No line with the names of the columns.
    #[arg(long)]
    pub no_header: bool,
    /// Each line's time: default, short, ms, relative, unix, none, or a strftime pattern.
    #[arg(short, long, value_name = "FMT", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    pub timestamps: Option<String>,
    /// Time zone of what is shown and of times without one: local, utc or a name such as Europe/Moscow.
    #[arg(long, value_name = "TZ", default_value = "local")]
    pub timezone: String,
    /// Mark what this matches. Default: what the search matches. Repeatable.
    #[arg(short = 'H', long, value_name = "RE")]
    pub highlight: Vec<String>,
    /// Colours: auto (on a terminal, unless NO_COLOR is set), always, never.
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"], default_value = "auto")]
    pub color: String,
    /// Terminal sequences in messages: keep (colours alone reach a terminal), strip or escape. Default: keep on a terminal, else strip;
    /// raw and JSON have a message as it is.
    #[arg(long, value_name = "HOW", value_parser = ["keep", "strip", "escape"])]
    pub ansi: Option<String>,
    /// Stack traces as one record.
    #[arg(long)]
    pub group_lines: bool,
    /// Wrap long messages below themselves.
    #[arg(long)]
    pub wrap: bool,
    /// Longer lines are cut and marked, 64KiB to 16MiB.
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_line: String,
    /// What else stands between the lines: restarts, events, rollouts, alerts, none. Default: restarts.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = ["restarts", "events", "rollouts", "alerts", "none"])]
    pub with: Vec<String>,
    /// Whether missing lines are told in place: show or hide. The summary and --strict count them either way.
    #[arg(long, value_name = "HOW", value_parser = ["show", "hide"], default_value = "show")]
    pub gaps: String,
    /// What was read and what is missing, at the end: on, off. Default: on when stderr is a terminal; always part of JSON unless off.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "on", value_parser = ["on", "off"])]
    pub stats: Option<String>,
    /// At the end, on stderr: the tokens that go on from here with --after and --before.
    #[arg(long)]
    pub with_cursors: bool,
    /// Write to a new file of mode 0600.
    #[arg(long, value_name = "FILE")]
    pub out: Option<std::path::PathBuf>,
    /// Compress what --out writes.
    #[arg(long, requires = "out")]
    pub gzip: bool,
}

/// When to stop.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Stop after this much output.
    #[arg(long, value_name = "SIZE")]
    pub limit_bytes: Option<String>,
    /// Stop after this long.
    #[arg(long, value_name = "SPAN")]
    pub timeout: Option<String>,
    /// Ask on a terminal before more than this is downloaded.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub confirm_bytes: String,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Exit 4 when anything is missing: a gap, a cut line, a budget.
    #[arg(long)]
    pub strict: bool,
    /// Exit 1 when there is no line.
    #[arg(long)]
    pub exit_empty: bool,
    /// Print the sources, the plan and an estimate, and read nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where the answer comes from.
#[derive(Group, Debug, Clone, Default)]
#[command(next_help_heading = "Backend")]
pub struct Place {
    /// Through the server and its agents, straight from the Kubernetes API, or whichever there is. A named one never falls back.
    #[arg(long, value_name = "WHICH", value_parser = ["auto", "agent", "kube"], default_value = "auto")]
    pub backend: String,
    /// Streams at once, straight from the Kubernetes API.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub max_concurrent: u32,
    /// Requests a second to the Kubernetes API.
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub qps: f32,
    /// Requests to the Kubernetes API that may come at once beyond that.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub burst: u32,
    /// Mask secrets in what is read from files and straight from the Kubernetes API. Agents mask by themselves.
    #[arg(long)]
    pub redact: bool,
    /// Lines as they are, with their secrets, where the cluster's owner allows it to people.
    #[arg(long, conflicts_with = "redact")]
    pub unmasked: bool,
    /// The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// As the pod that this runs in, not by a kubeconfig.
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"])]
    pub in_cluster: bool,
    /// Another configuration file than ~/.config/pilothouse/config.toml.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CONFIG")]
    pub config: Option<std::path::PathBuf>,
    /// Tell on stderr what is asked and tried again.
    #[arg(long)]
    pub verbose: bool,
}
