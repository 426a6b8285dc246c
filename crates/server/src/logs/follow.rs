//! Following: every node's stream goes through one bounded channel to one client.
//!
//! Never: a batch beyond the client's credit. Back-pressure ends at the file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ph_link::v1::agent_client::AgentClient;
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M as Event;
use ph_link::v1::{LogGap, LogMarker, LogProgress, LogSummary, PingAsk, ReadControl};
use ph_model::Position;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::ask::Ask;
use super::read::{DEADLINE, Doors, Lane, Missing, NodeSources, admitted_open, lanes, unreachable_gap};
use super::record::{Record, position, records};
use super::ticket::{self, Stale};
use super::token::PageToken;

/// One thing that happened in one of the followed sources.
#[derive(Debug)]
pub enum Followed {
    Records(Vec<Record>),
    Gap {
        source: Option<u32>,
        node: String,
        gap: LogGap,
    },
    Marker(LogMarker),
    Progress(LogProgress),
    /// A node has nothing more to give. Only where the stream does not follow.
    Summary(Box<LogSummary>),
}

/// Finds who can read a node's logs now; asked again after each loss.
pub type FindDoors = std::sync::Arc<dyn Fn() -> Doors + Send + Sync>;

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The sources of one node, and where each stands.
struct Follower {
    node: NodeSources,
    ask: Ask,
    at: Mutex<PageToken>,
    /// The node answered the call that runs, or ran last.
    answered: AtomicBool,
    /// Why the cluster could not be asked for its word, when it was asked last.
    unasked: Mutex<Option<String>>,
    out: mpsc::Sender<Followed>,
}

/// Follows the sources of one node until `stop`, over any number of lost links: positions go on where they stood, so that
/// nothing comes twice and nothing is left out. Without `follow` it ends with a summary.
pub async fn follow_node(
    node: NodeSources,
    ask: Ask,
    (find, out): (FindDoors, mpsc::Sender<Followed>),
    stop: CancellationToken,
) {
    let at = ask.token.clone().unwrap_or_else(|| PageToken::new(ask.digest, false));
    let mut follower = Follower {
        node,
        ask,
        at: Mutex::new(at),
        answered: AtomicBool::new(false),
        unasked: Mutex::default(),
        out,
    };
    let mut wait = RETRY_FIRST;
    let mut away_since: Option<tokio::time::Instant> = None;
    let mut told = false;
    // Why the node read nothing, while that is for want of a right.
    let mut refusal: Option<tonic::Status> = None;
    loop {
        follower.node.doors = find();
        // It is away since it was asked in vain, or since the call that it answered ended.
        let mut tried = tokio::time::Instant::now();
        if follower.node.doors.to(None).is_some() {
            let before = follower.token();
            let end = tokio::select! {
                () = stop.cancelled() => return,
                end = follower.run() => end,
            };
            if follower.token() != before {
                (wait, away_since, told) = (RETRY_FIRST, None, false);
            }
            if follower.answered.swap(false, Ordering::Relaxed) {
                tried = tokio::time::Instant::now();
            }
            match end {
                Ok(()) => return,
                Err(status) => {
                    tracing::debug!(node = %follower.node.node, error = %status, "log stream lost");
                    refusal = ticket::is_refusal(&status).then_some(status);
                }
            }
        }
        let since = *away_since.get_or_insert(tried);
        if !told && since.elapsed() >= follower.node.patience {
            told = true;
            let gaps = match &refusal {
                Some(status) => ticket::refused(&follower.node, follower.unasked().as_deref(), status),
                None => {
                    let why = "its agent is away; the stream goes on when it is back";
                    vec![unreachable_gap(&follower.node, why)]
                }
            };
            if !tell(&follower.out, gaps).await {
                return;
            }
        }
        if !follower.ask.follow && since.elapsed() >= DEADLINE {
            let summary = LogSummary { completeness: "incomplete".into(), ..LogSummary::default() };
            // Nobody waits for it when the client left.
            let _ = follower.out.send(Followed::Summary(Box::new(summary))).await;
            return;
        }
        let pause =
            if told { wait } else { wait.min(follower.node.patience.saturating_sub(since.elapsed())) };
        tokio::select! {
            () = stop.cancelled() => return,
            () = follower.out.closed() => return,
            () = tokio::time::sleep(pause) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}

/// Returns when an agent whose stream is silent answers nothing else either: a log without news is silent as well.
async fn stalled(channel: &Channel, patience: Duration) {
    loop {
        tokio::time::sleep(patience * 2 / 5).await;
        let mut agent = AgentClient::new(channel.clone());
        let ping = agent.ping(PingAsk::default());
        // Also a refusal is an answer. A broken link ends the stream itself.
        if tokio::time::timeout(patience * 3 / 5, ping).await.is_err() {
            return;
        }
    }
}

fn stalled_gap(node: &NodeSources) -> Missing {
    let text = format!(
        "node {}: {}; lines that come meanwhile are given when it does, the others go on without it",
        node.node,
        node.silent()
    );
    (None, node.node.clone(), LogGap { kind: "stalled".into(), text, ..LogGap::default() })
}

/// False when the client left.
async fn tell(out: &mpsc::Sender<Followed>, gaps: Vec<Missing>) -> bool {
    for (source, node, gap) in gaps {
        if out.send(Followed::Gap { source, node, gap }).await.is_err() {
            return false;
        }
    }
    true
}

impl Follower {
    fn token(&self) -> PageToken {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unasked(&self) -> Option<String> {
        self.unasked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers where a source stands, so that the next stream goes on there.
    fn note(&self, source: &str, at: &Position) {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).set(source, at);
    }

    /// `Ok` when all sources ended, none may be read, or the client left.
    async fn run(&self) -> Result<(), tonic::Status> {
        let token = self.token();
        let begun = self.ask.token.is_some() || !token.at.is_empty();
        let ask = Ask { token: begun.then_some(token), ..self.ask.clone() };
        let lanes = lanes(&self.node, &ask);
        let runs = lanes.iter().map(|lane| self.lane(lane));
        futures::future::try_join_all(runs).await.map(drop)
    }

    /// One read under tickets.
    async fn lane(&self, lane: &Lane) -> Result<(), tonic::Status> {
        let away = || tonic::Status::unavailable("nobody can go on there now");
        let channel = lane.channel.clone().ok_or_else(away)?;
        let admitted = ticket::admit(&lane.node).await;
        self.unasked.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&admitted.unasked);
        let asked = admitted_open(lane, &admitted);
        let left = admitted.node;
        if !tell(&self.out, admitted.gaps).await || left.sources.is_empty() {
            return Ok(());
        }
        let (control, controls) = mpsc::channel::<ReadControl>(8);
        let _ = control.send(ReadControl { m: Some(Control::Open(asked)) }).await;
        let renew = |ticket| {
            let control = control.clone();
            async move {
                // The stream may have ended meanwhile.
                let _ = control.send(ReadControl { m: Some(Control::RenewTicket(ticket)) }).await;
            }
        };
        let received = self.receive((lane, &left), (channel, controls), &control);
        tokio::select! {
            end = received => end,
            stale = ticket::keep(&left, renew) => match stale {
                Stale::Refused(gaps) => {
                    tell(&self.out, gaps).await;
                    Ok(())
                }
                Stale::Fewer => Err(tonic::Status::aborted("some sources may no longer be read")),
            },
        }
    }

    async fn receive(
        &self,
        (lane, node): (&Lane, &NodeSources),
        (channel, controls): (Channel, mpsc::Receiver<ReadControl>),
        control: &mpsc::Sender<ReadControl>,
    ) -> Result<(), tonic::Status> {
        let mut client = LogsClient::new(channel.clone()).max_decoding_message_size(32 << 20);
        let mut events = tokio::time::timeout(node.patience, client.read(ReceiverStream::new(controls)))
            .await
            .map_err(|_| tonic::Status::deadline_exceeded(node.silent()))??
            .into_inner();
        self.answered.store(true, Ordering::Relaxed);
        let mut silent = false;
        loop {
            let event = tokio::select! {
                event = events.message() => event?,
                () = stalled(&channel, node.patience), if !silent => {
                    silent = true;
                    if !tell(&self.out, vec![stalled_gap(node)]).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            silent = false;
            let Some(event) = event else { break };
            let gone = match event.m {
                Some(Event::Batch(batch)) => {
                    let Some(source) = node.sources.get(batch.source as usize) else { continue };
                    let mut list =
                        records(&batch, source.index).map_err(|e| tonic::Status::data_loss(e.to_string()))?;
                    let resume = list.last().map(|r| r.resume);
                    lane.fresh(source.index, &mut list);
                    let sent = self.out.send(Followed::Records(list)).await;
                    // Only what is on its way to the client is done with.
                    if let Some(resume) = resume.filter(|_| sent.is_ok()) {
                        self.note(&source.id, &resume);
                    }
                    let _ =
                        control.send(ReadControl { m: Some(Control::CreditBytes(batch.raw_bytes)) }).await;
                    sent.is_err()
                }
                Some(Event::Summary(s)) if s.error.is_empty() => {
                    // Nobody waits for it when the client left.
                    let _ = self.out.send(Followed::Summary(Box::new(s))).await;
                    return Ok(());
                }
                Some(Event::Summary(s)) => return Err(tonic::Status::internal(s.error)),
                Some(other) => self.pass(node, other).await.is_err(),
                None => false,
            };
            if gone {
                return Ok(());
            }
        }
        Err(tonic::Status::unavailable("the link closed"))
    }

    /// What stands between the records.
    async fn pass(&self, node: &NodeSources, event: Event) -> Result<(), mpsc::error::SendError<Followed>> {
        let index = |source: u32| node.sources.get(source as usize).map(|s| s.index);
        match event {
            Event::Gap(gap) => {
                let source = node.sources.get(gap.source as usize);
                node.planted.note(&gap, source);
                let to = gap.to.as_ref().map(position);
                let followed =
                    Followed::Gap { source: source.map(|s| s.index), node: node.node.clone(), gap };
                self.out.send(followed).await?;
                if let (Some(s), Some(to)) = (source, to) {
                    self.note(&s.id, &to);
                }
                Ok(())
            }
            Event::Marker(m) => {
                let source = index(m.source).unwrap_or(m.source);
                self.out.send(Followed::Marker(LogMarker { source, ..m })).await
            }
            Event::Progress(p) => {
                let source = node.sources.get(p.source as usize);
                let resume = p.resume.as_ref().map(position);
                let index = source.map_or(p.source, |s| s.index);
                self.out.send(Followed::Progress(LogProgress { source: index, ..p })).await?;
                if let (Some(s), Some(resume)) = (source, resume) {
                    self.note(&s.id, &resume);
                }
                Ok(())
            }
            Event::Batch(_) | Event::Summary(_) => Ok(()),
        }
    }
}
