//! One stream as server-sent events, for clients that cannot open a WebSocket.
//!
//! Out:    `event: sources|batch|progress|gap|marker|lag|summary|error`; `id:` is the token behind the batch, which a browser sends
//! back as `Last-Event-ID`.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use ph_access::TenantCtx;
use ph_api::{LogQuery, LogStreamFrame};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::pump::{Pump, Step};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Events on their way; a reader that is slower holds the stream.
const IN_FLIGHT: usize = 8;
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Begins a stream. Faults of the query are a problem, not an event.
pub async fn serve(app: AppState, ctx: TenantCtx, query: LogQuery) -> Result<Response, Problem> {
    let stop = app.auth.liveness(&ctx).child_token();
    let mut pump = Pump::open((&app, &ctx), query, stop).await?;
    let (events, body) = mpsc::channel::<Result<Event, Infallible>>(IN_FLIGHT);
    app.tasks.spawn(async move {
        loop {
            let (frames, over) = tokio::select! {
                () = events.closed() => break,
                step = pump.next() => match step {
                    Step::Frames(frames) => (frames, false),
                    Step::End(frames, _) => (frames, true),
                },
            };
            if !send(&events, &frames).await || over {
                break;
            }
        }
        pump.close().await;
    });
    let alive = KeepAlive::new().interval(COMMENT_EVERY);
    let mut response = Sse::new(ReceiverStream::new(body)).keep_alive(alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// False when the reader left.
async fn send(events: &mpsc::Sender<Result<Event, Infallible>>, frames: &[LogStreamFrame]) -> bool {
    for frame in frames {
        let Ok(event) = event(frame) else { return false };
        if events.send(Ok(event)).await.is_err() {
            return false;
        }
    }
    true
}

fn event(frame: &LogStreamFrame) -> Result<Event, axum::Error> {
    let name = match frame {
        LogStreamFrame::Sources { .. } => "sources",
        LogStreamFrame::Batch { .. } => "batch",
        LogStreamFrame::Progress { .. } => "progress",
        LogStreamFrame::Gap { .. } => "gap",
        LogStreamFrame::Marker { .. } => "marker",
        LogStreamFrame::Lag { .. } => "lag",
        LogStreamFrame::Summary { .. } => "summary",
        LogStreamFrame::Error { .. } => "error",
    };
    let event = Event::default().event(name).json_data(frame)?;
    Ok(match frame {
        LogStreamFrame::Batch { next, .. } => event.id(next),
        _ => event,
    })
}
