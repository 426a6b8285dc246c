//! One container's log: its history, then what comes.
//!
//! In:     requests to the API server, what the watch of pods says of the container.
//! Out:    [`LaneEvent`]s in the log's order.
//! Never:  holds a place among the streams while it waits for its reader with all it wants; gives up on a follow while the
//!         container may still speak.

mod follow;
mod keep;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::ask::{Extent, LogAsk, Runs};
use super::containers::Source;
use super::event::{Gap, Marker, Position, Record};
use super::fetch::{self, Answer, Fault, Options};
use super::line::{Line, Splitter};
use super::mask::{LEAD_LINES, LEAD_NS};
use super::sift::{Sift, Verdict};
use keep::Keep;

/// Records on their way from one container.
pub const BATCH: usize = 256;
/// Bytes between two signs of progress.
const PROGRESS: u64 = 1 << 20;

/// Lines of one time that a place is looked for among.
const EQUALS: u64 = 1 << 20;

/// What a lane says. Dropped receivers end it.
#[derive(Debug)]
pub enum LaneEvent {
    Records(Vec<Record>),
    Gap(Gap),
    Marker(Marker),
    /// Lines up to this one of this run were looked at.
    At(u32, Position),
    /// All history was given; what follows is new.
    CaughtUp,
    Done(Stats),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub lines: u64,
    pub unknown_levels: u64,
    /// The run that was read last, and the last line looked at in it.
    pub last: Option<(u32, Position)>,
}

/// What all lanes share.
#[derive(Debug)]
pub struct Shared {
    pub slots: Arc<Semaphore>,
    pub downloaded: AtomicU64,
    /// More containers are followed than there are streams: each is polled in turn.
    pub polled: watch::Sender<bool>,
}

pub struct Lane {
    pub client: kube::Client,
    pub index: usize,
    pub source: Arc<Source>,
    pub ask: Arc<LogAsk>,
    pub shared: Arc<Shared>,
    /// `None`: the pod is gone.
    pub state: watch::Receiver<Option<Source>>,
    pub tell: mpsc::Sender<LaneEvent>,
    /// It appeared during a follow: read from its first line, whatever the extent.
    pub fresh: bool,
    /// Nothing is written any more to what is read now: what stands behind the last LF is its end.
    pub whole: bool,
    /// The answer is held as long as the container lives, unless places become scarce.
    pub streams: bool,
    /// What a question for the pod alone said last; `Some(None)`: it is gone.
    pub seen: Option<Option<Source>>,
    /// An answer that does not hold the line to go on from is not taken: it may be another run's.
    pub doubts: bool,
}

/// Why a lane stops early.
enum Stop {
    /// Nobody listens.
    Left,
    /// Told already.
    Over,
}

/// How one answer ended.
enum End {
    /// The log's end, as it is now.
    Eof,
    /// Enough: head or range.
    Enough,
    /// Nothing came for the time of silence.
    Silent,
    /// The kubelet has no such log: its words came in place of one.
    Missing(String),
    Broken(String),
    /// The line to go on from is not in it; nothing of it was taken.
    Other,
}

impl Lane {
    pub async fn run(mut self) {
        let run = self.source.restarts;
        let mut sift = Sift::new(&self.ask, self.index, run);
        sift.stream = self.ask.stream.unwrap_or_default();
        // Either way the statistics are told; nobody may be listening any more.
        let _ = self.read(&mut sift).await;
        let last = sift.last().map(|at| (sift.run, at));
        let stats = Stats { lines: sift.lines, unknown_levels: sift.unknown_levels, last };
        let _ = self.tell.send(LaneEvent::Done(stats)).await;
    }

    async fn read(&mut self, sift: &mut Sift) -> Result<(), Stop> {
        if self.ask.filter.filter().is_never() {
            // No line of this container can pass: nothing of it is downloaded.
            return match self.ask.follow {
                true => self.send(LaneEvent::CaughtUp).await,
                false => Ok(()),
            };
        }
        let extent = if self.fresh { Extent::All } else { self.ask.extent };
        let mut keep = Keep::new(extent, self.ask.context.before);
        if let Some(after) = self.ask.after {
            sift.resume_at(after);
        }
        if self.earlier_runs(sift, &mut keep).await? {
            self.history(sift, &mut keep, false).await?;
        }
        self.send_records(keep.end()).await?;
        if !self.ask.follow {
            return Ok(());
        }
        self.send(LaneEvent::CaughtUp).await?;
        follow::follow(self, sift).await
    }

    /// Reads runs before the current one. Whether the current one is meant too.
    async fn earlier_runs(&mut self, sift: &mut Sift, keep: &mut Keep) -> Result<bool, Stop> {
        let current = self.source.restarts;
        let runs = match self.runs(current) {
            Runs::Number(n) if n == current => return Ok(true),
            Runs::Number(n) if n < current => Runs::Previous(current - n),
            other => other,
        };
        let wanted = match runs {
            Runs::Number(n) => {
                let text = format!("{} has no run {n} yet; the current one is {current}", self.name());
                self.gap("before_oldest", text).await?;
                return Ok(false);
            }
            Runs::Current => return Ok(true),
            Runs::All => 1,
            Runs::Previous(n) => n,
        };
        let only = matches!(runs, Runs::Previous(_));
        let unreachable = match runs {
            _ if self.ask.start.is_some_and(|s| s.run + 1 >= current) => None,
            Runs::All if current > 1 => Some(format!("{} earlier runs", current - 1)),
            Runs::Previous(n) if n > 1 => Some(format!("the {n} runs before: all but the last")),
            _ => None,
        };
        if let Some(which) = unreachable {
            let text = format!(
                "{which} of {} cannot be had from the API; an agent on the node reads them",
                self.name()
            );
            self.gap("before_oldest", text).await?;
        }
        if current == 0 || wanted > 1 {
            if only && current == 0 {
                self.gap(
                    "before_oldest",
                    format!("{} has not been restarted: there is no run before", self.name()),
                )
                .await?;
            }
            return Ok(!only);
        }
        sift.next_run(current - 1);
        self.history(sift, keep, true).await?;
        if !only {
            sift.next_run(current);
        }
        Ok(!only)
    }

    /// The runs that are meant: a place that the reading begins or ends at has the last word.
    fn runs(&self, current: u32) -> Runs {
        match (self.ask.start, self.ask.before) {
            _ if self.fresh => self.ask.runs,
            (Some(start), _) if start.run >= current => Runs::Current,
            (Some(_), _) => Runs::All,
            (None, Some((run, _))) if run < current => Runs::Previous(current - run),
            _ => self.ask.runs,
        }
    }

    /// One forward pass over what there is. What goes out goes through `keep`.
    async fn history(&mut self, sift: &mut Sift, keep: &mut Keep, previous: bool) -> Result<(), Stop> {
        let mut options = self.first_options(previous);
        (self.whole, self.streams) = (previous || !self.ask.follow, false);
        self.doubts = false;
        let timing = self.ask.timing;
        let counted = (sift.lines, sift.unknown_levels);
        let mut failing: Option<Instant> = None;
        let mut pause = timing.retry_first;
        let permit = self.shared.slots.clone().acquire_owned().await.map_err(|_| Stop::Left)?;
        loop {
            let before = sift.lines;
            let broken = match fetch::open(&self.client, &self.source, &options, &timing).await {
                Ok(_) if !previous && self.is_another_run(sift.run).await => {
                    // A place in the run before is gone on from by the follow.
                    if sift.last().is_some() || self.ask.start.is_some() {
                        break;
                    }
                    sift.next_run(self.source.restarts);
                    options = self.first_options(previous);
                    continue;
                }
                Ok(answer) => match self.take(answer, sift, keep).await? {
                    End::Eof | End::Enough => match self.amid_equals(&options, (sift, keep), counted.0) {
                        None => break,
                        Some(since_ns) => {
                            sift.anew(counted);
                            keep.drop_run(sift.run);
                            options = Options { since_ns: Some(since_ns), tail_lines: None, ..options };
                            continue;
                        }
                    },
                    End::Missing(why) => {
                        self.missing((previous, sift.run), why).await?;
                        break;
                    }
                    End::Broken(why) => why,
                    End::Silent | End::Other => "the answer stopped".to_owned(),
                },
                Err(Fault::Unreachable(why)) => why,
                Err(fault) => return self.refused(fault, previous).await,
            };
            if sift.lines > before {
                (failing, pause) = (None, timing.retry_first);
            }
            if failing.get_or_insert_with(Instant::now).elapsed() + pause >= timing.answer {
                self.gap(
                    "cluster_unreachable",
                    format!("{}: {broken}; what was not read yet is missing", self.name()),
                )
                .await?;
                break;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(timing.retry_most);
            // Bytes that came are not asked for again, but for those of the last second.
            if let Some(since_ns) = sift.resume() {
                options = Options { since_ns: Some(since_ns), tail_lines: None, ..options };
            }
        }
        drop(permit);
        self.lost(sift).await
    }

    fn first_options(&self, previous: bool) -> Options {
        let ask = &self.ask;
        let lead = |ns: i64| if ask.mask.is_some() { ns.saturating_sub(LEAD_NS) } else { ns };
        let mut options =
            Options { previous, stream: ask.stream, since_ns: ask.from_ns.map(lead), ..Options::default() };
        let run = self.source.restarts.saturating_sub(u32::from(previous));
        let after = ask.after.map(|at| at.ts_ns);
        let start = ask.start.filter(|s| s.run == run).map(|s| s.place.not_after_ns(EQUALS));
        if let Some(at) = start.or(after).filter(|_| !self.fresh) {
            options.since_ns = Some(lead(at.max(ask.from_ns.unwrap_or(i64::MIN))));
            return options;
        }
        let plain = ask.filter.is_all()
            && ask.to_ns.is_none()
            && ask.stream.is_none()
            && ask.before.is_none()
            && ask.at.is_none();
        if let Extent::Tail(n) = ask.extent
            && plain
            && !self.fresh
        {
            // The API counts pieces of lines: more is asked for, and cut here.
            let lead = if ask.mask.is_some() { LEAD_LINES } else { 0 };
            let lines = if n == 0 { 1 } else { n.saturating_mul(2).saturating_add(16) };
            options.tail_lines = Some(lines.saturating_add(lead));
        }
        options
    }

    /// Whether the container began another run before the answer at hand was opened: of whose log it is, nothing in it says.
    /// Only a follow would give lines twice for it.
    async fn is_another_run(&mut self, run: u32) -> bool {
        if !self.ask.follow {
            return false;
        }
        follow::refresh(self).await;
        let Some(Some(now)) = self.seen.as_ref().filter(|s| s.as_ref().is_some_and(|s| s.restarts > run))
        else {
            return false;
        };
        self.source = Arc::new(now.clone());
        true
    }

    /// A run whose log the kubelet has no more.
    async fn missing(&self, (previous, run): (bool, u32), why: String) -> Result<(), Stop> {
        let kind = if previous { "before_oldest" } else { "read_error" };
        self.gap(kind, format!("{}: the log of run {run} is gone from its node: {why}", self.name())).await
    }

    /// Says why there is nothing yet.
    async fn waits(&self, answer: String) -> Result<(), Stop> {
        let known = self.source.state.why_waiting();
        let marker = Marker {
            kind: "waiting",
            source: self.index,
            run: self.source.restarts,
            exit_code: None,
            reason: if known.is_empty() { answer } else { known },
        };
        self.send(LaneEvent::Marker(marker)).await
    }

    /// Takes one answer until it ends.
    async fn take(&mut self, mut answer: Answer, sift: &mut Sift, keep: &mut Keep) -> Result<End, Stop> {
        let mut splitter = Splitter::new(self.ask.max_line);
        let mut out = Vec::new();
        let mut told = 0_u64;
        let mut polled = self.shared.polled.subscribe();
        let mut opening = Opening::default();
        loop {
            let chunk = tokio::select! {
                () = self.tell.closed() => return Err(Stop::Left),
                // Others wait for the place.
                _ = polled.wait_for(|p| *p), if self.streams => return Ok(End::Eof),
                chunk = tokio::time::timeout(self.ask.timing.silence, answer.next()) => chunk,
            };
            let chunk = match chunk {
                Err(_) => return Ok(End::Silent),
                Ok(Err(Fault::Unreachable(why))) => return Ok(End::Broken(why)),
                Ok(Err(_)) => return Ok(End::Broken("the answer broke off".to_owned())),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(chunk))) => chunk,
            };
            self.shared.downloaded.fetch_add(chunk.len() as u64, Atomic::Relaxed);
            told += chunk.len() as u64;
            splitter.push(&chunk);
            let now_ns = now_ns();
            while let Some(line) = splitter.next(now_ns) {
                for line in opening.lines(line) {
                    if self.doubts && sift.misses(&line) {
                        return Ok(End::Other);
                    }
                    if sift.line(line, &mut out) == Verdict::Past {
                        self.pass_on(&mut out, keep).await?;
                        return Ok(End::Enough);
                    }
                }
                if out.len() >= BATCH && self.pass_on(&mut out, keep).await? {
                    return Ok(End::Enough);
                }
            }
            if self.pass_on(&mut out, keep).await? {
                return Ok(End::Enough);
            }
            if told >= PROGRESS
                && let Some(at) = sift.last()
            {
                told = 0;
                self.send(LaneEvent::At(sift.run, at)).await?;
            }
        }
        // What stands behind the last LF of a whole answer is the log's own end, unless the container still writes it.
        let rest = splitter.rest(now_ns());
        if let Some(why) = opening.only_refusal(rest.as_ref()) {
            return Ok(End::Missing(why));
        }
        for line in opening.take().into_iter().chain(rest.filter(|_| self.whole)) {
            sift.line(line, &mut out);
        }
        let enough = self.pass_on(&mut out, keep).await?;
        Ok(if enough { End::Enough } else { End::Eof })
    }

    /// Keeps or sends; true when no more is wanted.
    async fn pass_on(&self, out: &mut Vec<Record>, keep: &mut Keep) -> Result<bool, Stop> {
        if out.is_empty() {
            return Ok(false);
        }
        let through = keep.push(std::mem::take(out));
        self.send_records(through).await?;
        Ok(keep.is_full())
    }

    async fn send_records(&self, records: Vec<Record>) -> Result<(), Stop> {
        if records.is_empty() {
            return Ok(());
        }
        self.send(LaneEvent::Records(records)).await
    }

    /// A log that cannot be had.
    async fn refused(&self, fault: Fault, previous: bool) -> Result<(), Stop> {
        let name = self.name();
        match fault {
            Fault::None(why) if !previous => self.waits(why).await,
            Fault::None(why) => self.gap("before_oldest", format!("{name}: {why}")).await,
            Fault::Denied(why) => {
                self.gap(
                    "denied",
                    format!("{name}: {why}; get on pods/log in {} would allow it", self.source.namespace),
                )
                .await?;
                Err(Stop::Over)
            }
            Fault::Gone(why) => {
                self.gap("read_error", format!("{name}: {why}")).await?;
                Err(Stop::Over)
            }
            Fault::Refused(why) | Fault::Unreachable(why) => {
                self.gap("read_error", format!("{name}: {why}")).await?;
                Err(Stop::Over)
            }
        }
    }

    /// Says it when the line that was to be gone on from is not there any more.
    async fn lost(&self, sift: &mut Sift) -> Result<(), Stop> {
        if !std::mem::take(&mut sift.lost) {
            return Ok(());
        }
        let text = format!(
            "{}: the last line seen is not in the log any more; the kubelet rotated it, and lines between may be missing",
            self.name()
        );
        self.gap("kubelet_rotation", text).await
    }

    /// A tail that may begin amid lines of one time does not tell their places: it is read again, once, from that time on.
    fn amid_equals(&self, options: &Options, (sift, keep): (&Sift, &Keep), before: u64) -> Option<i64> {
        // Pieces are joined to fewer lines than were asked for.
        let cut = options.tail_lines.is_some_and(|asked| sift.joined || sift.lines - before >= asked);
        let first = sift.first_ns().filter(|_| cut && self.ask.exact_places)?;
        keep.first_of(sift.run).is_some_and(|r| r.ts_ns <= first).then_some(first)
    }

    fn name(&self) -> String {
        let Source { namespace, pod, container, .. } = &*self.source;
        format!("{namespace}/{pod}/{container}")
    }

    async fn gap(&self, kind: &'static str, text: String) -> Result<(), Stop> {
        let gap = Gap { kind, source: Some(self.index), from_ns: None, to_ns: None, text };
        self.send(LaneEvent::Gap(gap)).await
    }

    async fn send(&self, event: LaneEvent) -> Result<(), Stop> {
        self.tell.send(event).await.map_err(|_| Stop::Left)
    }
}

/// What a kubelet answers, as a whole and without a time, when the container or its log is gone.
const NO_LOG: &[u8] = b"unable to retrieve container logs for ";

/// The first line of an answer, held back while it may be all there is of it.
#[derive(Default)]
struct Opening {
    held: Option<Line>,
    over: bool,
}

impl Opening {
    fn is_refusal(line: &Line) -> bool {
        line.ts_ns.is_none() && line.content.starts_with(NO_LOG)
    }

    /// The lines that may go on, now that this one came.
    fn lines(&mut self, line: Line) -> impl Iterator<Item = Line> + use<> {
        let first = !std::mem::replace(&mut self.over, true);
        let (held, line) = match first && Self::is_refusal(&line) {
            true => {
                self.held = Some(line);
                (None, None)
            }
            false => (self.held.take(), Some(line)),
        };
        held.into_iter().chain(line)
    }

    fn take(&mut self) -> Option<Line> {
        self.held.take()
    }

    /// The kubelet's words, when they are the whole answer.
    fn only_refusal(&mut self, rest: Option<&Line>) -> Option<String> {
        let line = match (&self.held, rest) {
            (Some(held), None) => held,
            (None, Some(rest)) if !self.over && Self::is_refusal(rest) => rest,
            _ => return None,
        };
        Some(String::from_utf8_lossy(&line.content).trim_end().to_owned())
    }
}

fn now_ns() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// Between half and the whole, so that many lanes do not come back at once.
fn jittered(pause: std::time::Duration) -> std::time::Duration {
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    pause / 2 + (pause / 2).mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
}
