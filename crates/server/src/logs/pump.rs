//! What a stream gives, whatever carries it: frames in order, places to go on from, sources that join, budgets.
//!
//! In:     the agents' streams through one bounded channel. Out: frames, pulled one step at a time.
//! Never:  reads ahead of its reader beyond the sorter's bound: back-pressure ends at the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ph_access::{AuditRow, LogsQuery as LogsOp, TenantCtx};
use ph_api::{LogQuery, LogSource, LogStreamFrame};
use ph_link::v1::{LogGap, LogProgress, LogSummary};
use ph_model::{ClusterId, Position};
use ph_store::TailEvent;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, Mode, Shape};
use super::budget::Slot;
use super::follow::{FindDoors, Followed, follow_node};
use super::history::Asked;
use super::order::Sorter;
use super::record::{Record, json as record_json, position, position_key, time_text};
use super::resolve::{Resolved, by_node, by_reader, doors, resolve};
use super::token::{Cursor, Mark, PageToken};
use super::{columns, markers, page, read, routes, sources};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::problem::Problem;

/// Batches between the agents' streams and the sorter.
const IN_FLIGHT: usize = 64;
/// Records gather for this long, so that one frame holds many.
const GATHER: Duration = Duration::from_millis(20);
/// Messages of one frame.
const FRAME_BYTES: usize = 64 << 10;
/// Pods that come and go are looked for this often.
const RESOLVE_EVERY: Duration = Duration::from_secs(2);
/// Refusals that are kept for the audit.
const MAX_DENIED: usize = 20;
/// Progress of a source is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What comes next.
pub enum Step {
    Frames(Vec<LogStreamFrame>),
    /// The last frames, and why it ends.
    End(Vec<LogStreamFrame>, &'static str),
}

/// A frame that stands behind a number of its source's records.
struct Behind {
    source: u32,
    records: u64,
    frame: LogStreamFrame,
}

/// Bytes of one source that were scanned, over all its streams: each counts from 0.
#[derive(Clone, Copy, Debug, Default)]
struct Scanned {
    before: u64,
    now: u64,
}

impl Scanned {
    fn note(&mut self, bytes: u64) {
        if bytes < self.now {
            self.before += self.now;
        }
        self.now = bytes;
    }

    fn sum(&self) -> u64 {
        self.before + self.now
    }
}

/// One running stream.
pub struct Pump {
    app: AppState,
    ctx: TenantCtx,
    query: LogQuery,
    ask: Ask,
    decision: AuditRow,
    sources: BTreeMap<u32, Resolved>,
    known: HashMap<String, u32>,
    /// Known, and not begun to write: nothing is asked of them yet.
    waiting: BTreeSet<u32>,
    cursors: BTreeMap<u32, Cursor>,
    /// For nodes that join; gone when nothing can.
    out: Option<mpsc::Sender<Followed>>,
    followed: mpsc::Receiver<Followed>,
    stop: CancellationToken,
    sorter: Sorter,
    behind: Vec<Behind>,
    released: BTreeMap<u32, u64>,
    scans: BTreeMap<u32, Position>,
    progress: BTreeMap<u32, LogProgress>,
    progress_at: Instant,
    scanned: BTreeMap<u32, Scanned>,
    hold_until: Option<Instant>,
    token: PageToken,
    summary: LogSummary,
    unread: BTreeSet<u32>,
    /// Gaps of this kind, for the audit.
    denied: Vec<ph_api::LogGap>,
    sent_rows: u64,
    sent_bytes: u64,
    digest: page::Digest,
    look: tokio::time::Interval,
    began: Instant,
    events: Option<markers::Events>,
    ready: Vec<LogStreamFrame>,
    _slot: Slot,
}

impl Pump {
    /// Checks, records, and begins to read. The first frame names the sources.
    pub async fn open(
        (app, ctx): (&AppState, &TenantCtx),
        query: LogQuery,
        stop: CancellationToken,
    ) -> Result<Self, Problem> {
        let mut ask = routes::ready(ctx, (&query, Shape::Stream))?;
        if ask.token.is_some() {
            // What was not yet there when the token was given is read from its first line.
            ask.mode = Mode::All;
        }
        let slot = app.logs.slots.take(ctx)?;
        let found = columns::meant(resolve(app, ctx, &query.sources)?, &ask.filter);
        let numbered = routes::numbered(found.clone())?;
        let grant = app.auditor.decide::<LogsOp>(ctx, routes::target(&query, &numbered)).await?;
        let (out, followed) = mpsc::channel(IN_FLIGHT);
        let mut token = ask.token.clone().unwrap_or_else(|| PageToken::new(ask.digest, false));
        let (events, missed) = match ask.with_events {
            true => markers::follow((app, ctx), &mut token).await?,
            false => (None, None),
        };
        let now = Instant::now();
        let mut pump = Self {
            app: app.clone(),
            ctx: ctx.clone(),
            decision: grant.row().clone(),
            sorter: Sorter::new(ask.order, ask.sort_window),
            query,
            ask,
            sources: BTreeMap::new(),
            known: HashMap::new(),
            waiting: BTreeSet::new(),
            cursors: BTreeMap::new(),
            out: Some(out),
            followed,
            stop,
            behind: Vec::new(),
            released: BTreeMap::new(),
            scans: BTreeMap::new(),
            progress: BTreeMap::new(),
            progress_at: now,
            scanned: BTreeMap::new(),
            hold_until: None,
            token,
            summary: LogSummary::default(),
            unread: BTreeSet::new(),
            denied: Vec::new(),
            sent_rows: 0,
            sent_bytes: 0,
            digest: page::Digest::default(),
            look: tokio::time::interval(RESOLVE_EVERY),
            began: now,
            events,
            ready: Vec::new(),
            _slot: slot,
        };
        pump.join(found, true);
        if let Some(missed) = missed {
            pump.gap(None, "events", &missed);
        }
        if !pump.ask.follow {
            pump.out = None;
        }
        Ok(pump)
    }

    /// Cancelled when the credential or the server ends.
    pub fn stopper(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits for the next frames. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Step {
        loop {
            let now = Instant::now();
            if self.hold_until.is_none_or(|until| now >= until)
                || self.sorter.waiting().1 >= FRAME_BYTES as u64
            {
                self.hold_until = None;
                self.release(now);
            }
            if let Some(why) = self.spent() {
                return self.end(why);
            }
            if !self.ready.is_empty() {
                return Step::Frames(std::mem::take(&mut self.ready));
            }
            let look_at = self.hold_until.or_else(|| self.sorter.look_at(now));
            let progress_at = (!self.progress.is_empty()).then(|| self.progress_at + PROGRESS_EVERY);
            let wake = [look_at, progress_at].into_iter().flatten().min();
            let ends_at = self.began + Duration::from_millis(self.ask.budget.follow_ms);
            tokio::select! {
                () = self.stop.cancelled() => return self.end("session ended or server stops"),
                () = tokio::time::sleep_until(ends_at) => return self.end("time"),
                () = tokio::time::sleep_until(wake.unwrap_or(ends_at)), if wake.is_some() => {}
                _ = self.look.tick(), if self.ask.follow => self.look_around(),
                event = markers::next(&mut self.events), if self.events.is_some() => self.event(event),
                got = self.followed.recv(), if !self.sorter.is_full() => match got {
                    Some(first) => {
                        self.take(first, now);
                        while !self.sorter.is_full() && let Ok(more) = self.followed.try_recv() {
                            self.take(more, now);
                        }
                        self.hold_until.get_or_insert(now + GATHER);
                    }
                    None => return self.end("done"),
                },
            }
        }
    }

    /// Ends the agents' streams and records what was given.
    pub async fn close(self) {
        self.stop.cancel();
        let detail = json!({
            "rows": self.sent_rows,
            "bytes": self.summary.scanned_bytes,
            "sent_bytes": self.sent_bytes,
            "redactions": self.summary.redactions.iter().map(|r| (r.kind.clone(), r.count)).collect::<BTreeMap<_, _>>(),
            "follow": self.ask.follow,
            "denied": routes::denied(&self.denied),
            "digest": self.digest.text(),
        });
        let outcome = Outcome { action: "logs.query", failed: None, detail };
        if let Err(e) = self.app.auditor.outcome(&self.ctx, &self.decision, outcome).await {
            tracing::warn!(error = %e, "audit row of a log stream's end not written");
        }
    }

    /// How far behind the files the reader is: what waits here, and what the files have beyond it.
    pub async fn lag(&mut self) -> LogStreamFrame {
        let (lines, mut bytes) = self.sorter.waiting();
        let numbered: Vec<(u32, Resolved)> = self.sources.iter().map(|(i, r)| (*i, r.clone())).collect();
        let nodes = by_reader(&self.app, &self.ctx, &numbered);
        let answers = futures::future::join_all(nodes.iter().map(|(_, n)| sources::files(n))).await;
        for ((_, node), answer) in nodes.iter().zip(answers) {
            for found in answer.into_iter().flat_map(|reply| reply.sources) {
                let Some(r) = sources::index_of(node, &found).and_then(|i| self.sources.get(&i)) else {
                    continue;
                };
                let Some(at) = self.token.position(&r.json.id) else { continue };
                bytes += beyond(&found, &at);
            }
        }
        LogStreamFrame::Lag { bytes, lines }
    }

    /// A budget that is used up.
    fn spent(&self) -> Option<&'static str> {
        let b = &self.ask.budget;
        let head = self.ask.mode == Mode::Head && !self.ask.per_source && !self.ask.follow;
        if self.sent_rows >= b.total_rows || (head && self.sent_rows >= u64::from(self.ask.limit)) {
            return Some("rows");
        }
        (self.sent_bytes >= b.returned_bytes && !self.ask.follow).then_some("bytes")
    }

    fn end(&mut self, why: &'static str) -> Step {
        if why == "done" {
            let rest = self.sorter.rest();
            self.give(rest);
            for b in std::mem::take(&mut self.behind) {
                self.ready.push(b.frame);
            }
        }
        let summary = self.told(why);
        let mut frames = std::mem::take(&mut self.ready);
        frames.push(LogStreamFrame::Summary { summary });
        Step::End(frames, why)
    }

    /// What was read until now, and why no more is.
    pub fn told(&mut self, why: &str) -> ph_api::LogSummary {
        let stopped = match why {
            "done" | "rows" | "bytes" | "time" => why,
            _ => "cancelled",
        };
        if self.summary.stopped.is_empty() || stopped != "done" {
            self.summary.stopped = stopped.to_owned();
        }
        let known = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        let read = known.saturating_sub(u32::try_from(self.unread.len()).unwrap_or(known));
        let took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut summary = page::summary(&self.summary, (read, known), took_ms);
        // Nodes whose streams did not end have told no summary of their own.
        summary.scanned_bytes = summary.scanned_bytes.max(self.scanned.values().map(Scanned::sum).sum());
        summary.matches = summary.matches.max(self.sent_rows);
        summary.lines = summary.lines.max(self.sent_rows);
        summary
    }

    /// Takes sources in, and tells them where there are new ones; those not yet read get a stream of their own, and of
    /// those that have not begun it is told what they wait for.
    fn join(&mut self, found: Vec<Resolved>, first: bool) {
        let mut fresh: Vec<(u32, Resolved)> = Vec::new();
        let (mut told, mut late) = (Vec::new(), false);
        let before = self.sources.len();
        for r in found {
            let known = self.known.get(&r.json.id).copied();
            let waited = known.is_some_and(|index| self.waiting.contains(&index));
            if let Some(index) = known.filter(|_| !waited || r.waiting.is_some()) {
                if let Some(old) = self.sources.get_mut(&index) {
                    old.json = r.json;
                }
                continue;
            }
            if r.node.is_empty() && r.waiting.is_none() {
                continue;
            }
            let index = known.unwrap_or_else(|| u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
            self.known.insert(r.json.id.clone(), index);
            self.cursors.insert(index, r.cursor());
            self.sources.insert(index, r.clone());
            if let Some(marker) = r.marker(index) {
                self.waiting.insert(index);
                told.push(LogStreamFrame::Marker { marker: page::marker(&marker) });
                continue;
            }
            late |= self.waiting.remove(&index);
            self.sorter.join(index, Instant::now());
            fresh.push((index, r));
        }
        if first || late || self.sources.len() > before {
            let sources: Vec<LogSource> = self.sources.values().map(|r| r.json.clone()).collect();
            self.ready.push(LogStreamFrame::Sources { sources });
            self.ready.extend(told);
        }
        let Some(out) = self.out.clone() else { return };
        // A place in a file waits for its own node's agent.
        let by_nodes = self.token.at.values().filter_map(Mark::position).any(|p| !read::is_of_api(&p));
        let group = if by_nodes { by_node } else { by_reader };
        // A pod that appears during a follow is read from its first line. One that was read before goes on where it stood: a
        // server that has just started hears of it later than its reader comes back.
        let (placed, new): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|(_, r)| first || self.token.mark(&r.json.id).is_some());
        let mut ask = self.ask.clone();
        if !first {
            (ask.mode, ask.token) = (Mode::All, Some(self.token.clone()));
        }
        self.follow_each(group(&self.app, &self.ctx, &placed), &ask, &out);
        (ask.mode, ask.token) = (Mode::All, None);
        self.follow_each(group(&self.app, &self.ctx, &new), &ask, &out);
    }

    fn follow_each(
        &self,
        nodes: Vec<(ClusterId, read::NodeSources)>,
        ask: &Ask,
        out: &mpsc::Sender<Followed>,
    ) {
        for (cluster, node) in nodes {
            let ask = ask.clone();
            let (app, ctx, name) = (self.app.clone(), self.ctx.clone(), node.node.clone());
            let find: FindDoors = Arc::new(move || doors(&app, &ctx, cluster, &name));
            self.app.tasks.spawn(follow_node(node, ask, (find, out.clone()), self.stop.clone()));
        }
    }

    fn look_around(&mut self) {
        if let Ok(found) = resolve(&self.app, &self.ctx, &self.query.sources) {
            self.join(columns::meant(found, &self.ask.filter), false);
        }
    }

    fn take(&mut self, followed: Followed, now: Instant) {
        match followed {
            Followed::Records(records) => {
                for r in records {
                    self.unread.remove(&r.source);
                    self.scans.remove(&r.source);
                    self.sorter.push(r, now);
                }
            }
            Followed::Gap { source, node, gap } => self.gap(source, &node, &gap),
            Followed::Marker(m) => {
                if m.kind == "ended" {
                    self.sorter.free(m.source);
                }
                self.put(m.source, LogStreamFrame::Marker { marker: page::marker(&m) });
            }
            Followed::Progress(p) => {
                self.sorter.mark(p.source, p.at_ns, p.caught_up);
                if let Some(resume) = &p.resume {
                    self.scans.insert(p.source, position(resume));
                }
                self.scanned.entry(p.source).or_default().note(p.scanned_bytes);
                self.progress.insert(p.source, p);
            }
            Followed::Summary(s) => {
                read::add(&mut self.summary, &s);
                if !self.ask.follow && s.completeness == "incomplete" && s.sources == 0 {
                    self.summary.completeness = "incomplete".into();
                }
            }
        }
    }

    fn gap(&mut self, source: Option<u32>, node: &str, gap: &LogGap) {
        self.summary.gaps += 1;
        let unread = matches!(gap.kind.as_str(), "node_unreachable" | "denied" | "unverified");
        if unread || gap.kind == "stalled" {
            let of = |r: &Resolved| r.node == node || read::whole(&r.json.cluster) == node;
            let of_node = self.sources.iter().filter(|(_, r)| of(r)).map(|(i, _)| *i);
            let away: Vec<u32> = match source {
                Some(one) => vec![one],
                None => of_node.collect(),
            };
            for i in away {
                if unread {
                    self.unread.insert(i);
                }
                self.sorter.free(i);
            }
        }
        let gap = page::gap(source, node, gap, &self.by_index());
        if gap.kind == "denied" && self.denied.len() < MAX_DENIED {
            self.denied.push(gap.clone());
        }
        let frame = LogStreamFrame::Gap { gap };
        match source {
            Some(source) => self.put(source, frame),
            None => self.ready.push(frame),
        }
    }

    /// Puts a frame behind the records of its source that wait.
    fn put(&mut self, source: u32, frame: LogStreamFrame) {
        let held = self.sorter.held(source) as u64;
        if held == 0 {
            self.ready.push(frame);
            return;
        }
        let records = self.released.get(&source).copied().unwrap_or(0) + held;
        self.behind.push(Behind { source, records, frame });
    }

    fn event(&mut self, event: Option<Result<TailEvent, ph_store::Error>>) {
        let numbered: Vec<(u32, Resolved)> = self.sources.iter().map(|(i, r)| (*i, r.clone())).collect();
        let pods = markers::pods(&Asked { app: &self.app, ctx: &self.ctx, sources: &numbered });
        if !matches!(event, Some(Ok(_))) {
            self.events = None;
        }
        let Some(given) = event.map(|event| markers::given(event, &pods)) else { return };
        if let Some(cursor) = given.cursor {
            self.token.events = Some(cursor);
        }
        let shown = !given.markers.is_empty();
        self.ready.extend(given.markers.into_iter().map(|marker| LogStreamFrame::Marker { marker }));
        for gap in given.gaps {
            self.gap(None, "events", &gap);
        }
        if shown {
            // The place behind them, so that a reader that comes back gets no event twice.
            self.ready.push(LogStreamFrame::Batch { records: vec![], bytes: 0, next: self.token.to_text() });
        }
    }

    fn by_index(&self) -> BTreeMap<u32, LogSource> {
        self.sources.iter().map(|(i, r)| (*i, r.json.clone())).collect()
    }

    /// Frames of what may go out now.
    fn release(&mut self, now: Instant) {
        let now_ns = self.app.clock.now_ms().saturating_mul(1_000_000);
        let (records, stalled) = self.sorter.release(now, now_ns);
        self.give(records);
        for source in stalled {
            let text = "nothing was heard of this source for 30 s; the others go on without it".to_owned();
            self.gap(Some(source), "", &LogGap { kind: "stalled".into(), text, ..LogGap::default() });
        }
        if now.saturating_duration_since(self.progress_at) >= PROGRESS_EVERY && !self.progress.is_empty() {
            self.progress_at = now;
            for (_, p) in std::mem::take(&mut self.progress) {
                self.ready.push(LogStreamFrame::Progress {
                    source: p.source,
                    at: (p.at_ns != 0).then(|| time_text(p.at_ns)),
                    scanned_bytes: p.scanned_bytes,
                    total_bytes: p.total_bytes,
                    caught_up: p.caught_up,
                });
            }
        }
    }

    fn give(&mut self, mut records: Vec<Record>) {
        let left = self.ask.budget.total_rows.saturating_sub(self.sent_rows);
        let head = self.ask.mode == Mode::Head && !self.ask.per_source && !self.ask.follow;
        let most =
            if head { left.min(u64::from(self.ask.limit).saturating_sub(self.sent_rows)) } else { left };
        let cut = records.len() as u64 > most;
        records.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let among: BTreeSet<u32> = records.iter().map(|r| r.source).collect();
        self.looked_at(|source| !among.contains(&source));
        let mut from = 0;
        while from < records.len() {
            let mut bytes = 0;
            let rest = records.get(from..).unwrap_or_default();
            let n = rest
                .iter()
                .take_while(|r| {
                    bytes += r.message.len();
                    bytes <= FRAME_BYTES
                })
                .count()
                .max(1);
            let batch: Vec<Record> = rest.iter().take(n).cloned().collect();
            from += n;
            self.batch(&batch);
        }
        if !cut {
            self.looked_at(|_| true);
        }
        let due = |b: &Behind, released: &BTreeMap<u32, u64>| {
            released.get(&b.source).copied().unwrap_or(0) >= b.records
        };
        for b in self.behind.extract_if(.., |b| due(b, &self.released)) {
            self.ready.push(b.frame);
        }
    }

    /// Goes beyond the last match of sources: lines that were looked at are not looked at again.
    fn looked_at(&mut self, of: impl Fn(u32) -> bool) {
        for (source, at) in self.scans.iter().filter(|(s, _)| of(**s) && self.sorter.held(**s) == 0) {
            if let Some(r) = self.sources.get(source) {
                self.token.set(&r.json.id, at);
            }
        }
    }

    fn batch(&mut self, records: &[Record]) {
        for r in records {
            *self.released.entry(r.source).or_default() += 1;
            if let Some(source) = self.sources.get(&r.source) {
                self.token.set(&source.json.id, &r.resume);
            }
            self.digest.add(r);
        }
        let fields = &self.ask.fields;
        let json = records.iter().filter_map(|r| Some(record_json(r, self.cursors.get(&r.source)?, fields)));
        let json: Vec<_> = json.collect();
        let bytes: u64 = records.iter().map(|r| r.message.len() as u64).sum();
        self.sent_rows += records.len() as u64;
        self.sent_bytes += bytes;
        self.token.given += records.len() as u64;
        self.ready.push(LogStreamFrame::Batch { records: json, bytes, next: self.token.to_text() });
    }
}

/// Bytes of a source's files behind a position. Compressed files count as they lie on the disk.
fn beyond(found: &ph_link::v1::LogSource, at: &Position) -> u64 {
    let all = || found.runs.iter().flat_map(|run| run.segments.iter().map(move |s| (run.run, s)));
    let here = all().position(|(_, s)| position_key(&s.key) == at.segment_key);
    match here {
        Some(i) => {
            let own = all()
                .nth(i)
                .map_or(0, |(_, s)| if s.gzip { s.bytes } else { s.bytes.saturating_sub(at.offset) });
            own + all().skip(i + 1).map(|(_, s)| s.bytes).sum::<u64>()
        }
        None => all().filter(|(run, _)| *run >= at.run).map(|(_, s)| s.bytes).sum(),
    }
}
