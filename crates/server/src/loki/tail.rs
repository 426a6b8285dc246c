//! `tail`: stored lines as they arrive, over a WebSocket.
//!
//! Out:    `{"streams":[…],"dropped_entries":[…],"cursor":…}`: first the newest lines there are, oldest first, then each as it is
//!         stored; or, with the cursor of an earlier message, every line behind it.
//! Never:  a line twice at the seam, or a drop in silence: what a slow reader misses is counted.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::StreamExt;
use ph_access::TenantCtx;
use ph_filter::logql::{Fields, LogExpr, Pipeline, filter_of};
use ph_model::{LogRow, RangeNs, Signal};
use ph_store::{Order, SearchRows, TailAsk, TailEvent, TailFrom};
use serde_json::{Value, json};

use super::ask;
use super::envelope::{Answer, Fault};
use super::read::{Scan, Seen, begin, fields_of, finish};
use crate::app::AppState;
use crate::prometheus::Form;

/// A client that takes nothing for this long is let go.
const STALLED: Duration = Duration::from_secs(60);
/// How often lines that were held back are looked at, and the client is asked whether it lives.
const TICK: Duration = Duration::from_millis(250);
const PING_TICKS: u32 = 60;
/// Lines that are held back at most, while `delay_for` lasts.
const HELD: usize = 50_000;

pub async fn open(
    State(app): State<AppState>,
    ctx: TenantCtx,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    form: Form,
) -> Answer {
    let range = ask::range(&app, &form)?;
    let logs = ask::logs(&form)?;
    let limit = ask::limit(&form)?;
    let delay_s = match form.one("delay_for") {
        None | Some("0") => 0,
        Some(_) => ask::number(&form, ("delay_for", 0, 5))?,
    };
    let pipeline = Pipeline::new(&logs, None)?;
    let upgrade = upgrade.map_err(|e| Fault::bad(format!("tail is a WebSocket: {e}")))?;
    let grant = begin((&app, &ctx), form.one("query").unwrap_or_default(), range).await?;
    let cursor = form.one("cursor").map(str::to_owned);
    let (first, cursor, seen) = match cursor {
        Some(cursor) => (Vec::new(), Some(cursor), Seen::default()),
        None => newest((&app, &ctx), (&logs, &pipeline), (range.from, limit)).await?,
    };
    let from = cursor.map_or(TailFrom::Now, TailFrom::Cursor);
    let ask = TailAsk { signal: Signal::Logs, filter: filter_of(&logs)?, from };
    let live = app.telemetry.tail(&ctx, ask).await?;
    finish((&app, &ctx), &grant, &seen).await?;
    let alive = app.auth.liveness(&ctx).child_token();
    let delay_ms = i64::try_from(delay_s).unwrap_or(0) * 1_000;
    let serve = move |ws| async move {
        let mut tail = Tail {
            app,
            ws,
            pipeline,
            held: VecDeque::new(),
            dropped: 0,
            unread: Vec::new(),
            delay_ms,
            cursor: live.cursor,
        };
        tokio::select! {
            () = alive.cancelled() => {}
            _ = tail.run(first, live.events) => {}
        }
    };
    Ok::<Response, Fault>(upgrade.on_upgrade(serve))
}

/// The newest lines, oldest first, and from where a follower gives all others.
async fn newest(
    (app, ctx): (&AppState, &TenantCtx),
    (logs, pipeline): (&LogExpr, &Pipeline),
    (from, limit): (i64, usize),
) -> Result<(Vec<LogRow>, Option<String>, Seen), Fault> {
    let mut scan = Scan::new((app, ctx), filter_of(logs)?, (RangeNs::new(from, i64::MAX), Order::Descending));
    let mut found: Vec<LogRow> = Vec::new();
    while found.len() < limit {
        let Some(rows) = scan.page(limit).await? else { break };
        for row in rows {
            let passes = pipeline.line(&mut fields_of(&row), row.message.clone()).is_some();
            if passes && found.len() < limit {
                found.push(row);
            }
        }
        scan.within()?;
    }
    found.reverse();
    Ok((found, scan.tail, scan.seen))
}

struct Tail {
    app: AppState,
    ws: WebSocket,
    pipeline: Pipeline,
    /// Lines of one event with the time at which they arrived and the cursor behind them, while `delay_for` lasts.
    held: VecDeque<Held>,
    dropped: u64,
    /// What could not be read, in words.
    unread: Vec<String>,
    delay_ms: i64,
    /// Behind the lines that were sent.
    cursor: String,
}

struct Held {
    at_ms: i64,
    rows: Vec<LogRow>,
    cursor: String,
}

/// The client is gone, or takes nothing any more.
struct Gone;

type Live = futures::stream::BoxStream<'static, Result<TailEvent, ph_store::Error>>;

impl Tail {
    async fn run(&mut self, first: Vec<LogRow>, mut live: Live) -> Result<(), Gone> {
        self.send(first).await?;
        let mut tick = tokio::time::interval(TICK);
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                event = live.next() => match event {
                    Some(Ok(TailEvent::Rows { rows: SearchRows::Logs(rows), cursor, incomplete })) => {
                        self.unread.extend(incomplete);
                        self.take(Held { at_ms: self.app.clock.now_ms(), rows, cursor }).await?;
                    }
                    Some(Ok(TailEvent::Gap(gap))) => self.dropped += gap.dropped,
                    Some(Ok(TailEvent::Rows { .. })) => {}
                    Some(Err(e)) => {
                        tracing::warn!(cause = %e, "a tail of stored lines ended");
                        return Err(Gone);
                    }
                    None => return Ok(()),
                },
                message = self.ws.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                    Some(Ok(_)) => {}
                },
                _ = tick.tick() => {
                    self.release().await?;
                    ticks += 1;
                    if ticks.is_multiple_of(PING_TICKS) {
                        self.put(Message::Ping(Default::default())).await?;
                    }
                }
            }
        }
    }

    /// Sends lines, or holds them back until late ones have come.
    async fn take(&mut self, held: Held) -> Result<(), Gone> {
        if self.delay_ms == 0 {
            self.cursor = held.cursor;
            return self.send(held.rows).await;
        }
        self.held.push_back(held);
        while self.held.iter().map(|h| h.rows.len()).sum::<usize>() > HELD {
            let Some(oldest) = self.held.pop_front() else { break };
            self.dropped += oldest.rows.len() as u64;
            self.cursor = oldest.cursor;
        }
        Ok(())
    }

    async fn release(&mut self) -> Result<(), Gone> {
        let due = self.app.clock.now_ms() - self.delay_ms;
        let mut rows = Vec::new();
        while let Some(held) = self.held.pop_front_if(|held| held.at_ms <= due) {
            rows.extend(held.rows);
            self.cursor = held.cursor;
        }
        if rows.is_empty() && self.dropped == 0 && self.unread.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| row.ts);
        self.send(rows).await
    }

    async fn send(&mut self, rows: Vec<LogRow>) -> Result<(), Gone> {
        let mut streams: Vec<Value> = Vec::new();
        for row in rows {
            let mut fields = fields_of(&row);
            let Some(line) = self.pipeline.line(&mut fields, row.message) else { continue };
            let Fields { mut stream, metadata, parsed } = fields;
            stream.extend(metadata);
            stream.extend(parsed);
            let value = json!([row.ts.to_string(), String::from_utf8_lossy(&line)]);
            let stream = json!(stream);
            match streams.last_mut().filter(|last| last["stream"] == stream) {
                Some(last) => {
                    if let Some(values) = last["values"].as_array_mut() {
                        values.push(value);
                    }
                }
                None => streams.push(json!({"stream": stream, "values": [value]})),
            }
        }
        let (dropped, unread) = (std::mem::take(&mut self.dropped), std::mem::take(&mut self.unread));
        if streams.is_empty() && dropped == 0 && unread.is_empty() {
            return Ok(());
        }
        let mut body = json!({"streams": streams, "dropped_entries": null, "cursor": self.cursor});
        if dropped > 0 || !unread.is_empty() {
            let at = self.app.clock.now_ms().saturating_mul(1_000_000).to_string();
            let lost = (dropped > 0).then(|| json!({"dropped": dropped.to_string()}));
            let labels = lost.into_iter().chain(unread.into_iter().map(|what| json!({"unread": what})));
            let entries: Vec<Value> = labels.map(|l| json!({"labels": l, "timestamp": at})).collect();
            body["dropped_entries"] = json!(entries);
        }
        self.put(Message::Text(body.to_string().into())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), Gone> {
        match tokio::time::timeout(STALLED, self.ws.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}
