//! One `Logs.Read`: containers read side by side, within their reader's credit and right.
//!
//! Never:  a batch beyond the credit; another line of the containers while one waits for credit: back-pressure ends at the API server.

use std::collections::VecDeque;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use ph_access::redact::Counts;
use ph_link::tickets::Lease;
use ph_link::v1::objects_event::M as Object;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M;
use ph_link::v1::{LogProgress, LogSummary, ObjectsEvent, ReadControl, ReadEvent, Redaction, SourceRef};
use ph_model::LogFlags;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::plan::{Plan, Wanted};
use super::sources::{self, of_pod};
use super::{AT_ONCE, Desk, wire};
use crate::kube_logs::{Alone, Extent, LaneEvent, Position, Record, Source, Stats, Timing, tells_streams};

/// A container that is followed and said nothing for so long stands at its end.
const QUIET: Duration = Duration::from_millis(50);

type Events = mpsc::Sender<Result<ReadEvent, Status>>;

/// Why a read ends without a summary.
pub enum End {
    /// The call is over, or its reader left.
    Left,
    Failed(Status),
}

/// One container on its way.
struct Lane {
    index: u32,
    reference: SourceRef,
    extent: Extent,
    /// The last line given or, where nothing is kept back, looked at.
    at: Option<(u32, Position)>,
    /// Backwards: the first line given.
    first: Option<(u32, Position)>,
    matches: u64,
    /// Its history was given.
    live: bool,
    /// It spoke then, and its reader was not told since that this was all.
    spoke: Option<Instant>,
    ended: bool,
}

/// Reads until everything is given, a limit is reached, the right is over, or the reader leaves.
pub async fn run(desk: &Desk, plan: Plan, (controls, lease): (Streaming<ReadControl>, Lease), out: Events) {
    let opened = tokio::select! {
        () = desk.stop.cancelled() => return,
        () = out.closed() => return,
        opened = open(desk, plan) => opened,
    };
    let ended = match opened {
        Ok((flow, alone)) => flow.drive((desk, alone), (controls, lease), &out).await,
        Err(status) => Err(End::Failed(status)),
    };
    if let Err(End::Failed(status)) = ended {
        // Nobody may be listening any more.
        let _ = out.send(Err(status)).await;
    }
}

/// Finds the containers and begins to read them.
async fn open(desk: &Desk, mut plan: Plan) -> Result<(Flow, Alone), Status> {
    let mut flow = Flow::new(&mut plan);
    let found = found(desk, &mut plan, |index, kind, text| flow.missing(index, kind, text)).await?;
    let mut wanted = Vec::with_capacity(found.len());
    for (one, source) in found {
        flow.lanes.push(Lane {
            index: one.index,
            reference: one.reference,
            extent: one.ask.extent,
            at: None,
            first: None,
            matches: 0,
            live: false,
            spoke: None,
            ended: false,
        });
        wanted.push((source, one.ask));
    }
    flow.summary.sources += u32::try_from(wanted.len()).unwrap_or(u32::MAX);
    Ok((flow, Alone::open(&desk.client, wanted, AT_ONCE, &desk.tasks)))
}

/// The containers that can be read; for each other one `missing` is told its index, the kind of gap, and why.
pub async fn found(
    desk: &Desk,
    plan: &mut Plan,
    mut missing: impl FnMut(u32, &str, String),
) -> Result<Vec<(Wanted, Source)>, Status> {
    for (index, why) in std::mem::take(&mut plan.denied) {
        missing(index, "denied", why);
    }
    let wanted = std::mem::take(&mut plan.wanted);
    let references: Vec<SourceRef> = wanted.iter().map(|w| w.reference.clone()).collect();
    let mut found = Vec::with_capacity(wanted.len());
    for (one, answer) in wanted.into_iter().zip(sources::resolve(desk, &references).await) {
        match answer {
            Ok(source) => found.push((one, source)),
            Err((kind, why)) => missing(one.index, kind, why),
        }
    }
    if let (Some(stream), Some((_, source))) = (plan.stream, found.first())
        && let Ok(false) = tells_streams(&desk.client, source, &Timing::default()).await
    {
        return Err(Status::failed_precondition(format!(
            "this API server cannot give {} alone (feature PodLogsQuerySplitStreams); an agent on the node can",
            stream.as_str()
        )));
    }
    Ok(found)
}

struct Flow {
    lanes: Vec<Lane>,
    /// What is to be sent, in order.
    pending: VecDeque<M>,
    summary: LogSummary,
    redactions: Counts,
    follow: bool,
    backward: bool,
    limit: Option<u64>,
    budget_bytes: Option<u64>,
    ends_at: Option<Instant>,
    /// Why nothing more is wanted.
    over: Option<&'static str>,
    credit: u64,
    /// The most that was ever free: what a too large batch waits for.
    window: u64,
}

impl Flow {
    fn new(plan: &mut Plan) -> Self {
        Self {
            lanes: Vec::new(),
            pending: VecDeque::new(),
            summary: LogSummary::default(),
            redactions: Counts::default(),
            follow: plan.follow,
            backward: plan.backward,
            limit: plan.limit,
            budget_bytes: plan.budget_bytes,
            ends_at: plan.deadline.filter(|_| !plan.follow).map(|d| Instant::now() + d),
            over: None,
            credit: plan.credit_bytes,
            window: plan.credit_bytes,
        }
    }

    fn missing(&mut self, index: u32, kind: &str, text: String) {
        self.summary.sources += 1;
        self.summary.gaps += 1;
        self.pending.push_back(M::Gap(wire::missing(index, kind, text)));
    }

    async fn drive(
        mut self,
        (desk, mut alone): (&Desk, Alone),
        (mut controls, lease): (Streaming<ReadControl>, Lease),
        out: &Events,
    ) -> Result<(), End> {
        let mut pods = desk.inventory.changes();
        let mut quiet = tokio::time::interval(QUIET);
        let mut steered = true;
        loop {
            self.send(out).await?;
            let idle = self.pending.is_empty();
            let over = self.over.or_else(|| self.is_over(&alone));
            if let Some(stopped) = over.filter(|_| idle) {
                return self.finish((stopped, alone.downloaded_bytes()), out).await;
            }
            let deadline = self.ends_at;
            let spoke = self.lanes.iter().any(|l| l.spoke.is_some());
            tokio::select! {
                () = out.closed() => return Err(End::Left),
                () = desk.stop.cancelled() => return Err(End::Left),
                why = lease.over() => return self.refused(&why, out).await,
                control = controls.message(), if steered => match control {
                    Ok(Some(ReadControl { m: Some(Control::CreditBytes(bytes)) })) => self.grant(bytes),
                    Ok(Some(ReadControl { m: Some(Control::RenewTicket(ticket)) })) => lease.renew(&ticket).await,
                    // What is in the logs can still be sent as far as the credit goes.
                    Ok(None) if !self.follow => steered = false,
                    _ => return Err(End::Left),
                },
                () = at(deadline) => {
                    if !idle {
                        let status = Status::deadline_exceeded("no credit before the deadline");
                        return Err(End::Failed(status));
                    }
                    self.over = Some("time");
                }
                _ = quiet.tick(), if spoke => self.tell_quiet(),
                change = pods.recv(), if self.follow => self.told(change, &alone),
                event = alone.next(), if idle => match event {
                    Some((lane, event)) => {
                        if self.take(lane, event) {
                            self.over = Some("rows");
                        }
                    }
                    None => self.lanes.iter_mut().for_each(|l| l.ended = true),
                },
            }
        }
    }

    fn grant(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes);
        self.window = self.window.max(self.credit);
    }

    fn is_over(&self, alone: &Alone) -> Option<&'static str> {
        if self.lanes.iter().all(|l| l.ended) {
            return Some("done");
        }
        self.budget_bytes.is_some_and(|budget| alone.downloaded_bytes() >= budget).then_some("bytes")
    }

    /// Sends what waits, as far as the credit goes.
    async fn send(&mut self, out: &Events) -> Result<(), End> {
        while let Some(next) = self.pending.front() {
            if let M::Batch(batch) = next {
                if self.credit < batch.raw_bytes.min(self.window.max(1)) {
                    return Ok(());
                }
                self.credit = self.credit.saturating_sub(batch.raw_bytes);
            }
            let Some(next) = self.pending.pop_front() else { break };
            out.send(Ok(wire::event(next))).await.map_err(|_| End::Left)?;
        }
        Ok(())
    }

    /// Takes up what a container says. True when no more matches are wanted.
    fn take(&mut self, i: usize, event: LaneEvent) -> bool {
        let Some(lane) = self.lanes.get_mut(i) else { return false };
        let index = lane.index;
        match event {
            LaneEvent::Records(records) => return self.records(i, records),
            LaneEvent::Gap(gap) => {
                // A stream that was resumed lacks nothing.
                self.summary.gaps += u64::from(gap.kind != "reconnected");
                self.pending.push_back(M::Gap(wire::gap(index, &gap)));
            }
            LaneEvent::Marker(marker) => {
                let at_ns = lane.at.map_or(0, |(_, at)| at.ts_ns);
                self.pending.push_back(M::Marker(wire::marker(index, (&marker, at_ns))));
            }
            LaneEvent::At(run, at) => {
                if lane.extent == Extent::All || lane.live {
                    lane.at = Some((run, at));
                }
                self.progress(i, false);
            }
            LaneEvent::CaughtUp => {
                lane.live = true;
                self.progress(i, true);
            }
            LaneEvent::Done(stats) => self.done(i, &stats),
        }
        false
    }

    fn records(&mut self, i: usize, mut records: Vec<Record>) -> bool {
        let Some(lane) = self.lanes.get_mut(i) else { return false };
        let is_match = |r: &Record| !r.flags.has(LogFlags::CONTEXT);
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.summary.matches));
        let mut matches = 0;
        let within = records.iter().take_while(|r| {
            matches += u64::from(is_match(r));
            matches <= left
        });
        let kept = within.count();
        let cut = kept < records.len();
        records.truncate(kept);
        for record in &records {
            self.summary.matches += u64::from(is_match(record));
            self.summary.context_lines += u64::from(!is_match(record));
            self.summary.cut_lines += u64::from(record.full_bytes > 0);
            lane.matches += u64::from(is_match(record));
            if let Some(masked) = &record.masked {
                self.redactions.add(masked);
            }
        }
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            lane.first.get_or_insert((first.run, first.position));
            lane.at = Some((last.run, last.position));
        }
        lane.spoke = lane.live.then(Instant::now);
        self.pending.extend(wire::batches(lane.index, &records).into_iter().map(M::Batch));
        cut || self.limit.is_some_and(|limit| self.summary.matches >= limit)
    }

    /// A container has said its last: what was looked at behind its last match is not looked at again.
    fn done(&mut self, i: usize, stats: &Stats) {
        let Some(lane) = self.lanes.get_mut(i) else { return };
        let full = matches!(lane.extent, Extent::Head(n) if lane.matches >= n);
        if !full && stats.last.is_some() {
            lane.at = stats.last;
        }
        (lane.ended, lane.live) = (true, true);
        self.summary.lines += stats.lines;
        self.summary.unknown_levels += stats.unknown_levels;
        self.progress(i, true);
    }

    fn progress(&mut self, i: usize, caught_up: bool) {
        let Some(lane) = self.lanes.get_mut(i) else { return };
        lane.spoke = None;
        let place = if self.backward { lane.first } else { lane.at };
        // While a head or tail is kept back, nothing before the last line looked at was given.
        let given = lane.live || lane.extent == Extent::All;
        let resume = place.filter(|_| given).map(|(run, at)| match self.backward {
            true => wire::at(run, &at),
            false => wire::behind(run, &at),
        });
        self.pending.push_back(M::Progress(LogProgress {
            source: lane.index,
            at_ns: lane.at.map_or(0, |(_, at)| at.ts_ns),
            caught_up,
            resume,
            ..LogProgress::default()
        }));
    }

    fn tell_quiet(&mut self) {
        for i in 0..self.lanes.len() {
            if self.lanes.get(i).and_then(|l| l.spoke).is_some_and(|at| at.elapsed() >= QUIET) {
                self.progress(i, true);
            }
        }
    }

    /// Hands on what the watch of pods says.
    fn told(&mut self, change: Result<ObjectsEvent, broadcast::error::RecvError>, alone: &Alone) {
        match change.map(|event| event.m) {
            Ok(Some(Object::Set(set))) if set.kind == "Pod" => {
                let named = |l: &&(usize, &Lane)| {
                    l.1.reference.namespace == set.namespace && l.1.reference.pod == set.name
                };
                let lanes: Vec<(usize, &Lane)> = self.lanes.iter().enumerate().collect();
                let mut meant = lanes.iter().filter(named).peekable();
                if meant.peek().is_none() {
                    return;
                }
                let Ok(pod) = serde_json::from_slice::<Pod>(&set.json) else { return };
                for (i, lane) in meant {
                    alone.tell(*i, of_pod(&pod, &lane.reference));
                }
            }
            Ok(Some(Object::Gone(gone))) if gone.kind == "Pod" => {
                for (i, lane) in self.lanes.iter().enumerate() {
                    if lane.reference.namespace == gone.namespace && lane.reference.pod == gone.name {
                        alone.tell(i, None);
                    }
                }
            }
            // What was missed is asked for by the containers themselves, when their streams end.
            _ => {}
        }
    }

    /// The right is over: that is the last word.
    async fn refused(mut self, why: &str, out: &Events) -> Result<(), End> {
        self.pending.clear();
        for lane in &self.lanes {
            self.pending.push_back(M::Gap(wire::missing(lane.index, "denied", why.to_owned())));
        }
        self.send(out).await
    }

    async fn finish(mut self, (stopped, downloaded): (&str, u64), out: &Events) -> Result<(), End> {
        if stopped != "done" {
            for i in 0..self.lanes.len() {
                self.progress(i, false);
            }
        }
        let mut summary = std::mem::take(&mut self.summary);
        let files = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        (summary.segments_read, summary.segments_known) = (files, files);
        (summary.scanned_bytes, summary.known_bytes) = (downloaded, downloaded);
        "assumed_ordered".clone_into(&mut summary.seek);
        summary.completeness = if summary.gaps > 0 { "incomplete" } else { "unproven" }.to_owned();
        summary.redactions = redactions(&self.redactions);
        stopped.clone_into(&mut summary.stopped);
        self.pending.push_back(M::Summary(summary));
        self.send(out).await
    }
}

pub fn redactions(counts: &Counts) -> Vec<Redaction> {
    counts.iter().map(|(kind, count)| Redaction { kind: kind.as_str().to_owned(), count }).collect()
}

/// Sleeps until then; for ever without a time.
pub async fn at(time: Option<Instant>) {
    match time {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
