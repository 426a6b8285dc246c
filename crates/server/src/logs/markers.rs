//! Kubernetes events of the pods in a timeline.

use std::collections::HashMap;

use ph_api::{LogGap, LogMarker};
use ph_filter::Filter;
use ph_model::{EventRow, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};

use super::ask::Ask;
use super::history::Asked;
use super::record::{Record, time_text};
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
