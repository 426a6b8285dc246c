//! A whole reading: containers found, read, merged, counted; new pods join a follow.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use ph_model::{ErrorKind, LogFlags};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ask::{Extent, LogAsk, Order, Page, Runs};
use super::choice::Choice;
use super::containers::Source;
use super::event::{Gap, LogEvent, Record, Summary};
use super::fetch::{self, Fault};
use super::lane::{Lane, Shared};
use super::merge::{Merge, Step};
use super::pods::{self, Change, Place};
use super::resolve::{Found, Scope};

/// Events of a container that wait to be merged.
const LANE: usize = 2;

/// A container, for ever: another pod of the same name is another one.
type Key = (String, String);

fn key(source: &Source) -> Key {
    (source.pod_uid.clone(), source.container.clone())
}

pub async fn run(
    client: kube::Client,
    (choice, ask): (Choice, LogAsk),
    out: mpsc::Sender<LogEvent>,
    (tasks, stop): (TaskTracker, CancellationToken),
) {
    let began = Instant::now();
    let prepared = tokio::select! {
        () = stop.cancelled() => return,
        () = out.closed() => return,
        prepared = prepare(&client, &choice, &ask) => prepared,
    };
    let (scope, found) = match prepared {
        Ok(prepared) => prepared,
        Err((kind, text)) => {
            // Nobody may be listening any more.
            let _ = out.send(LogEvent::Failed { kind, text }).await;
            return;
        }
    };
    let mut reading = Reading::new(client, (scope, choice), ask, (out, tasks));
    let ended = reading.begin(found).await;
    if ended.is_ok() {
        let stopped = reading.drive(began, stop).await;
        if let Ok(stopped) = stopped {
            reading.finish(stopped).await;
        }
    }
}

type Failed = (ErrorKind, String);

async fn prepare(client: &kube::Client, choice: &Choice, ask: &LogAsk) -> Result<(Scope, Found), Failed> {
    let invalid = |text: &str| Err((ErrorKind::Invalid, text.to_owned()));
    if ask.follow && matches!(ask.extent, Extent::Head(_)) {
        return invalid("a head has an end: it cannot be followed");
    }
    if ask.follow && matches!(ask.runs, Runs::Previous(_) | Runs::Number(_)) {
        return invalid("a run that has ended cannot be followed");
    }
    let deadline = ask.timing.answer.saturating_mul(4);
    let (scope, found) = match tokio::time::timeout(deadline, Scope::prepare(client, choice)).await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(error)) => return Err((error.kind(), crate::error::chain(&error))),
        Err(_) => {
            let text = format!("the API server did not answer within {} s", deadline.as_secs_f64());
            return Err((ErrorKind::Unavailable, text));
        }
    };
    let placed = ask.after.is_some() || ask.before.is_some() || ask.at.is_some();
    if placed && found.sources.len() != 1 {
        return invalid("a line's position goes on in one container; name that one");
    }
    if let Some(name) = [&ask.page.after, &ask.page.before].into_iter().flatten().next()
        && !found.sources.iter().any(|s| name.is_of(s))
    {
        let text = format!(
            "{}/{}/{} of the cursor is not among the containers that are read; name the same ones as before",
            name.namespace, name.pod, name.container
        );
        return Err((ErrorKind::NotFound, text));
    }
    if ask.follow && (ask.before.is_some() || ask.at.is_some() || ask.page.before.is_some()) {
        return invalid("what stands before or around a line has an end: it cannot be followed");
    }
    if let Some(stream) = ask.stream
        && let Some(source) = found.sources.iter().find(|s| !s.state.is_waiting())
    {
        match fetch::tells_streams(client, source, &ask.timing).await {
            Ok(true) => {}
            Ok(false) => {
                return Err((
                    ErrorKind::Invalid,
                    format!(
                        "this API server cannot give {} alone (feature PodLogsQuerySplitStreams); an agent on the node can",
                        stream.as_str()
                    ),
                ));
            }
            Err(Fault::Denied(why)) => return Err((ErrorKind::Denied, why)),
            Err(fault) => return Err((ErrorKind::Unavailable, format!("{fault:?}"))),
        }
    }
    Ok((scope, found))
}

/// Nobody listens any more.
struct Left;

struct Reading {
    client: kube::Client,
    scope: Scope,
    choice: Choice,
    ask: Arc<LogAsk>,
    shared: Arc<Shared>,
    out: mpsc::Sender<LogEvent>,
    tasks: TaskTracker,
    merge: Merge,
    known: BTreeMap<Key, watch::Sender<Option<Source>>>,
    /// Those of the beginning, in their order.
    first: Vec<Source>,
    /// Pods not seen again since a watch began anew.
    unseen: HashMap<Place, HashSet<Key>>,
    summary: Summary,
    watch_failed: bool,
}

impl Reading {
    fn new(
        client: kube::Client,
        (scope, choice): (Scope, Choice),
        ask: LogAsk,
        (out, tasks): (mpsc::Sender<LogEvent>, TaskTracker),
    ) -> Self {
        let shared = Shared {
            slots: Arc::new(Semaphore::new(ask.max_concurrent.max(1))),
            downloaded: AtomicU64::new(0),
            polled: watch::channel(false).0,
        };
        Self {
            client,
            scope,
            choice,
            merge: Merge::new(ask.order, None),
            ask: Arc::new(ask),
            shared: Arc::new(shared),
            out,
            tasks,
            known: BTreeMap::new(),
            first: Vec::new(),
            unseen: HashMap::new(),
            summary: Summary::default(),
            watch_failed: false,
        }
    }

    async fn begin(&mut self, found: Found) -> Result<(), Left> {
        for notice in found.notices {
            self.tell(LogEvent::Notice(notice)).await?;
        }
        let crowded = found.sources.len() > self.ask.max_concurrent;
        let streams_all = self.ask.extent == Extent::All && !self.ask.follow;
        let order = if crowded && streams_all && self.ask.order != Order::Arrival {
            self.tell(LogEvent::Notice(format!(
                "{} containers, {} at once: lines come container by container, not by time; --max-concurrent {} would order them",
                found.sources.len(),
                self.ask.max_concurrent,
                found.sources.len()
            )))
            .await?;
            Order::Arrival
        } else {
            self.ask.order
        };
        let tail = match self.ask.extent {
            Extent::Tail(n) if !self.ask.per_source => Some(n),
            _ => None,
        };
        self.merge = Merge::new(order, tail);
        self.first.clone_from(&found.sources);
        for source in found.sources {
            self.join(source, false).await?;
        }
        Ok(())
    }

    /// Reads one more container.
    async fn join(&mut self, source: Source, fresh: bool) -> Result<(), Left> {
        let index = self.known.len();
        let (state, hear) = watch::channel(Some(source.clone()));
        self.known.insert(key(&source), state);
        let ask = match self.ask.page == Page::default() {
            true => Arc::new(self.ask.narrowed(&source)),
            false => Arc::new(self.ask.of(&source, &self.first)),
        };
        let source = Arc::new(source);
        self.tell(LogEvent::Joined(source.clone())).await?;
        self.summary.sources = self.known.len();
        if self.ask.follow && self.known.len() > self.ask.max_concurrent && !*self.shared.polled.borrow() {
            self.shared.polled.send_replace(true);
            let notice = format!(
                "more than {} containers are followed: each is looked at in turn, at most every {} s; --max-concurrent allows more streams",
                self.ask.max_concurrent,
                self.ask.timing.poll.as_secs_f64()
            );
            self.tell(LogEvent::Notice(notice)).await?;
        }
        let (tell, receiver) = mpsc::channel(LANE);
        self.merge.add(receiver);
        let lane = Lane {
            client: self.client.clone(),
            index,
            source,
            ask,
            shared: self.shared.clone(),
            state: hear,
            tell,
            fresh,
            whole: false,
            streams: false,
            seen: None,
            doubts: false,
        };
        self.tasks.spawn(lane.run());
        Ok(())
    }

    async fn drive(&mut self, began: Instant, stop: CancellationToken) -> Result<&'static str, Left> {
        let mut changes: Box<dyn Stream<Item = Change> + Send + Unpin> = if self.ask.follow {
            Box::new(pods::watch(&self.client, &self.scope.places, &self.choice))
        } else {
            Box::new(futures::stream::pending())
        };
        let deadline = self.ask.timeout.map(|t| began + t);
        let mut progress = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            if self.merge.is_over() && !(self.ask.follow && self.scope.is_open()) {
                return Ok("done");
            }
            let late = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok("cancelled"),
                () = self.out.closed() => return Err(Left),
                () = late => return Ok("time"),
                Some(change) = changes.next() => self.change(change).await?,
                step = self.merge.next() => {
                    if let Some(stopped) = self.step(step).await? {
                        return Ok(stopped);
                    }
                }
                _ = progress.tick() => {
                    let downloaded_bytes = self.shared.downloaded.load(Atomic::Relaxed);
                    // A reader that is behind needs no word of progress.
                    let _ = self.out.try_send(LogEvent::Progress { downloaded_bytes, lines: self.summary.lines });
                }
            }
            let limit = self.ask.limit_bytes;
            if limit.is_some_and(|limit| self.shared.downloaded.load(Atomic::Relaxed) >= limit) {
                return Ok("bytes");
            }
        }
    }

    async fn step(&mut self, step: Step) -> Result<Option<&'static str>, Left> {
        match step {
            Step::Records(records) => return self.records(records).await,
            Step::Gap(gap) => self.gap(gap).await?,
            Step::Marker(marker) => self.tell(LogEvent::Marker(marker)).await?,
            Step::Ended(stats) => {
                self.summary.lines += stats.lines;
                self.summary.unknown_levels += stats.unknown_levels;
            }
        }
        Ok(None)
    }

    /// Passes records on, up to what was asked for.
    async fn records(&mut self, mut records: Vec<Record>) -> Result<Option<&'static str>, Left> {
        let head = match self.ask.extent {
            Extent::Head(n) if !self.ask.per_source => Some(n),
            _ => None,
        };
        let most = head.into_iter().chain(self.ask.max_count).min().unwrap_or(u64::MAX);
        let mut full = false;
        let mut keep = 0;
        for record in &records {
            let is_match = !record.flags.has(LogFlags::CONTEXT);
            if is_match && self.summary.matches >= most {
                break;
            }
            keep += 1;
            self.summary.matches += u64::from(is_match);
            self.summary.cut_lines += u64::from(record.full_bytes > 0);
            full = self.summary.matches >= most && self.ask.context.after == 0;
        }
        full |= keep < records.len();
        records.truncate(keep);
        if !records.is_empty() {
            self.tell(LogEvent::Records(records)).await?;
        }
        Ok(full.then_some("rows"))
    }

    async fn gap(&mut self, gap: Gap) -> Result<(), Left> {
        // A stream that was resumed lacks nothing.
        self.summary.gaps += u64::from(gap.kind != "reconnected");
        match gap.kind {
            "denied" => self.summary.denied += 1,
            "cluster_unreachable" | "read_error" => self.summary.unreachable += 1,
            _ => {}
        }
        self.tell(LogEvent::Gap(gap)).await
    }

    /// Takes up what the watch says.
    async fn change(&mut self, change: Change) -> Result<(), Left> {
        match change {
            Change::Set(pod) => self.set(&pod).await,
            Change::Gone(pod) => {
                let uid = pod.metadata.uid.unwrap_or_default();
                self.gone(|key| key.0 == uid);
                Ok(())
            }
            Change::Begin(place) => {
                let here = |state: &watch::Sender<Option<Source>>| {
                    let state = state.borrow();
                    state.as_ref().is_some_and(|s| place.as_ref().is_none_or(|p| *p == s.namespace))
                };
                let all = self.known.iter().filter(|(_, s)| here(s)).map(|(k, _)| k.clone()).collect();
                self.unseen.insert(place, all);
                Ok(())
            }
            Change::Synced(place) => {
                let unseen = self.unseen.remove(&place).unwrap_or_default();
                self.gone(|key| unseen.contains(key));
                self.watch_failed = false;
                Ok(())
            }
            Change::Failed(why) if !self.watch_failed => {
                self.watch_failed = true;
                self.tell(LogEvent::Notice(format!("{why}; new pods join when it works again"))).await
            }
            Change::Failed(_) => Ok(()),
        }
    }

    fn gone(&self, which: impl Fn(&Key) -> bool) {
        for (_, state) in self.known.iter().filter(|(key, _)| which(key)) {
            state.send_if_modified(|held| held.take().is_some());
        }
    }

    async fn set(&mut self, pod: &Pod) -> Result<(), Left> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        for unseen in self.unseen.values_mut() {
            unseen.retain(|key| key.0 != uid);
        }
        // Known containers are kept up to date, whether their pod still fits or not.
        for source in super::containers::all(pod) {
            if let Some(state) = self.known.get(&key(&source)) {
                state.send_if_modified(|held| {
                    let changed = held.as_ref() != Some(&source);
                    *held = Some(source);
                    changed
                });
            }
        }
        for source in self.scope.of_pod(pod).0 {
            let begun = !source.state.is_waiting() || source.restarts > 0;
            if begun && !self.known.contains_key(&key(&source)) {
                self.join(source, true).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self, stopped: &'static str) {
        self.summary.stopped = stopped;
        self.summary.downloaded_bytes = self.shared.downloaded.load(Atomic::Relaxed);
        self.summary.completeness = if self.summary.gaps > 0 { "incomplete" } else { "unproven" };
        // Nobody may be listening any more.
        let _ = self.out.send(LogEvent::Summary(self.summary)).await;
    }

    async fn tell(&mut self, event: LogEvent) -> Result<(), Left> {
        self.out.send(event).await.map_err(|_| Left)
    }
}
