//! A host's agent whose log files are in memory: segments with positions, rotation, budgets, following.
//!
//! It stands in for files because the crate that reads them is another role's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use ph_filter::{Compiled, Filter};
use ph_link::v1::logs_server::{Logs, LogsServer};
use ph_link::v1::objects_event::M as ObjectM;
use ph_link::v1::objects_server::{Objects, ObjectsServer};
use ph_link::v1::read_control::M as Control;
use ph_link::v1::read_event::M as Event;
use ph_link::v1::{
    AgentKind, CountAsk, CountBucket, CountBy, CountEvent, CountResult, KindSynced, LogBatch, LogGap,
    LogPosition, LogProgress, LogRun, LogSegment, LogSource, LogSummary, ObjectSet, ObjectsAsk, ObjectsEvent,
    ReadControl, ReadEvent, ReadMode, ReadOpen, SourceRef, SourcesAsk, SourcesReply, Tier, count_event,
};
use ph_model::Level;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::link::tests::bed::{As, Out as Stream};

#[derive(Clone, Debug)]
pub struct Line {
    pub ts: i64,
    pub text: String,
    key: u128,
    offset: u64,
    /// It stands beside a match.
    context: bool,
}

impl ph_filter::Record for Line {
    fn ts_ns(&self) -> i64 {
        self.ts
    }

    fn level(&self) -> Level {
        ph_filter::level_of(self.text.as_bytes()).0
    }

    fn message(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        ph_filter::field(self.text.as_bytes(), name)
    }
}

/// Segments by container, oldest first; each a key and its lines.
type Files = BTreeMap<String, Vec<(u128, Vec<Line>)>>;

/// The files of one host. Clones share them.
#[derive(Clone)]
pub struct Disk {
    files: Arc<Mutex<Files>>,
    grown: watch::Sender<u64>,
    /// Every `open` that came.
    pub opened: Arc<Mutex<Vec<ReadOpen>>>,
    /// Files in whose place a link lies.
    pub planted: Arc<Mutex<Vec<String>>>,
}

impl Disk {
    pub fn new(containers: &[&str]) -> Self {
        let files = containers.iter().map(|c| ((*c).to_owned(), vec![(key(c, 0), Vec::new())])).collect();
        Self {
            files: Arc::new(Mutex::new(files)),
            grown: watch::channel(0).0,
            opened: Arc::default(),
            planted: Arc::default(),
        }
    }

    pub fn write(&self, container: &str, ts: i64, text: &str) -> (u128, u64) {
        let mut files = self.files.lock().unwrap();
        let (key, lines) = files.get_mut(container).unwrap().last_mut().unwrap();
        let offset = lines.last().map_or(0, |l| l.offset + l.text.len() as u64 + 40);
        lines.push(Line { ts, text: text.to_owned(), key: *key, offset, context: false });
        let at = (*key, offset);
        drop(files);
        self.grown.send_modify(|n| *n += 1);
        at
    }

    /// From now on a container is read as over the Kubernetes API, which knows no segments.
    pub fn over_api(&self, container: &str) {
        let all = vec![(ph_link::API_SEGMENT, Vec::new())];
        self.files.lock().unwrap().insert(container.to_owned(), all);
    }

    pub fn rotate(&self, container: &str) {
        let mut files = self.files.lock().unwrap();
        let segments = files.get_mut(container).unwrap();
        let n = segments.len() as u128;
        let first = segments.first().unwrap().0;
        segments.push((first + n, Vec::new()));
    }

    /// Deletes the oldest segment.
    pub fn forget(&self, container: &str) {
        self.files.lock().unwrap().get_mut(container).unwrap().remove(0);
    }

    /// The node of a cluster that has these files.
    pub fn as_node(&self) -> As<'static> {
        As { services: Routes::new(LogsServer::new(self.clone())), ..As::node() }
    }

    /// A container that has begun to write.
    pub fn begin(&self, container: &str) {
        let mut files = self.files.lock().unwrap();
        files.entry(container.to_owned()).or_insert_with(|| vec![(key(container, 0), Vec::new())]);
    }

    /// A host that links with these files.
    pub fn as_host(&self, node: &'static str) -> As<'static> {
        let services =
            Routes::new(LogsServer::new(self.clone())).add_service(ObjectsServer::new(self.clone()));
        As { kind: AgentKind::Host, node, uid: "", ceiling: Tier::Debug, services }
    }

    fn lines(&self, container: &str) -> Vec<Line> {
        let files = self.files.lock().unwrap();
        files.get(container).into_iter().flatten().flat_map(|(_, lines)| lines.clone()).collect()
    }
}

/// The name of a source's files: of a pod's container `POD/CONTAINER`.
fn file(source: &SourceRef) -> String {
    match source.container_id.as_str() {
        "" => format!("{}/{}", source.pod, source.container),
        id => id.to_owned(),
    }
}

fn key(container: &str, n: u128) -> u128 {
    (u128::from(xxhash_rust::xxh3::xxh3_64(container.as_bytes())) << 32) + n + 1
}

fn place(key: u128, offset: u64) -> LogPosition {
    LogPosition { run: 0, segment_key: key.to_be_bytes().to_vec().into(), offset, rewind: 0 }
}

fn after(line: &Line) -> LogPosition {
    place(line.key, line.offset + line.text.len() as u64 + 40)
}

fn send(m: Event) -> Result<ReadEvent, Status> {
    Ok(ReadEvent { m: Some(m) })
}

/// What one source gives of an `open`.
struct Given {
    lines: Vec<Line>,
    scanned: u64,
    /// Where scanning stopped.
    at: Option<LogPosition>,
    /// Of a tail: where looking stopped, and the time there.
    since: Option<LogPosition>,
    looked_ns: i64,
    gap: bool,
    short: bool,
}

fn compiled(open: &ReadOpen) -> Compiled {
    let filter: Filter = serde_json::from_str(&open.filter_json).unwrap();
    Compiled::new(&filter).unwrap()
}

fn index(all: &[Line], p: &LogPosition) -> Option<usize> {
    let key = super::super::record::position_key(&p.segment_key);
    all.iter()
        .position(|l| l.key == key && l.offset >= p.offset)
        .or_else(|| all.iter().rposition(|l| l.key == key).map(|i| i + 1))
}

fn give(disk: &Disk, open: &ReadOpen, i: u32, budget: &mut u64) -> Given {
    let source = &open.sources[i as usize];
    let all = disk.lines(&file(source));
    let filter = compiled(open);
    let back = matches!(open.mode(), ReadMode::Backward | ReadMode::Tail);
    let (mut from, mut to, mut gap) = (0, all.len(), false);
    if let Some(p) = open.after_by_source.get(&i) {
        from = index(&all, p).unwrap_or(0);
        gap = index(&all, p).is_none() && !all.is_empty();
    }
    if let Some(p) = open.before_by_source.get(&i) {
        to = index(&all, p).unwrap_or(0);
        gap = index(&all, p).is_none();
    }
    let mut range: Vec<&Line> = all.get(from..to).unwrap_or_default().iter().collect();
    if back {
        range.reverse();
    }
    let bounded = !matches!(open.mode(), ReadMode::All);
    let placed = open.after_by_source.contains_key(&i);
    let limited = bounded && (open.lines > 0 || (open.mode() == ReadMode::Tail && !placed));
    let mut given =
        Given { lines: Vec::new(), scanned: 0, at: None, since: None, looked_ns: 0, gap, short: false };
    // In the order of reading: what comes before a match, and what behind it.
    let (ahead, behind) = match back {
        true => (open.context_after as usize, open.context_before),
        false => (open.context_before as usize, open.context_after),
    };
    let (mut ring, mut owed, mut matches): (Vec<&Line>, u32, u64) = (Vec::new(), 0, 0);
    for line in range {
        let timely = line.ts >= open.from_ns && (open.to_ns == 0 || line.ts < open.to_ns);
        let hit = timely && filter.matches(line);
        if limited && matches >= open.lines && (owed == 0 || hit) {
            break;
        }
        let size = line.text.len() as u64 + 40;
        if open.budget_bytes > 0 && *budget == 0 && owed == 0 {
            given.short = true;
            break;
        }
        *budget = budget.saturating_sub(size);
        given.scanned += size;
        let place = match open.mode() {
            ReadMode::Backward | ReadMode::Tail => place(line.key, line.offset),
            _ => after(line),
        };
        ring.push(line);
        if back {
            given.looked_ns = line.ts;
        }
        match (hit, owed) {
            (true, _) => {
                let before = ring.len() - 1;
                let around = ring[before.saturating_sub(ahead)..before].iter();
                given.lines.extend(around.map(|l| Line { context: true, ..(*l).clone() }));
                given.lines.push(line.clone());
                (owed, matches) = (behind, matches + 1);
            }
            (false, 1..) => {
                given.lines.push(Line { context: true, ..line.clone() });
                owed -= 1;
            }
            (false, 0) if ring.len() <= ahead => continue,
            // Not near enough to the next match, wherever that is.
            (false, 0) => {
                let first = ring.remove(0);
                given.at = Some(if back { self::place(first.key, first.offset) } else { after(first) });
                continue;
            }
        }
        ring.clear();
        given.at = Some(place);
    }
    if back {
        given.since = given.at.clone().filter(|_| open.mode() == ReadMode::Tail);
    }
    if back {
        given.lines.reverse();
        if open.mode() == ReadMode::Tail {
            given.at = all.last().map(after);
        }
    }
    given
}

fn batches(source: u32, lines: &[Line], back: bool) -> Vec<LogBatch> {
    let mut out: Vec<LogBatch> = Vec::new();
    for l in lines {
        let same = out.last().is_some_and(|b| super::super::record::position_key(&b.segment_key) == l.key);
        if !same {
            out.push(LogBatch {
                source,
                segment_key: l.key.to_be_bytes().to_vec().into(),
                base_offset: 0,
                base_ns: 0,
                ..LogBatch::default()
            });
        }
        let b = out.last_mut().unwrap();
        let offset: i64 = b.d_offset.iter().sum();
        let ns: i64 = b.d_ns.iter().sum();
        b.d_offset.push(l.offset as i64 - offset);
        b.d_ns.push(l.ts - ns);
        b.length.push(l.text.len() as u32);
        let context = if l.context { ph_model::LogFlags::CONTEXT } else { ph_model::LogFlags::default() };
        b.flags.push(context.0.into());
        b.stream = [b.stream.to_vec(), vec![1]].concat().into();
        b.level = [b.level.to_vec(), vec![ph_filter::level_of(l.text.as_bytes()).0 as u8]].concat().into();
        b.payload = [b.payload.to_vec(), l.text.as_bytes().to_vec()].concat().into();
        b.raw_bytes = b.payload.len() as u64;
        // Backward readers resume at the begin of a record.
        b.resume = Some(if back { place(l.key, l.offset) } else { after(l) });
    }
    out
}

#[tonic::async_trait]
impl Logs for Disk {
    async fn sources(&self, ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        let files = self.files.lock().unwrap();
        let of = |one: SourceRef| {
            let segments = files.get(&file(&one)).into_iter().flatten().map(|(key, lines)| LogSegment {
                key: key.to_be_bytes().to_vec().into(),
                file: format!("{key:x}.log"),
                bytes: lines.last().map_or(0, |l| l.offset + l.text.len() as u64 + 40),
                gzip: false,
                first_ns: lines.first().map_or(0, |l| l.ts),
                last_ns: lines.last().map_or(0, |l| l.ts),
            });
            LogSource {
                runs: vec![LogRun { run: 0, segments: segments.collect() }],
                source: Some(one),
                state: "running".into(),
            }
        };
        let sources = ask.into_inner().only.into_iter().map(of).collect();
        Ok(Response::new(SourcesReply { sources, warnings: Vec::new() }))
    }

    type ReadStream = Stream<ReadEvent>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut controls = ask.into_inner();
        let Some(Ok(ReadControl { m: Some(Control::Open(mut open)) })) = controls.next().await else {
            return Err(Status::invalid_argument("open comes first"));
        };
        self.opened.lock().unwrap().push(open.clone());
        let (disk, mut grown) = (self.clone(), self.grown.subscribe());
        let (out, stream) = mpsc::channel(4);
        TaskTracker::new().spawn(async move {
            loop {
                grown.borrow_and_update();
                let mut events = Vec::new();
                let (mut short, mut summary) = (false, LogSummary::default());
                for i in 0..open.sources.len() as u32 {
                    let mut budget = open.budget_bytes / open.sources.len() as u64;
                    let given = give(&disk, &open, i, &mut budget);
                    if disk.planted.lock().unwrap().contains(&file(&open.sources[i as usize])) {
                        let (kind, text) = ("denied".to_owned(), "it points outside".to_owned());
                        let gap = LogGap { source: i, kind, text, planted_link: true, ..LogGap::default() };
                        events.push(send(Event::Gap(gap)));
                    }
                    if given.gap {
                        let text = "its segment was removed".to_owned();
                        let gap =
                            LogGap { source: i, kind: "rotated_away".into(), text, ..LogGap::default() };
                        events.push(send(Event::Gap(gap)));
                        summary.gaps += 1;
                    }
                    let back = open.mode() == ReadMode::Backward;
                    events.extend(batches(i, &given.lines, back).into_iter().map(|b| send(Event::Batch(b))));
                    let at_ns = given.lines.last().map_or(0, |l| l.ts);
                    if let Some(at) = &given.at {
                        open.after_by_source.extend((!back && open.follow).then(|| (i, at.clone())));
                    }
                    let progress = LogProgress {
                        source: i,
                        at_ns,
                        caught_up: true,
                        resume: given.at,
                        since: given.since,
                        looked_ns: given.looked_ns,
                        ..LogProgress::default()
                    };
                    events.push(send(Event::Progress(progress)));
                    summary.scanned_bytes += given.scanned;
                    summary.matches += given.lines.iter().filter(|l| !l.context).count() as u64;
                    summary.sources += 1;
                    short |= given.short;
                }
                if open.follow {
                    open.mode = ReadMode::All.into();
                } else {
                    summary.stopped = if short { "bytes" } else { "done" }.into();
                    summary.completeness = if summary.gaps > 0 { "incomplete" } else { "proven" }.into();
                    events.push(send(Event::Summary(summary)));
                }
                for e in events {
                    if out.send(e).await.is_err() {
                        return;
                    }
                }
                if !open.follow {
                    return;
                }
                tokio::select! {
                    _ = grown.changed() => {}
                    () = out.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    type CountStream = Stream<CountEvent>;

    async fn count(&self, ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        let ask = ask.into_inner();
        let mut open = ask.open.clone().unwrap();
        open.mode = ReadMode::All.into();
        let mut cells: BTreeMap<(i64, String), u64> = BTreeMap::new();
        let step = (open.to_ns - open.from_ns) / i64::from(ask.buckets.max(1));
        let mut other = 0;
        for i in 0..open.sources.len() as u32 {
            for l in give(self, &open, i, &mut { u64::MAX }).lines.into_iter().filter(|l| !l.context) {
                let level = ph_filter::level_of(l.text.as_bytes()).0.as_str().to_owned();
                let cell = match ask.by() {
                    CountBy::Time => Some((open.from_ns + (l.ts - open.from_ns) / step * step, level)),
                    CountBy::Field => {
                        ph_filter::field(l.text.as_bytes(), &ask.field).map(|v| (0, v.into_owned()))
                    }
                    CountBy::Source => Some((0, i.to_string())),
                    _ => Some((0, level)),
                };
                match cell {
                    Some(cell) => *cells.entry(cell).or_default() += 1,
                    None => other += 1,
                }
            }
        }
        let mut buckets: Vec<CountBucket> = cells
            .into_iter()
            .map(|((from_ns, key), count)| CountBucket {
                from_ns,
                to_ns: if from_ns == 0 { 0 } else { from_ns + step },
                key,
                count,
                ..CountBucket::default()
            })
            .collect();
        if !matches!(ask.by(), CountBy::Time | CountBy::Source) {
            buckets.sort_by_key(|b| std::cmp::Reverse(b.count));
            other += buckets.iter().skip(ask.buckets as usize).map(|b| b.count).sum::<u64>();
            buckets.truncate(ask.buckets as usize);
        }
        let summary = Some(LogSummary { stopped: "done".into(), sources: 1, ..LogSummary::default() });
        let result = CountResult { buckets, other, exact: true, error: 0, summary };
        let event = CountEvent { m: Some(count_event::M::Result(result)) };
        Ok(Response::new(Box::pin(futures::stream::iter([Ok(event)]))))
    }
}

#[tonic::async_trait]
impl Objects for Disk {
    type WatchStream = Stream<ObjectsEvent>;

    async fn watch(&self, _ask: Request<ObjectsAsk>) -> Result<Response<Self::WatchStream>, Status> {
        let names: Vec<String> = self.files.lock().unwrap().keys().cloned().collect();
        let set = |name: &String| {
            let json = serde_json::json!({
                "kind": "Container",
                "metadata": {"name": format!("c-{name}"), "uid": name},
                "spec": {"nodeName": "h1"},
                "state": "running",
            });
            ObjectM::Set(ObjectSet {
                kind: "Container".into(),
                name: format!("c-{name}"),
                uid: name.clone(),
                json: serde_json::to_vec(&json).unwrap().into(),
                ..ObjectSet::default()
            })
        };
        let synced = ObjectM::Synced(KindSynced { kind: "Container".into() });
        let events: Vec<_> =
            names.iter().map(set).chain([synced]).map(|m| Ok(ObjectsEvent { m: Some(m) })).collect();
        Ok(Response::new(Box::pin(futures::stream::iter(events).chain(futures::stream::pending()))))
    }
}
