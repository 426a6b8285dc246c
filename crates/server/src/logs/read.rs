//! One page of history: ask every node, merge, cut, say where to go on.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M as Event;
use ph_link::v1::{LogGap, LogMarker, LogSummary, ReadControl, ReadMode, ReadOpen, SourceRef};
use ph_model::{Position, Secret};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::ask::{Ask, Mode};
use super::merge::merge;
use super::record::{Record, records, wire};
use super::ticket::{self, Admitted, TicketDesk};
use super::token::PageToken;

/// History ends by then; what is not read is a gap.
const DEADLINE: Duration = Duration::from_secs(30);
/// A node that does not begin to answer by then is a gap.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Records of all sources of one node, in bytes, before they are merged.
const MAX_NODE_BYTES: u64 = 64 << 20;
/// Bytes granted to a node at once.
const CREDIT: u64 = 1 << 20;
/// Nodes asked at the same time.
const CONCURRENT: usize = 50;

/// A source with its place in the query's list.
#[derive(Clone, Debug)]
pub struct Source {
    pub index: u32,
    /// Stable id, as page tokens name it.
    pub id: String,
    pub wire: SourceRef,
}

/// The sources that one agent can read.
#[derive(Clone)]
pub struct NodeSources {
    pub node: String,
    /// `None`: no agent is connected.
    pub channel: Option<Channel>,
    pub sources: Vec<Source>,
    /// Where the cluster is asked whether they may be read.
    pub tickets: TicketDesk,
    /// The organisation's, with which the node masks.
    pub mask_key: Secret<Vec<u8>>,
}

/// What came back for one page.
#[derive(Debug, Default)]
pub struct Page {
    pub records: Vec<Record>,
    /// Gaps with the source's index, or the node's name where all its sources are meant.
    pub gaps: Vec<(Option<u32>, String, LogGap)>,
    pub markers: Vec<LogMarker>,
    pub summary: LogSummary,
    pub next: Option<PageToken>,
    pub prev: Option<PageToken>,
}

#[derive(Default)]
struct NodeAnswer {
    records: BTreeMap<u32, Vec<Record>>,
    resumes: BTreeMap<u32, Position>,
    gaps: Vec<(Option<u32>, String, LogGap)>,
    markers: Vec<LogMarker>,
    summary: LogSummary,
}

/// The `open` message of a read over one node's sources.
pub fn open(node: &NodeSources, ask: &Ask, follow: bool) -> ReadOpen {
    let mut o = ReadOpen {
        sources: node.sources.iter().map(|s| s.wire.clone()).collect(),
        lines: u64::from(ask.limit),
        from_ns: ask.from_ns,
        to_ns: ask.to_ns,
        filter_json: serde_json::to_string(&ask.filter).unwrap_or_default(),
        streams: ask.streams.clone(),
        follow,
        deadline_ms: if follow { 0 } else { u64::try_from(DEADLINE.as_millis()).unwrap_or(0) },
        credit_bytes: CREDIT,
        all_runs: ask.all_runs,
        mask_key: node.mask_key.expose().clone().into(),
        ..ReadOpen::default()
    };
    o.mode = match (ask.mode, &ask.token) {
        (_, Some(t)) if t.back => ReadMode::Backward,
        (_, Some(_)) if !follow => ReadMode::Head,
        (Mode::Head, _) => ReadMode::Head,
        (Mode::Tail, _) => ReadMode::Tail,
        (Mode::All, _) => ReadMode::All,
    }
    .into();
    if let Some(token) = &ask.token {
        for (i, s) in (0_u32..).zip(&node.sources) {
            let Some(p) = token.position(&s.id) else { continue };
            let at = wire(&p);
            if token.back {
                o.before_by_source.insert(i, at)
            } else {
                o.after_by_source.insert(i, at)
            };
        }
    }
    o
}

/// Reads one page over all nodes. Nodes that cannot answer become gaps; the others are not held up beyond the deadline.
pub async fn page(nodes: Vec<NodeSources>, ask: &Ask) -> Page {
    let asked: Vec<_> = nodes.iter().map(|n| read_node(n, ask).boxed()).collect();
    let answers: Vec<NodeAnswer> = futures::stream::iter(asked).buffer_unordered(CONCURRENT).collect().await;
    let mut page = Page::default();
    let mut lists: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    let mut resumes = BTreeMap::new();
    for a in answers {
        lists.extend(a.records);
        resumes.extend(a.resumes);
        page.gaps.extend(a.gaps);
        page.markers.extend(a.markers);
        add(&mut page.summary, &a.summary);
    }
    cut(&mut page, (lists, resumes), &nodes, ask);
    page
}

/// Merges, keeps the asked number, and notes for every source where the pages before and after begin.
fn cut(
    page: &mut Page,
    (lists, resumes): (BTreeMap<u32, Vec<Record>>, BTreeMap<u32, Position>),
    nodes: &[NodeSources],
    ask: &Ask,
) {
    let firsts: BTreeMap<u32, Position> =
        lists.iter().filter_map(|(i, l)| Some((*i, l.first()?.position))).collect();
    let read: usize = lists.values().map(Vec::len).sum();
    let mut all = merge(lists.into_values().collect());
    let limit = ask.limit as usize;
    let unlimited = ask.mode == Mode::All && ask.token.is_none();
    let kept_from = if ask.is_back() { all.len().saturating_sub(limit) } else { 0 };
    if !unlimited {
        all.drain(..kept_from);
        all.truncate(limit);
    }
    let mut before = PageToken { query: ask.digest, back: true, at: BTreeMap::new(), store: None };
    let mut after = PageToken { query: ask.digest, back: false, at: BTreeMap::new(), store: None };
    for s in nodes.iter().flat_map(|n| &n.sources) {
        let old = ask.token.as_ref().and_then(|t| t.position(&s.id));
        let first = all.iter().find(|r| r.source == s.index).map(|r| r.position);
        let last = all.iter().rev().find(|r| r.source == s.index).map(|r| r.resume);
        let end = resumes.get(&s.index).copied();
        // A source none of whose records was kept stands where the cut left it: behind them toward older ones, before them toward newer ones.
        let dropped = if ask.is_back() { end } else { firsts.get(&s.index).copied() };
        if let Some(p) = first.or(dropped).or(old) {
            before.set(&s.id, &p);
        }
        if let Some(p) = last.or(dropped).or(end).or(old) {
            after.set(&s.id, &p);
        }
    }
    let more_older = ask.is_back() && (kept_from > 0 || read >= limit);
    page.prev = (more_older || (!ask.is_back() && ask.token.is_some())).then_some(before);
    page.next = (!all.is_empty() || ask.token.is_some()).then_some(after);
    if page.summary.stopped.is_empty() || (all.len() < read && page.summary.stopped == "done") {
        page.summary.stopped = if all.len() < read { "rows".into() } else { "done".into() };
    }
    page.records = all;
}

fn add(sum: &mut LogSummary, one: &LogSummary) {
    sum.sources += one.sources;
    sum.segments_read += one.segments_read;
    sum.segments_known += one.segments_known;
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

async fn read_node(node: &NodeSources, ask: &Ask) -> NodeAnswer {
    let Some(channel) = node.channel.clone() else {
        return unreachable(node, "no agent of this node is connected");
    };
    let admitted = ticket::admit(node).await;
    let gaps = admitted.gaps.clone();
    let left = &admitted.node;
    let answer = if left.sources.is_empty() {
        NodeAnswer::default()
    } else {
        match tokio::time::timeout(DEADLINE + FIRST_ANSWER, collect(&admitted, ask, channel)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) if ticket::is_refusal(&status) => {
                refused(ticket::refused(left, admitted.unasked.as_deref(), &status))
            }
            Ok(Err(status)) => unreachable(left, status.message()),
            Err(_) => unreachable(left, "the agent did not finish within its deadline"),
        }
    };
    if gaps.is_empty() { answer } else { answer.and(refused(gaps)) }
}

fn refused(gaps: Vec<(Option<u32>, String, LogGap)>) -> NodeAnswer {
    let summary = LogSummary {
        sources: u32::try_from(gaps.len()).unwrap_or(u32::MAX),
        gaps: gaps.len() as u64,
        completeness: "incomplete".into(),
        ..LogSummary::default()
    };
    NodeAnswer { gaps, summary, ..NodeAnswer::default() }
}

impl NodeAnswer {
    fn and(mut self, other: Self) -> Self {
        self.gaps.extend(other.gaps);
        add(&mut self.summary, &other.summary);
        self
    }
}

/// A gap that stands for every source of a node.
pub fn unreachable_gap(node: &NodeSources, why: &str) -> (Option<u32>, String, LogGap) {
    let gap = LogGap {
        kind: "node_unreachable".into(),
        text: format!("node {}: {why}; lines of {} sources are missing", node.node, node.sources.len()),
        ..LogGap::default()
    };
    (None, node.node.clone(), gap)
}

fn unreachable(node: &NodeSources, why: &str) -> NodeAnswer {
    let summary = LogSummary { gaps: 1, completeness: "incomplete".into(), ..LogSummary::default() };
    NodeAnswer { gaps: vec![unreachable_gap(node, why)], summary, ..NodeAnswer::default() }
}

async fn collect(admitted: &Admitted, ask: &Ask, channel: Channel) -> Result<NodeAnswer, tonic::Status> {
    let node = &admitted.node;
    let (control, controls) = tokio::sync::mpsc::channel::<ReadControl>(8);
    let asked = ReadOpen { ticket: admitted.ticket.clone(), ..open(node, ask, false) };
    let first = ReadControl { m: Some(Control::Open(asked)) };
    let _ = control.send(first).await;
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let mut events = tokio::time::timeout(FIRST_ANSWER, client.read(ReceiverStream::new(controls)))
        .await
        .map_err(|_| tonic::Status::deadline_exceeded("the agent did not answer within 5 s"))??
        .into_inner();
    let mut answer = NodeAnswer::default();
    let mut bytes = 0_u64;
    while let Some(event) = events.message().await? {
        match event.m {
            Some(Event::Batch(batch)) => {
                let Some(source) = node.sources.get(batch.source as usize) else { continue };
                bytes += batch.raw_bytes.max(batch.payload.len() as u64);
                if bytes > MAX_NODE_BYTES {
                    return Err(tonic::Status::resource_exhausted(
                        "more than 64 MiB in one page; name fewer sources, a shorter time or a filter",
                    ));
                }
                let list =
                    records(&batch, source.index).map_err(|e| tonic::Status::data_loss(e.to_string()))?;
                if let Some(last) = list.last() {
                    answer.resumes.insert(source.index, last.resume);
                }
                answer.records.entry(source.index).or_default().extend(list);
                let credit = ReadControl { m: Some(Control::CreditBytes(batch.raw_bytes)) };
                let _ = control.send(credit).await;
            }
            Some(Event::Gap(gap)) => {
                let index = node.sources.get(gap.source as usize).map(|s| s.index);
                answer.gaps.push((index, node.node.clone(), gap));
            }
            Some(Event::Marker(marker)) => {
                let index = node.sources.get(marker.source as usize).map_or(marker.source, |s| s.index);
                answer.markers.push(LogMarker { source: index, ..marker });
            }
            Some(Event::Summary(summary)) => {
                if !summary.error.is_empty() {
                    return Err(tonic::Status::internal(summary.error));
                }
                answer.summary = summary;
                break;
            }
            Some(Event::Progress(_)) | None => {}
        }
    }
    Ok(answer)
}
