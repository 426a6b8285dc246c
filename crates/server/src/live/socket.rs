//! `/api/v1/live`: one WebSocket a tab.
//!
//! Never: a queue per client. A client that is behind reads the channel's ring; one that is too far behind gets a new
//! snapshot; one that takes nothing for 10 s is closed with tokens to come back with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ph_access::TenantCtx;
use ph_api::{LiveAsk, LiveFrame};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::hub::{Channel, Hub};
use super::source;
use super::token::{Holder, TokenKey};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Channels of one socket.
const MAX_SUBS: usize = 200;
const PING_EVERY: Duration = Duration::from_secs(15);
const DEAD_AFTER: Duration = Duration::from_secs(45);
const STALLED: Duration = Duration::from_secs(10);
/// Refused asks before the socket is closed.
const MAX_REFUSED: u32 = 3;

/// State of this room.
#[derive(Clone)]
pub struct LiveRoom {
    pub hub: Arc<Hub>,
    pub key: Arc<TokenKey>,
}

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Live data as WebSocket, subprotocol `pilothouse.live.v1.json`.
#[utoipa::path(get, path = "/api/v1/live", tag = "live",
    extensions(("x-permission" = json!("session"))),
    responses((status = 101, description = "WebSocket, subprotocol pilothouse.live.v1.json"), (status = 401, body = ph_api::Problem)))]
pub async fn live(
    State(app): State<AppState>,
    ctx: TenantCtx,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    Ok(upgrade
        .protocols(["pilothouse.live.v1.json"])
        .max_message_size(64 << 10)
        .on_upgrade(move |ws| serve(app, ctx, ws)))
}

struct Sub {
    name: String,
    channel: Arc<Channel>,
    epoch: u64,
    offset: u64,
}

struct Socket {
    app: AppState,
    ctx: TenantCtx,
    ws: WebSocket,
    subs: BTreeMap<u32, Sub>,
    refused: u32,
}

/// The client is gone, or was told to go.
struct Over;

async fn serve(app: AppState, ctx: TenantCtx, ws: WebSocket) {
    let alive = app.auth.liveness(&ctx);
    let mut s = Socket { app, ctx, ws, subs: BTreeMap::new(), refused: 0 };
    let mut changes = FuturesUnordered::new();
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut heard = tokio::time::Instant::now();
    loop {
        let step = tokio::select! {
            () = alive.cancelled() => { s.bye(1001, "session ended or server stops").await; return; }
            _ = ping.tick() => {
                if heard.elapsed() > DEAD_AFTER { Err(Over) } else { s.raw(Message::Ping(Default::default())).await }
            }
            message = s.ws.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    heard = tokio::time::Instant::now();
                    match s.hear(&text).await {
                        Ok(Some((id, changed))) => { changes.push(wait(id, changed)); Ok(()) }
                        Ok(None) => Ok(()),
                        Err(over) => Err(over),
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over),
                Some(Ok(_)) => { heard = tokio::time::Instant::now(); Ok(()) }
            },
            Some((id, changed)) = changes.next(), if !changes.is_empty() => match changed {
                Some(changed) if s.subs.contains_key(&id) => {
                    let sent = s.catch_up(id).await;
                    changes.push(wait(id, changed));
                    sent
                }
                Some(_) => Ok(()),
                None => s.gone(id).await,
            },
        };
        if step.is_err() {
            return;
        }
    }
}

/// Resolves at the channel's next change; `None` when the channel is no more.
async fn wait(id: u32, mut changed: watch::Receiver<u64>) -> (u32, Option<watch::Receiver<u64>>) {
    match changed.changed().await {
        Ok(()) => (id, Some(changed)),
        Err(_) => (id, None),
    }
}

impl Socket {
    async fn raw(&mut self, message: Message) -> Result<(), Over> {
        match tokio::time::timeout(STALLED, self.ws.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                self.bye(1013, "the client takes nothing").await;
                Err(Over)
            }
        }
    }

    async fn frame(&mut self, frame: &LiveFrame) -> Result<(), Over> {
        let text = serde_json::to_string(frame).map_err(|_| Over)?;
        self.raw(Message::Text(text.into())).await
    }

    fn resume(&self, sub: &Sub, offset: u64) -> String {
        let actor = self.ctx.actor().label();
        let holder = Holder { org: self.ctx.org(), actor: &actor, channel: &sub.name };
        self.app.live.key.sign(holder, (sub.epoch, offset), self.app.clock.now_ms())
    }

    async fn hear(&mut self, text: &str) -> Result<Option<(u32, watch::Receiver<u64>)>, Over> {
        match serde_json::from_str::<LiveAsk>(text) {
            Ok(LiveAsk::Sub { id, ch, resume }) => self.subscribe(id, ch, resume).await,
            Ok(LiveAsk::Unsub { id }) => {
                self.subs.remove(&id);
                Ok(None)
            }
            Ok(LiveAsk::Ping) => {
                let at = self.app.clock.now_ms();
                self.frame(&LiveFrame::Pong { at }).await.map(|()| None)
            }
            Err(e) => self.refuse(0, format!("unknown frame: {e}")).await,
        }
    }

    async fn refuse(&mut self, id: u32, reason: String) -> Result<Option<(u32, watch::Receiver<u64>)>, Over> {
        self.refused += 1;
        self.frame(&LiveFrame::Denied { id, reason }).await?;
        if self.refused >= MAX_REFUSED {
            self.bye(1008, "too many refused asks").await;
            return Err(Over);
        }
        Ok(None)
    }

    async fn subscribe(
        &mut self,
        id: u32,
        ch: String,
        resume: Option<String>,
    ) -> Result<Option<(u32, watch::Receiver<u64>)>, Over> {
        let Some(needed) = source::permission(&ch) else {
            return self.refuse(id, format!("there is no channel `{ch}`")).await;
        };
        if let Err(denied) = self.ctx.require(needed) {
            return self.refuse(id, denied.to_string()).await;
        }
        if self.subs.len() >= MAX_SUBS || self.subs.contains_key(&id) {
            return self
                .refuse(id, format!("the id is in use, or there are {MAX_SUBS} channels on this socket"))
                .await;
        }
        let (app, ctx) = (self.app.clone(), self.ctx.clone());
        let Some(channel) = self.app.live.hub.watch(&self.ctx, &ch, || source::source(&app, &ctx, &ch)).await
        else {
            return self.refuse(id, format!("there is no channel `{ch}`")).await;
        };
        let changes = channel.changes();
        let actor = self.ctx.actor().label();
        let holder = Holder { org: self.ctx.org(), actor: &actor, channel: &ch };
        let from = resume.and_then(|t| self.app.live.key.open(holder, &t, self.app.clock.now_ms()));
        let known = match from {
            Some((epoch, offset)) => channel.state.read().await.since(epoch, offset).map(|_| (epoch, offset)),
            None => None,
        };
        let (epoch, offset) = known.unwrap_or((0, 0));
        self.subs.insert(id, Sub { name: ch, channel, epoch, offset });
        match (known, from) {
            (Some(_), _) => self.catch_up(id).await?,
            (None, Some(_)) => {
                self.frame(&LiveFrame::Resync { id }).await?;
                self.snapshot(id).await?;
            }
            (None, None) => self.snapshot(id).await?,
        }
        Ok(Some((id, changes)))
    }

    async fn snapshot(&mut self, id: u32) -> Result<(), Over> {
        let Some(sub) = self.subs.get_mut(&id) else { return Ok(()) };
        let channel = sub.channel.clone();
        let state = channel.state.read().await;
        (sub.epoch, sub.offset) = (state.epoch, state.offset);
        let (epoch, offset, at, all) = (state.epoch, state.offset, state.at_ms, state.snapshot());
        drop(state);
        let Some(sub) = self.subs.get(&id) else { return Ok(()) };
        let resume = self.resume(sub, offset);
        self.frame(&LiveFrame::Snap { id, epoch, offset, resume, at, state: all }).await
    }

    /// Sends what the client has not seen, or a new snapshot when that is no longer all there.
    async fn catch_up(&mut self, id: u32) -> Result<(), Over> {
        let Some(sub) = self.subs.get(&id) else { return Ok(()) };
        let Some(deltas) = sub.channel.state.read().await.since(sub.epoch, sub.offset) else {
            self.frame(&LiveFrame::Resync { id }).await?;
            return self.snapshot(id).await;
        };
        for d in deltas {
            let Some(sub) = self.subs.get(&id) else { return Ok(()) };
            let resume = self.resume(sub, d.offset);
            let frame = LiveFrame::Delta {
                id,
                offset: d.offset,
                resume,
                at: d.at_ms,
                set: d.set.clone(),
                del: d.del.clone(),
            };
            self.frame(&frame).await?;
            if let Some(sub) = self.subs.get_mut(&id) {
                sub.offset = d.offset;
            }
        }
        Ok(())
    }

    /// The channel's source is gone: a removed cluster, say.
    async fn gone(&mut self, id: u32) -> Result<(), Over> {
        if self.subs.remove(&id).is_none() {
            return Ok(());
        }
        self.frame(&LiveFrame::Denied { id, reason: "the channel has ended; subscribe again".into() }).await
    }

    async fn bye(&mut self, code: u16, reason: &'static str) {
        let resume = self.subs.iter().map(|(id, sub)| (*id, self.resume(sub, sub.offset))).collect();
        let frame = LiveFrame::Bye { code, reason: reason.to_owned(), resume };
        if let Ok(text) = serde_json::to_string(&frame) {
            let last = async {
                let _ = self.ws.send(Message::Text(text.into())).await;
                let _ = self.ws.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
            };
            let _ = tokio::time::timeout(Duration::from_secs(2), last).await;
        }
    }
}
