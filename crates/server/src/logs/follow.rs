//! Following: every node's stream goes through one bounded channel to one client.
//!
//! Never: a batch beyond the client's credit. Back-pressure ends at the file.

use std::time::Duration;

use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M as Event;
use ph_link::v1::{LogGap, LogMarker, LogProgress, ReadControl, ReadOpen};
use ph_model::Position;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::ask::Ask;
use super::read::{NodeSources, open, unreachable_gap};
use super::record::{Record, records};
use super::ticket::{self, Stale};
use super::token::PageToken;

/// One thing that happened in one of the followed sources.
#[derive(Debug)]
pub enum Followed {
    Records { records: Vec<Record>, bytes: u64 },
    Gap { source: Option<u32>, node: String, gap: LogGap },
    Marker(LogMarker),
    Progress(LogProgress),
}

/// Finds the channel of a node's agent now; asked again after each loss.
pub type FindChannel = std::sync::Arc<dyn Fn() -> Option<Channel> + Send + Sync>;

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long a node may be away before the client is told.
const QUIET: Duration = Duration::from_secs(5);

/// Follows the sources of one node until `stop`, over any number of lost links: positions go on where they stood, so that
/// nothing comes twice and nothing is left out.
pub async fn follow_node(
    mut node: NodeSources,
    mut ask: Ask,
    (find, out): (FindChannel, mpsc::Sender<Followed>),
    stop: CancellationToken,
) {
    let mut wait = RETRY_FIRST;
    let mut away_since: Option<tokio::time::Instant> = None;
    let mut told = false;
    // Why the node read nothing, while that is for want of a right.
    let mut refusal: Option<tonic::Status> = None;
    loop {
        node.channel = find();
        if let Some(channel) = node.channel.clone() {
            let before = ask.token.clone();
            let end = tokio::select! {
                () = stop.cancelled() => return,
                end = run(&node, &mut ask, (channel, &out)) => end,
            };
            if ask.token != before {
                (wait, away_since, told) = (RETRY_FIRST, None, false);
            }
            match end {
                Ok(()) => return,
                Err(status) => {
                    tracing::debug!(node = %node.node, error = %status, "log stream lost");
                    refusal = ticket::is_refusal(&status).then_some(status);
                }
            }
        }
        let since = *away_since.get_or_insert_with(tokio::time::Instant::now);
        if !told && since.elapsed() >= QUIET {
            told = true;
            let gaps = match &refusal {
                Some(status) => ticket::refused(&node, None, status),
                None => vec![unreachable_gap(&node, "its agent is away; the stream goes on when it is back")],
            };
            if !tell(&out, gaps).await {
                return;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}

/// False when the client left.
async fn tell(out: &mpsc::Sender<Followed>, gaps: Vec<(Option<u32>, String, LogGap)>) -> bool {
    for (source, node, gap) in gaps {
        if out.send(Followed::Gap { source, node, gap }).await.is_err() {
            return false;
        }
    }
    true
}

/// One stream under tickets. `Ok` when all sources ended, none may be read, or the client left.
async fn run(
    node: &NodeSources,
    ask: &mut Ask,
    (channel, out): (Channel, &mpsc::Sender<Followed>),
) -> Result<(), tonic::Status> {
    let admitted = ticket::admit(node).await;
    let left = admitted.node;
    if !tell(out, admitted.gaps).await || left.sources.is_empty() {
        return Ok(());
    }
    let (control, controls) = mpsc::channel::<ReadControl>(8);
    let first = ReadOpen { ticket: admitted.ticket, ..open(&left, ask, true) };
    let _ = control.send(ReadControl { m: Some(Control::Open(first)) }).await;
    let renew = |ticket| {
        let control = control.clone();
        async move {
            // The stream may have ended meanwhile.
            let _ = control.send(ReadControl { m: Some(Control::RenewTicket(ticket)) }).await;
        }
    };
    let received = receive((&left, &mut *ask), (channel, controls), (&control, out));
    tokio::select! {
        end = received => end,
        stale = ticket::keep(&left, renew) => match stale {
            Stale::Refused(gaps) => {
                tell(out, gaps).await;
                Ok(())
            }
            Stale::Fewer => Err(tonic::Status::aborted("some sources may no longer be read")),
        },
    }
}

async fn receive(
    (node, ask): (&NodeSources, &mut Ask),
    (channel, controls): (Channel, mpsc::Receiver<ReadControl>),
    (control, out): (&mpsc::Sender<ReadControl>, &mpsc::Sender<Followed>),
) -> Result<(), tonic::Status> {
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let mut events = tokio::time::timeout(Duration::from_secs(5), client.read(ReceiverStream::new(controls)))
        .await
        .map_err(|_| tonic::Status::deadline_exceeded("the agent did not answer within 5 s"))??
        .into_inner();
    while let Some(event) = events.message().await? {
        let sent = match event.m {
            Some(Event::Batch(batch)) => {
                let Some(source) = node.sources.get(batch.source as usize) else { continue };
                let list =
                    records(&batch, source.index).map_err(|e| tonic::Status::data_loss(e.to_string()))?;
                if let Some(last) = list.last() {
                    note(ask, &source.id, &last.resume);
                }
                let sent = out.send(Followed::Records { records: list, bytes: batch.raw_bytes }).await;
                let _ = control.send(ReadControl { m: Some(Control::CreditBytes(batch.raw_bytes)) }).await;
                sent
            }
            Some(Event::Gap(gap)) => {
                let source = node.sources.get(gap.source as usize);
                if let (Some(s), Some(to)) = (source, &gap.to) {
                    note(ask, &s.id, &super::record::position(to));
                }
                out.send(Followed::Gap { source: source.map(|s| s.index), node: node.node.clone(), gap })
                    .await
            }
            Some(Event::Marker(m)) => {
                let index = node.sources.get(m.source as usize).map_or(m.source, |s| s.index);
                out.send(Followed::Marker(LogMarker { source: index, ..m })).await
            }
            Some(Event::Progress(p)) => {
                let index = node.sources.get(p.source as usize).map_or(p.source, |s| s.index);
                out.send(Followed::Progress(LogProgress { source: index, ..p })).await
            }
            Some(Event::Summary(s)) if s.error.is_empty() => return Ok(()),
            Some(Event::Summary(s)) => return Err(tonic::Status::internal(s.error)),
            None => Ok(()),
        };
        if sent.is_err() {
            return Ok(());
        }
    }
    Err(tonic::Status::unavailable("the link closed"))
}

/// Remembers where a source stands, so that the next stream goes on there.
fn note(ask: &mut Ask, source: &str, at: &Position) {
    let digest = ask.digest;
    ask.token
        .get_or_insert_with(|| PageToken { query: digest, back: false, at: Default::default(), store: None })
        .set(source, at);
}
