//! One follower in a browser or terminal: batches by credit, sources that join, gaps and markers in place.
//!
//! Never:  a batch beyond the client's credit; while it has none, nothing is read from the agents beyond their own windows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use ph_access::{LogsQuery as LogsOp, TenantCtx};
use ph_api::{LogQuery, LogSource, LogStreamAsk, LogStreamFrame};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, DEFAULT_LIMIT};
use super::follow::{FindChannel, Followed, follow_node};
use super::merge::merge;
use super::record::{Record, json as record_json};
use super::resolve::{Resolved, by_node, channel, resolve};
use super::token::{Cursor, PageToken};
use super::{page, routes};
use crate::app::AppState;
use crate::audit::Outcome;

/// Granted at the start.
const FIRST_CREDIT: i64 = 1 << 20;
/// Batches between the agents' streams and this client.
const IN_FLIGHT: usize = 64;
/// Records gather for this long, so that one frame holds many and neighbours in time are in order.
const GATHER: Duration = Duration::from_millis(50);
/// Gathering ends early at this size.
const FRAME_BYTES: u64 = 64 << 10;
/// Pods that come and go are looked for this often.
const RESOLVE_EVERY: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(15);
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// A client that takes nothing for this long is let go; its token lets it come back.
const STALLED: Duration = Duration::from_secs(60);

struct Stream {
    app: AppState,
    ctx: TenantCtx,
    query: LogQuery,
    ask: Ask,
    sources: BTreeMap<u32, Resolved>,
    known: BTreeMap<String, u32>,
    cursors: BTreeMap<u32, Cursor>,
    out: mpsc::Sender<Followed>,
    stop: CancellationToken,
    credit: i64,
    paused: bool,
    token: PageToken,
    sent_rows: u64,
    sent_bytes: u64,
}

/// Serves one socket until either side ends it.
pub async fn serve(app: AppState, ctx: TenantCtx, query: LogQuery, mut ws: WebSocket) {
    let alive = app.auth.liveness(&ctx);
    let mut next = Some(query);
    while let Some(query) = next.take() {
        let stop = alive.child_token();
        let ended = run(&app, &ctx, (query, &stop), &mut ws).await;
        stop.cancel();
        match ended {
            Ended::Another(query) => next = Some(*query),
            Ended::Close(code, reason) => {
                let _ = tokio::time::timeout(
                    Duration::from_secs(2),
                    ws.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))),
                )
                .await;
            }
            Ended::Gone => {}
        }
    }
}

enum Ended {
    Another(Box<LogQuery>),
    Close(u16, &'static str),
    Gone,
}

async fn run(
    app: &AppState,
    ctx: &TenantCtx,
    (query, stop): (LogQuery, &CancellationToken),
    ws: &mut WebSocket,
) -> Ended {
    let ask = match Ask::new(&query, DEFAULT_LIMIT) {
        Ok(ask) => ask,
        Err(faults) => {
            return fail(ws, "invalid", faults.first().map(|(p, t)| format!("{p}: {t}")).unwrap_or_default())
                .await;
        }
    };
    let Ok(found) = resolve(app, ctx, &query.sources) else {
        return fail(ws, "not_found", "no such cluster".into()).await;
    };
    let numbered: Vec<(u32, Resolved)> = (0..).zip(found.clone()).collect();
    let grant = match app.auditor.decide::<LogsOp>(ctx, routes::target(&query, &numbered)).await {
        Ok(grant) => grant,
        Err(e) => return fail(ws, e.kind().as_str(), e.to_string()).await,
    };
    let decision = grant.row().clone();
    let (out, mut followed) = mpsc::channel(IN_FLIGHT);
    let token = ask.token.clone().unwrap_or(PageToken {
        query: ask.digest,
        back: false,
        at: BTreeMap::new(),
        store: None,
    });
    let mut s = Stream {
        app: app.clone(),
        ctx: ctx.clone(),
        query,
        ask,
        sources: BTreeMap::new(),
        known: BTreeMap::new(),
        cursors: BTreeMap::new(),
        out,
        stop: stop.clone(),
        credit: FIRST_CREDIT,
        paused: false,
        token,
        sent_rows: 0,
        sent_bytes: 0,
    };
    s.join(found, true);
    let ended = if s.tell_sources(ws).await { s.pump(&mut followed, ws).await } else { Ended::Gone };
    let detail = json!({"rows": s.sent_rows, "bytes": s.sent_bytes, "follow": true});
    if let Err(e) =
        app.auditor.outcome(ctx, &decision, Outcome { action: "logs.query", failed: None, detail }).await
    {
        tracing::warn!(error = %e, "audit row of a log stream's end not written");
    }
    ended
}

async fn fail(ws: &mut WebSocket, kind: &str, detail: String) -> Ended {
    let frame = LogStreamFrame::Error { kind: kind.to_owned(), detail, next_step: None };
    let _ = send(ws, &frame).await;
    Ended::Close(1008, "query refused")
}

async fn send(ws: &mut WebSocket, frame: &LogStreamFrame) -> Result<usize, ()> {
    let text = serde_json::to_string(frame).map_err(|_| ())?;
    let bytes = text.len();
    match tokio::time::timeout(STALLED, ws.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(bytes),
        _ => Err(()),
    }
}

impl Stream {
    /// Takes sources in; those not yet known get a stream of their own.
    fn join(&mut self, found: Vec<Resolved>, first: bool) -> bool {
        let mut fresh: Vec<(u32, Resolved)> = Vec::new();
        for r in found {
            if let Some(index) = self.known.get(&r.json.id) {
                if let Some(old) = self.sources.get_mut(index) {
                    old.json = r.json;
                }
                continue;
            }
            if r.node.is_empty() {
                continue;
            }
            let index = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
            self.known.insert(r.json.id.clone(), index);
            self.cursors.insert(index, r.cursor());
            self.sources.insert(index, r.clone());
            fresh.push((index, r));
        }
        let any = !fresh.is_empty();
        for (cluster, node) in by_node(&self.app, &self.ctx, &fresh) {
            let mut ask = self.ask.clone();
            if !first {
                // A pod that appears during a follow is read from its first line.
                ask.mode = super::ask::Mode::All;
                ask.token = None;
            }
            let (app, ctx, name) = (self.app.clone(), self.ctx.clone(), node.node.clone());
            let find: FindChannel = Arc::new(move || channel(&app, &ctx, cluster, &name));
            let (out, stop) = (self.out.clone(), self.stop.clone());
            self.app.tasks.spawn(follow_node(node, ask, (find, out), stop));
        }
        any
    }

    async fn tell_sources(&self, ws: &mut WebSocket) -> bool {
        let sources: Vec<LogSource> = self.sources.values().map(|r| r.json.clone()).collect();
        send(ws, &LogStreamFrame::Sources { sources }).await.is_ok()
    }

    /// Between the agents' streams and the client, until either ends.
    async fn pump(&mut self, followed: &mut mpsc::Receiver<Followed>, ws: &mut WebSocket) -> Ended {
        let mut look = tokio::time::interval(RESOLVE_EVERY);
        let mut ping = tokio::time::interval(PING_EVERY);
        let mut heard = tokio::time::Instant::now();
        loop {
            let open = self.credit > 0 && !self.paused;
            tokio::select! {
                () = self.stop.cancelled() => return Ended::Close(1001, "session ended or server stops"),
                _ = look.tick() => {
                    if let Ok(found) = resolve(&self.app, &self.ctx, &self.query.sources)
                        && self.join(found, false)
                        && !self.tell_sources(ws).await
                    {
                        return Ended::Gone;
                    }
                }
                _ = ping.tick() => {
                    if heard.elapsed() > DEAD_AFTER || ws.send(Message::Ping(Default::default())).await.is_err() {
                        return Ended::Gone;
                    }
                }
                message = ws.recv() => match message {
                    Some(Ok(message)) => {
                        heard = tokio::time::Instant::now();
                        if let Some(ended) = self.hear(message) {
                            return ended;
                        }
                    }
                    _ => return Ended::Gone,
                },
                first = followed.recv(), if open => match first {
                    Some(first) => {
                        let gathered = gather(first, followed).await;
                        if !self.deliver(gathered, ws).await {
                            return Ended::Gone;
                        }
                    }
                    None => return Ended::Close(1000, "all sources ended"),
                },
            }
        }
    }

    fn hear(&mut self, message: Message) -> Option<Ended> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Some(Ended::Gone),
            _ => return None,
        };
        match serde_json::from_str::<LogStreamAsk>(&text) {
            Ok(LogStreamAsk::Credit { bytes }) => {
                self.credit = self.credit.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX))
            }
            Ok(LogStreamAsk::Pause) => self.paused = true,
            Ok(LogStreamAsk::Resume) => self.paused = false,
            Ok(LogStreamAsk::Open { query }) => return Some(Ended::Another(Box::new(query))),
            Ok(LogStreamAsk::Close) => return Some(Ended::Close(1000, "closed by the client")),
            Err(_) => return Some(Ended::Close(1008, "unknown frame")),
        }
        None
    }

    async fn deliver(&mut self, gathered: Vec<Followed>, ws: &mut WebSocket) -> bool {
        let mut lists: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        let mut others = Vec::new();
        for f in gathered {
            match f {
                Followed::Records { records, .. } => {
                    for r in records {
                        lists.entry(r.source).or_default().push(r);
                    }
                }
                other => others.push(other),
            }
        }
        let records = merge(lists.into_values().collect());
        if !records.is_empty() && !self.batch(&records, ws).await {
            return false;
        }
        let sources: BTreeMap<u32, LogSource> =
            self.sources.iter().map(|(i, r)| (*i, r.json.clone())).collect();
        for other in others {
            let frame = match other {
                Followed::Gap { source, node, gap } => {
                    LogStreamFrame::Gap { gap: page::gap(source, &node, &gap, &sources) }
                }
                Followed::Marker(m) => LogStreamFrame::Marker { marker: page::marker(&m) },
                Followed::Progress(p) => LogStreamFrame::Progress {
                    source: p.source,
                    at: (p.at_ns != 0).then(|| super::record::time_text(p.at_ns)),
                    scanned_bytes: p.scanned_bytes,
                    total_bytes: p.total_bytes,
                    caught_up: p.caught_up,
                },
                Followed::Records { .. } => continue,
            };
            if send(ws, &frame).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn batch(&mut self, records: &[Record], ws: &mut WebSocket) -> bool {
        for r in records {
            if let Some(source) = self.sources.get(&r.source) {
                self.token.set(&source.json.id, &r.resume);
            }
        }
        let json: Vec<_> =
            records.iter().filter_map(|r| Some(record_json(r, self.cursors.get(&r.source)?))).collect();
        let bytes: u64 = records.iter().map(|r| r.message.len() as u64).sum();
        let frame = LogStreamFrame::Batch { records: json, bytes, next: self.token.to_text() };
        match send(ws, &frame).await {
            Ok(_) => {
                self.credit -= i64::try_from(bytes).unwrap_or(i64::MAX);
                self.sent_rows += records.len() as u64;
                self.sent_bytes += bytes;
                true
            }
            Err(()) => false,
        }
    }
}

/// What is there already, and what comes within a moment.
async fn gather(first: Followed, followed: &mut mpsc::Receiver<Followed>) -> Vec<Followed> {
    let mut bytes = size(&first);
    let mut all = vec![first];
    let until = tokio::time::Instant::now() + GATHER;
    while bytes < FRAME_BYTES {
        match tokio::time::timeout_at(until, followed.recv()).await {
            Ok(Some(f)) => {
                bytes += size(&f);
                all.push(f);
            }
            _ => break,
        }
    }
    all
}

fn size(f: &Followed) -> u64 {
    match f {
        Followed::Records { bytes, .. } => *bytes,
        _ => 0,
    }
}
