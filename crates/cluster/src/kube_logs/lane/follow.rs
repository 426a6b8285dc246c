//! What comes after the history: one stream as long as it holds, resumed where it broke, over restarts, to the container's end.

use std::time::Duration;

use tokio::time::Instant;

use super::super::containers::{self, Source, State};
use super::super::event::Marker;
use super::super::fetch::{self, Fault, Options};
use super::super::pods;
use super::super::sift::Sift;
use super::keep::Keep;
use super::{End, Extent, Lane, LaneEvent, Stop, jittered};

/// A container that ended without a word of the watch is looked at again after so long.
const LOOK: Duration = Duration::from_secs(10);
/// A kubelet gives a new run's log before the API server knows of the run; it tells so within this time.
const LAG: Duration = Duration::from_secs(3);

/// Patience that grows.
struct Pause {
    next: Duration,
    since: Option<Instant>,
    told: bool,
    /// The stream broke, and has not been opened since.
    broke: bool,
    /// Since when the log does not hold the line to go on from.
    doubt: Option<Instant>,
}

impl Pause {
    fn new(next: Duration) -> Self {
        Self { next, since: None, told: false, broke: false, doubt: None }
    }
}

/// What an ended stream means.
enum Now {
    /// The same run goes on.
    Same,
    /// Another run began.
    Restarted(Source),
    /// Nothing more will come.
    Over(Option<Source>),
    /// Between two runs, or not started.
    Between,
}

pub async fn follow(lane: &mut Lane, sift: &mut Sift) -> Result<(), Stop> {
    let timing = lane.ask.timing;
    let mut keep = Keep::new(Extent::All, lane.ask.context.before);
    let mut pause = Pause::new(timing.retry_first);
    loop {
        // Looked at before the stream: what it says of an end was true before the last line was read. The watch may lag behind,
        // and a stream that is opened meanwhile would be the next run's.
        refresh(lane).await;
        let now = state(lane, sift);
        let polled = *lane.shared.polled.borrow();
        let options = Options {
            follow: !polled,
            since_ns: sift.resume().or(lane.ask.from_ns),
            stream: lane.ask.stream,
            ..Options::default()
        };
        let (lines, stood) = (sift.lines, sift.last());
        lane.doubts = stood.is_some() && pause.doubt.is_none_or(|d| d.elapsed() < timing.answer.min(LAG));
        let permit = lane.shared.slots.clone().acquire_owned().await.map_err(|_| Stop::Left)?;
        let opened = match now {
            // The container speaks of its new run already: the end of the old one is asked for by name.
            Now::Restarted(next) => {
                drop(permit);
                restarted(lane, sift, (&mut keep, next)).await?;
                continue;
            }
            _ => fetch::open(&lane.client, &lane.source, &options, &timing).await,
        };
        (lane.whole, lane.streams) = (matches!(now, Now::Over(_)), !polled);
        let ended = match opened {
            // Without a line that was read before, what is read does not tell whose run it is.
            Ok(_) if stood.is_none() && lane.is_another_run(sift.run).await => continue,
            Ok(answer) => {
                if std::mem::take(&mut pause.broke) {
                    let text = format!(
                        "{}: the stream broke and was resumed; what came twice was removed",
                        lane.name()
                    );
                    lane.gap("reconnected", text).await?;
                }
                lane.take(answer, sift, &mut keep).await?
            }
            Err(Fault::Denied(why)) => return lane.refused(Fault::Denied(why), false).await,
            Err(Fault::None(_)) => End::Eof,
            Err(Fault::Gone(_)) => return ended_with(lane, sift, None).await,
            Err(Fault::Refused(why) | Fault::Unreachable(why)) => End::Broken(why),
        };
        drop(permit);
        lane.lost(sift).await?;
        if sift.lines > lines {
            pause = Pause::new(timing.retry_first);
        }
        match (ended, now) {
            (End::Enough, _) => return Ok(()),
            // Rotated, or a run that the pod does not tell of yet.
            (End::Other, _) => {
                pause.doubt.get_or_insert_with(Instant::now);
                look_again(lane, &mut pause).await?;
            }
            (End::Missing(why), Now::Over(source)) => {
                lane.missing((false, sift.run), why).await?;
                return ended_with(lane, sift, source).await;
            }
            // Its last words were read after it was said to be over.
            (End::Eof, Now::Over(source)) => return ended_with(lane, sift, source).await,
            // Older kubelets fall silent when they rotate: asked anew, the log gives what the silent stream withheld.
            (End::Silent, _) => {}
            // It is being taken away, or not there yet: what the pod says next decides.
            (End::Eof | End::Missing(_), _) if polled => tokio::time::sleep(timing.poll).await,
            (End::Eof | End::Missing(_), Now::Between) => {
                let _ = tokio::time::timeout(LOOK, lane.state.changed()).await;
            }
            (End::Eof | End::Missing(_), _) => look_again(lane, &mut pause).await?,
            (End::Broken(why), _) => broken(lane, &mut pause, why).await?,
        }
        if lane.tell.is_closed() {
            return Err(Stop::Left);
        }
    }
}

/// Waits before a stream that ended while its container runs is opened anew: a change of the pod comes first.
async fn look_again(lane: &mut Lane, pause: &mut Pause) -> Result<(), Stop> {
    let timing = lane.ask.timing;
    tokio::select! {
        () = tokio::time::sleep(jittered(pause.next)) => pause.next = (pause.next * 2).min(timing.retry_most),
        changed = lane.state.changed() => {
            if changed.is_err() {
                return Err(Stop::Left);
            }
            pause.next = timing.retry_first;
        }
    }
    Ok(())
}

/// Asks for the pod itself. Where that fails, what the watch said last counts.
pub async fn refresh(lane: &mut Lane) {
    let at = (lane.source.namespace.as_str(), lane.source.pod.as_str(), lane.source.pod_uid.as_str());
    let asked = tokio::time::timeout(lane.ask.timing.answer, pods::one(&lane.client, at)).await;
    let Ok(Ok(found)) = asked else { return };
    let own = |source: &Source| source.container == lane.source.container;
    lane.seen = Some(found.and_then(|pod| containers::all(&pod).into_iter().find(own)));
}

fn state(lane: &mut Lane, sift: &Sift) -> Now {
    let watched = lane.state.borrow_and_update().clone();
    // Of both the one that knows more: runs only count up, and nothing comes back from its end.
    let seen = match (watched, lane.seen.take()) {
        (None, _) | (_, Some(None)) => None,
        (Some(watched), Some(Some(asked))) if asked.restarts >= watched.restarts => Some(asked),
        (Some(watched), _) => Some(watched),
    };
    match seen {
        None => Now::Over(None),
        Some(source) if source.restarts > sift.run => Now::Restarted(source),
        Some(source) if source.finished => Now::Over(Some(source)),
        Some(source) => match source.state {
            State::Running => Now::Same,
            State::Waiting { .. } | State::Terminated { .. } => Now::Between,
        },
    }
}

/// Reads the rest of the run that ended, then stands at the beginning of the new one.
async fn restarted(lane: &mut Lane, sift: &mut Sift, (keep, next): (&mut Keep, Source)) -> Result<(), Stop> {
    let timing = lane.ask.timing;
    if next.restarts == sift.run + 1 {
        let options = Options {
            previous: true,
            since_ns: sift.resume(),
            stream: lane.ask.stream,
            ..Options::default()
        };
        let permit = lane.shared.slots.clone().acquire_owned().await.map_err(|_| Stop::Left)?;
        match fetch::open(&lane.client, &lane.source, &options, &timing).await {
            Ok(answer) => {
                (lane.whole, lane.streams, lane.doubts) = (true, false, false);
                if let End::Missing(why) = lane.take(answer, sift, keep).await? {
                    lane.missing((true, sift.run), why).await?;
                }
            }
            Err(Fault::None(why) | Fault::Unreachable(why) | Fault::Refused(why) | Fault::Gone(why)) => {
                let text =
                    format!("{}: the last lines of run {} could not be read: {why}", lane.name(), sift.run);
                lane.gap("read_error", text).await?;
            }
            Err(denied) => return lane.refused(denied, true).await,
        }
        drop(permit);
        lane.lost(sift).await?;
    } else {
        let text = format!(
            "{}: runs {} to {} ended unseen; the API gives only the last of them",
            lane.name(),
            sift.run,
            next.restarts - 1
        );
        lane.gap("before_oldest", text).await?;
    }
    let (exit_code, reason) = next.last.clone().map_or((None, String::new()), |(c, r)| (Some(c), r));
    sift.next_run(next.restarts);
    let marker = Marker { kind: "restarted", source: lane.index, run: next.restarts, exit_code, reason };
    lane.send(LaneEvent::Marker(marker)).await
}

async fn ended_with(lane: &mut Lane, sift: &Sift, source: Option<Source>) -> Result<(), Stop> {
    let (exit_code, reason) = match source.map(|s| s.state) {
        Some(State::Terminated { exit_code, reason }) => (Some(exit_code), reason),
        Some(_) => (None, String::new()),
        None => (None, "the pod was deleted".to_owned()),
    };
    let marker = Marker { kind: "ended", source: lane.index, run: sift.run, exit_code, reason };
    lane.send(LaneEvent::Marker(marker)).await
}

/// Waits after a cut; says it when it lasts.
async fn broken(lane: &Lane, pause: &mut Pause, why: String) -> Result<(), Stop> {
    let timing = lane.ask.timing;
    pause.broke = true;
    let since = *pause.since.get_or_insert_with(Instant::now);
    if !pause.told && since.elapsed() >= timing.answer {
        pause.told = true;
        let text = format!("{}: {why}; the stream goes on when the API server answers again", lane.name());
        lane.gap("cluster_unreachable", text).await?;
    }
    tokio::select! {
        () = lane.tell.closed() => return Err(Stop::Left),
        () = tokio::time::sleep(jittered(pause.next)) => {}
    }
    pause.next = (pause.next * 2).min(timing.retry_most);
    Ok(())
}
