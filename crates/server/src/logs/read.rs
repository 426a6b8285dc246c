//! Reading the files of many nodes at once: what each source gives from where it stands, and how far it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use ph_api::LogSource;
use ph_filter::Filter;
use ph_link::API_SEGMENT;
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M as Event;
use ph_link::v1::{LogGap, LogMarker, LogSummary, OnLag, ReadControl, ReadMode, ReadOpen, SourceRef};
use ph_model::{Position, Secret};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::ask::{Ask, Mode, Shape};
use super::columns;
use super::planted::Planted;
use super::record::{Record, position, records, wire};
use super::ticket::{self, Admitted, TicketDesk};
use super::token::{Mark, PageToken};

/// History ends by then; what is not read is a gap.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// A node that does not begin to answer by then is a gap, and so is a cluster that is not heard about rights.
pub const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Records of all sources of one node, in bytes, before they are merged.
const MAX_NODE_BYTES: u64 = 64 << 20;
/// Bytes granted to a node at once.
const CREDIT: u64 = 1 << 20;
/// Nodes asked at the same time.
pub const CONCURRENT: usize = 50;

/// A source with its place in the query's list.
#[derive(Clone, Debug)]
pub struct Source {
    pub index: u32,
    /// Stable id, as page tokens name it.
    pub id: String,
    pub wire: SourceRef,
    /// Number of its current run.
    pub restarts: u32,
    /// What all its lines have in common, for conditions on it.
    pub columns: Arc<LogSource>,
}

/// Who can read the logs of one node now.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// The node's own agent, which reads the files.
    pub files: Option<Channel>,
    /// The cluster's agent, which reads over the Kubernetes API: the live file and one run before.
    pub api: Option<Channel>,
}

impl Doors {
    /// Who goes on at a place, or begins without one. A place in a file is nothing to the API, nor the other way around.
    pub fn to(&self, place: Option<&Position>) -> Option<Channel> {
        match place {
            Some(p) if is_of_api(p) => self.api.clone(),
            Some(_) => self.files.clone(),
            None => self.files.clone().or_else(|| self.api.clone()),
        }
    }
}

/// Whether a line was read over the Kubernetes API.
pub fn is_of_api(p: &Position) -> bool {
    p.segment_key == API_SEGMENT
}

/// The sources of one node, or of a cluster that has none with an agent.
#[derive(Clone)]
pub struct NodeSources {
    /// The node's name, or [`whole`].
    pub node: String,
    pub doors: Doors,
    pub sources: Vec<Source>,
    /// Where the cluster is asked whether they may be read.
    pub tickets: TicketDesk,
    /// The organisation's, with which the node masks.
    pub mask_key: Secret<Vec<u8>>,
    /// How long each of its agents may be silent: [`FIRST_ANSWER`].
    pub patience: Duration,
    /// Takes note of links in place of its logs.
    pub planted: Planted,
}

impl NodeSources {
    /// What is said of an agent that stayed silent.
    pub fn silent(&self) -> String {
        format!("the agent did not answer within {} s", self.patience.as_secs_f64())
    }
}

/// A gap with the source's index, or the node's name where all its sources are meant.
pub type Missing = (Option<u32>, String, LogGap);

/// What the nodes gave.
#[derive(Debug, Default)]
pub struct Found {
    /// By source, in file order.
    pub lists: BTreeMap<u32, Vec<Record>>,
    /// Everything before it (toward older ones: behind it) is in the lists.
    pub scans: BTreeMap<u32, Position>,
    /// Everything behind it is in the lists, for sources whose newest were asked for.
    pub since: BTreeMap<u32, Position>,
    /// Time of the oldest lines that were looked at toward older ones, ns UTC.
    pub looked: BTreeMap<u32, i64>,
    /// Sources of which nothing is left in this direction.
    pub ended: BTreeSet<u32>,
    /// Sources that could not be read now.
    pub unread: BTreeSet<u32>,
    pub gaps: Vec<Missing>,
    pub markers: Vec<LogMarker>,
    pub summary: LogSummary,
}

impl Found {
    pub fn and(&mut self, other: Self) {
        self.lists.extend(other.lists);
        self.scans.extend(other.scans);
        self.since.extend(other.since);
        self.looked.extend(other.looked);
        self.ended.extend(other.ended);
        self.unread.extend(other.unread);
        self.gaps.extend(other.gaps);
        self.markers.extend(other.markers);
        add(&mut self.summary, &other.summary);
    }

    pub fn missing(gaps: Vec<Missing>, node: &NodeSources) -> Self {
        let summary = LogSummary {
            gaps: gaps.len() as u64,
            completeness: "incomplete".into(),
            ..LogSummary::default()
        };
        let named: BTreeSet<u32> = gaps.iter().filter_map(|(source, ..)| *source).collect();
        let all = gaps.iter().any(|(source, ..)| source.is_none());
        let unread = if all { node.sources.iter().map(|s| s.index).collect() } else { named };
        Self { gaps, summary, unread, ..Self::default() }
    }
}

/// The `open` message of a read over one node's sources, without places to go on from.
pub fn open(node: &NodeSources, ask: &Ask) -> ReadOpen {
    let history = ask.budget.scan_ms.min(u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX));
    let mut o = ReadOpen {
        sources: node.sources.iter().map(|s| s.wire.clone()).collect(),
        lines: u64::from(ask.limit),
        from_ns: ask.from_ns,
        to_ns: ask.to_ns,
        filter_json: serde_json::to_string(&ask.filter).unwrap_or_default(),
        streams: ask.streams.clone(),
        follow: ask.follow,
        deadline_ms: if ask.shape == Shape::Stream { 0 } else { history },
        budget_bytes: ask.budget.scan_bytes,
        credit_bytes: CREDIT,
        all_runs: ask.all_runs,
        previous: ask.previous,
        max_line: ask.max_line,
        context_before: ask.context.before,
        context_after: ask.context.after,
        mask_key: node.mask_key.expose().clone().into(),
        unmasked: ask.unmasked,
        ..ReadOpen::default()
    };
    if ask.skip_on_lag {
        o.on_lag = OnLag::Skip.into();
    }
    o.mode = match (ask.mode, &ask.token) {
        (_, Some(t)) if t.back => ReadMode::Backward,
        (_, Some(_)) if ask.shape == Shape::Stream => ReadMode::All,
        (_, Some(_)) => ReadMode::Head,
        (Mode::All, None) if ask.shape == Shape::Stream => ReadMode::All,
        (Mode::Head | Mode::All, None) => ReadMode::Head,
        (Mode::Tail, None) => ReadMode::Tail,
    }
    .into();
    o
}

/// One call to a node: its sources in the order of the call.
pub struct Lane {
    pub node: NodeSources,
    /// `None`: nobody can go on there now.
    pub channel: Option<Channel>,
    pub open: ReadOpen,
    /// Places whose record was given before.
    behind: BTreeMap<u32, Position>,
}

/// The calls that a page or stream needs of one node: sources that go on where they stand, and those that begin at a time; those
/// apart of which a condition on pods, nodes and the like leaves another question.
pub fn lanes(node: &NodeSources, ask: &Ask) -> Vec<Lane> {
    if !columns::asked_by(&ask.filter) {
        return lanes_of_runs(node, ask);
    }
    let mut alike: Vec<(Filter, Vec<Source>)> = Vec::new();
    for s in &node.sources {
        let left = columns::left(&ask.filter, &s.columns);
        match alike.iter_mut().find(|(filter, _)| *filter == left) {
            Some((_, sources)) => sources.push(s.clone()),
            None => alike.push((left, vec![s.clone()])),
        }
    }
    let of = |(filter, sources)| {
        lanes_of_runs(&NodeSources { sources, ..node.clone() }, &Ask { filter, ..ask.clone() })
    };
    alike.into_iter().flat_map(of).collect()
}

/// Of a run's number those apart that have it as far before their current one.
fn lanes_of_runs(node: &NodeSources, ask: &Ask) -> Vec<Lane> {
    let Some(run) = ask.restart else { return lanes_alike(node, ask) };
    let mut back: BTreeMap<u32, Vec<Source>> = BTreeMap::new();
    for s in &node.sources {
        if let Some(previous) = s.restarts.checked_sub(run) {
            back.entry(previous).or_default().push(s.clone());
        }
    }
    let of = |(previous, sources): (u32, Vec<Source>)| {
        lanes_alike(&NodeSources { sources, ..node.clone() }, &Ask { previous, ..ask.clone() })
    };
    back.into_iter().flat_map(of).collect()
}

fn lanes_alike(node: &NodeSources, ask: &Ask) -> Vec<Lane> {
    let Some(token) = &ask.token else {
        let channel = node.doors.to(None);
        return vec![Lane { node: node.clone(), channel, open: open(node, ask), behind: BTreeMap::new() }];
    };
    let none = NodeSources { sources: Vec::new(), ..node.clone() };
    let (mut in_files, mut over_api, mut timed) = (none.clone(), none.clone(), none);
    for s in &node.sources {
        let mark = token.mark(&s.id);
        let by_api = match mark.and_then(|m| m.position()) {
            Some(p) => is_of_api(&p),
            None => node.doors.files.is_none() && node.doors.api.is_some(),
        };
        match mark {
            Some(Mark::Done | Mark::Store { .. } | Mark::Time { .. }) if token.back => {}
            None if token.since.is_some() || ask.shape == Shape::Stream => timed.sources.push(s.clone()),
            _ if by_api => over_api.sources.push(s.clone()),
            _ => in_files.sources.push(s.clone()),
        }
    }
    let (files, api) = (node.doors.files.clone(), node.doors.api.clone());
    [placed((in_files, files), ask, token), placed((over_api, api), ask, token), at_time(timed, ask, token)]
        .into_iter()
        .filter(|lane| !lane.node.sources.is_empty())
        .collect()
}

/// Sources that go on where they stand.
fn placed((placed, channel): (NodeSources, Option<Channel>), ask: &Ask, token: &PageToken) -> Lane {
    let mut behind = BTreeMap::new();
    let mut first = open(&placed, ask);
    for (i, s) in (0_u32..).zip(&placed.sources) {
        let Some(mark) = token.mark(&s.id) else { continue };
        let Some(p) = mark.position() else { continue };
        if token.back {
            first.before_by_source.insert(i, wire(&p));
        } else {
            first.after_by_source.insert(i, wire(&p));
        }
        if matches!(mark, Mark::Behind { .. }) && !token.back {
            behind.insert(s.index, p);
        }
    }
    if !behind.is_empty() && first.lines > 0 {
        first.lines += 1;
    }
    Lane { node: placed, channel, open: first, behind }
}

/// Sources that begin at the token's time.
fn at_time(timed: NodeSources, ask: &Ask, token: &PageToken) -> Lane {
    let mut second = match token.since {
        // A stream's source that has not yet begun begins as it was asked to.
        None => open(&timed, &Ask { token: None, ..ask.clone() }),
        Some(_) => open(&timed, ask),
    };
    if let Some(since) = token.since {
        if token.back {
            second.to_ns = if ask.to_ns == 0 { since } else { ask.to_ns.min(since) };
        } else {
            second.from_ns = ask.from_ns.max(since);
        }
    }
    Lane { channel: timed.doors.to(None), node: timed, open: second, behind: BTreeMap::new() }
}

impl Lane {
    /// Takes away records that were given before.
    pub fn fresh(&self, source: u32, list: &mut Vec<Record>) {
        let Some(p) = self.behind.get(&source) else { return };
        list.retain(|r| {
            (r.position.run, r.position.segment_key, r.position.offset) != (p.run, p.segment_key, p.offset)
        });
    }
}

/// Reads all nodes at once, each within the query's budget. Nodes that cannot answer become gaps; the others are not held
/// up beyond the deadline.
pub async fn files(nodes: &[NodeSources], ask: &Ask) -> Found {
    let mut ask = ask.clone();
    ask.budget.scan_bytes /= (nodes.len() as u64).max(1);
    let asked: Vec<_> = nodes
        .iter()
        .flat_map(|n| lanes(n, &ask))
        .map(|lane| async move { read_lane(&lane).await }.boxed())
        .collect();
    let mut answers = futures::stream::iter(asked).buffer_unordered(CONCURRENT);
    let mut found = Found::default();
    while let Some(answer) = answers.next().await {
        found.and(answer);
    }
    found
}

pub fn add(sum: &mut LogSummary, one: &LogSummary) {
    sum.sources += one.sources;
    sum.segments_read += one.segments_read;
    sum.segments_known += one.segments_known;
    sum.segments_resumed += one.segments_resumed;
    sum.scanned_bytes += one.scanned_bytes;
    sum.known_bytes += one.known_bytes;
    sum.lines += one.lines;
    sum.matches += one.matches;
    sum.cut_lines += one.cut_lines;
    sum.gaps += one.gaps;
    sum.unknown_levels += one.unknown_levels;
    sum.context_lines += one.context_lines;
    for r in &one.redactions {
        match sum.redactions.iter_mut().find(|mine| mine.kind == r.kind) {
            Some(mine) => mine.count += r.count,
            None => sum.redactions.push(r.clone()),
        }
    }
    if sum.seek.is_empty() || one.seek == "assumed_ordered" {
        sum.seek.clone_from(&one.seek);
    }
    if one.oldest_ns != 0 && (sum.oldest_ns == 0 || one.oldest_ns < sum.oldest_ns) {
        sum.oldest_ns = one.oldest_ns;
    }
    for (mine, theirs) in [(&mut sum.stopped, &one.stopped), (&mut sum.completeness, &one.completeness)] {
        let plain = mine.is_empty() || mine == "done" || mine == "proven";
        if plain && !theirs.is_empty() {
            mine.clone_from(theirs);
        }
    }
}

async fn read_lane(lane: &Lane) -> Found {
    let node = &lane.node;
    let Some(channel) = lane.channel.clone() else {
        return unreachable(node, NO_AGENT);
    };
    let admitted = ticket::admit(node).await;
    let left = &admitted.node;
    let mut found = if left.sources.is_empty() {
        Found::default()
    } else {
        let within = Duration::from_millis(lane.open.deadline_ms) + node.patience * 2;
        match tokio::time::timeout(within, collect(lane, &admitted, channel)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) if ticket::is_refusal(&status) => {
                Found::missing(ticket::refused(left, admitted.unasked.as_deref(), &status), left)
            }
            Ok(Err(status)) => unreachable(left, words(&status)),
            Err(_) => unreachable(left, "the agent did not finish within its deadline"),
        }
    };
    if !admitted.gaps.is_empty() {
        found.and(Found::missing(admitted.gaps.clone(), node));
        found.summary.sources += u32::try_from(admitted.gaps.len()).unwrap_or(u32::MAX);
    }
    found
}

/// Keeps what is asked of the sources that are left.
pub fn admitted_open(lane: &Lane, admitted: &Admitted) -> ReadOpen {
    let mut o = ReadOpen { ticket: admitted.ticket.clone(), ..lane.open.clone() };
    if admitted.node.sources.len() == lane.node.sources.len() {
        return o;
    }
    o.sources = admitted.node.sources.iter().map(|s| s.wire.clone()).collect();
    let moved = |of: &std::collections::HashMap<u32, ph_link::v1::LogPosition>| {
        let mut out = std::collections::HashMap::new();
        for (i, s) in (0_u32..).zip(&admitted.node.sources) {
            let old = lane.node.sources.iter().position(|o| o.index == s.index);
            if let Some(p) = old.and_then(|at| of.get(&u32::try_from(at).unwrap_or(u32::MAX))) {
                out.insert(i, p.clone());
            }
        }
        out
    };
    o.after_by_source = moved(&lane.open.after_by_source);
    o.before_by_source = moved(&lane.open.before_by_source);
    o
}

/// What the name of all nodes of a cluster begins with; no node's name has a space.
const WHOLE: &str = "cluster ";

/// What stands for all nodes of a cluster in [`NodeSources::node`].
pub fn whole(cluster: &str) -> String {
    format!("{WHOLE}{cluster}")
}

/// What is said where nobody can read.
const NO_AGENT: &str = "no agent of this node is connected";

/// Why a call failed. A cluster's agent that is too old to read logs is none that could.
pub fn words(status: &tonic::Status) -> &str {
    if status.code() == tonic::Code::Unimplemented { NO_AGENT } else { status.message() }
}

/// A gap that stands for every source of a node, or of a cluster that its own agent reads.
pub fn unreachable_gap(node: &NodeSources, why: &str) -> (Option<u32>, String, LogGap) {
    let who = if node.node.starts_with(WHOLE) { node.node.clone() } else { format!("node {}", node.node) };
    let gap = LogGap {
        kind: "node_unreachable".into(),
        text: format!("{who}: {why}; lines of {} sources are missing", node.sources.len()),
        ..LogGap::default()
    };
    (None, node.node.clone(), gap)
}

fn unreachable(node: &NodeSources, why: &str) -> Found {
    Found::missing(vec![unreachable_gap(node, why)], node)
}

async fn collect(lane: &Lane, admitted: &Admitted, channel: Channel) -> Result<Found, tonic::Status> {
    let node = &admitted.node;
    let (control, controls) = tokio::sync::mpsc::channel::<ReadControl>(8);
    let first = ReadControl { m: Some(Control::Open(admitted_open(lane, admitted))) };
    let _ = control.send(first).await;
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let mut events = tokio::time::timeout(node.patience, client.read(ReceiverStream::new(controls)))
        .await
        .map_err(|_| tonic::Status::deadline_exceeded(node.silent()))??
        .into_inner();
    let mut found = Found::default();
    let mut bytes = 0_u64;
    let mut done = false;
    while let Some(event) = events.message().await? {
        match event.m {
            Some(Event::Batch(batch)) => {
                let Some(source) = node.sources.get(batch.source as usize) else { continue };
                bytes += batch.raw_bytes.max(batch.payload.len() as u64);
                if bytes > MAX_NODE_BYTES && lane.open.mode() == ReadMode::Head {
                    // Every list is the begin of what there is: the page goes on behind it.
                    found.summary.stopped = "bytes".into();
                    break;
                }
                if bytes > MAX_NODE_BYTES {
                    return Err(tonic::Status::resource_exhausted(
                        "more than 64 MiB in one page; name fewer sources, a smaller limit or a filter",
                    ));
                }
                let mut list =
                    records(&batch, source.index).map_err(|e| tonic::Status::data_loss(e.to_string()))?;
                lane.fresh(source.index, &mut list);
                found.scans.remove(&source.index);
                found.lists.entry(source.index).or_default().extend(list);
                let credit = ReadControl { m: Some(Control::CreditBytes(batch.raw_bytes)) };
                let _ = control.send(credit).await;
            }
            Some(Event::Gap(gap)) => {
                let source = node.sources.get(gap.source as usize);
                node.planted.note(&gap, source);
                found.gaps.push((source.map(|s| s.index), node.node.clone(), gap));
            }
            Some(Event::Marker(marker)) => {
                let index = node.sources.get(marker.source as usize).map_or(marker.source, |s| s.index);
                found.markers.push(LogMarker { source: index, ..marker });
            }
            Some(Event::Progress(p)) => {
                if let (Some(s), Some(at)) = (node.sources.get(p.source as usize), &p.resume) {
                    found.scans.insert(s.index, position(at));
                }
                if let Some(s) = node.sources.get(p.source as usize) {
                    found.since.extend(p.since.as_ref().map(|at| (s.index, position(at))));
                    found.looked.extend(Some(p.looked_ns).filter(|ns| *ns != 0).map(|ns| (s.index, ns)));
                }
            }
            Some(Event::Summary(summary)) => {
                if !summary.error.is_empty() {
                    return Err(tonic::Status::internal(summary.error));
                }
                done = summary.stopped == "done";
                found.summary = summary;
                break;
            }
            None => {}
        }
    }
    if found.summary.stopped.is_empty() {
        // The agent's last word is missing: nothing says that this is all.
        found.summary.completeness = "incomplete".into();
    }
    for s in node.sources.iter().filter(|_| done) {
        let matches = found.lists.get(&s.index).map_or(0, |l| l.iter().filter(|r| !r.is_context()).count());
        if (matches as u64) < lane.open.lines.saturating_sub(u64::from(lane.behind.contains_key(&s.index))) {
            found.ended.insert(s.index);
        }
    }
    Ok(found)
}
