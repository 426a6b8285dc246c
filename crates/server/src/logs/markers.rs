//! Kubernetes events of the pods in a timeline.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::BoxStream;
use ph_access::TenantCtx;
use ph_api::{LogGap, LogMarker};
use ph_filter::Filter;
use ph_link::v1 as link;
use ph_model::{ErrorKind, EventRow, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows, TailAsk, TailEvent, TailFrom};

use super::ask::Ask;
use super::history::Asked;
use super::record::{Record, time_text};
use super::token::PageToken;
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Events of one page.
const MOST: usize = 500;

/// Events of the sources' pods between the page's first and last line, oldest first; a gap when there are too many.
pub async fn events(
    asked: &Asked<'_>,
    ask: &Ask,
    records: &[Record],
) -> Result<(Vec<LogMarker>, Option<LogGap>), Problem> {
    let times = || records.iter().map(|r| r.ts_ns);
    let from = if ask.from_ns == 0 { times().min() } else { Some(ask.from_ns) };
    let to = if ask.to_ns == 0 { times().max().map(|t| t.saturating_add(1)) } else { Some(ask.to_ns) };
    let (Some(from), Some(to)) = (from, to) else { return Ok((Vec::new(), None)) };
    let pods = pods(asked);
    if pods.is_empty() || from >= to {
        return Ok((Vec::new(), None));
    }
    let search = SearchAsk {
        signal: Signal::Events,
        filter: Filter::Or(pods.keys().map(|uid| Filter::equal("object_uid", uid.clone())).collect()),
        range: RangeNs::new(from, to),
        order: Order::Ascending,
        limit: MOST,
        cursor: None,
        within: None,
    };
    let page = asked.app.telemetry.search(asked.ctx, search).await?;
    let SearchRows::Events(rows) = page.rows else { return Ok((Vec::new(), None)) };
    let gap = page.next.is_some().then(|| LogGap {
        kind: "budget".into(),
        source: None,
        source_name: "events".into(),
        from: rows.last().map(|r| time_text(r.ts)),
        to: Some(time_text(to)),
        bytes: None,
        lines: None,
        exact: false,
        text: format!("more than {MOST} events in this time; name fewer pods or a shorter time"),
    });
    Ok((rows.iter().filter_map(|r| marker(r, &pods)).collect(), gap))
}

/// UIDs of the pods, each with its first source.
pub fn pods(asked: &Asked<'_>) -> HashMap<String, u32> {
    let mut out = HashMap::new();
    for (i, r) in asked.sources.iter().filter(|(_, r)| !r.json.pod.is_empty()) {
        out.entry(r.json.pod_uid.clone()).or_insert(*i);
    }
    out
}

pub fn marker(row: &EventRow, pods: &HashMap<String, u32>) -> Option<LogMarker> {
    Some(LogMarker {
        kind: "event".into(),
        source: *pods.get(&row.object.uid)?,
        restart: 0,
        at: Some(time_text(row.ts)),
        exit_code: None,
        reason: format!("{} {}: {}", row.r#type, row.reason, row.message),
    })
}

pub type Events = BoxStream<'static, Result<TailEvent, ph_store::Error>>;

/// Follows events from where the token stands, else from now on; a gap when that place is no more.
pub async fn follow(
    (app, ctx): (&AppState, &TenantCtx),
    token: &mut PageToken,
) -> Result<(Option<Events>, Option<link::LogGap>), Problem> {
    let from = |from| TailAsk { signal: Signal::Events, filter: Filter::All, from };
    let known = token.events.take().map_or(TailFrom::Now, TailFrom::Cursor);
    let (tail, missed) = match app.telemetry.tail(ctx, from(known)).await {
        Err(e) if matches!(e.kind, ErrorKind::Gone | ErrorKind::Invalid) => {
            let text =
                format!("events are followed from now on, for where they stood is not known any more: {e}");
            (app.telemetry.tail(ctx, from(TailFrom::Now)).await?, Some(skipped(text)))
        }
        other => (other?, None),
    };
    token.events = Some(tail.cursor);
    Ok((Some(tail.events), missed))
}

fn skipped(text: String) -> link::LogGap {
    link::LogGap { kind: "skipped".into(), text, ..link::LogGap::default() }
}

/// The next event; `None` when no more come.
pub async fn next(events: &mut Option<Events>) -> Option<Result<TailEvent, ph_store::Error>> {
    events.as_mut()?.next().await
}

/// What one event of the follower gives.
#[derive(Default)]
pub struct Given {
    pub markers: Vec<LogMarker>,
    pub gaps: Vec<link::LogGap>,
    /// To go on behind it.
    pub cursor: Option<String>,
}

pub fn given(event: Result<TailEvent, ph_store::Error>, pods: &HashMap<String, u32>) -> Given {
    match event {
        Ok(TailEvent::Rows { rows, cursor, incomplete }) => {
            let SearchRows::Events(rows) = rows else { return Given::default() };
            let gaps =
                incomplete.into_iter().map(|what| skipped(format!("events could not be read: {what}")));
            Given {
                markers: rows.iter().filter_map(|row| marker(row, pods)).collect(),
                gaps: gaps.collect(),
                cursor: Some(cursor),
            }
        }
        Ok(TailEvent::Gap(gap)) => {
            let text = format!("{} events came too fast to be shown", gap.dropped);
            Given { gaps: vec![skipped(text)], cursor: Some(gap.cursor), ..Given::default() }
        }
        Err(e) => Given {
            gaps: vec![skipped(format!("events are followed no more, come back with the last token: {e}"))],
            ..Given::default()
        },
    }
}
