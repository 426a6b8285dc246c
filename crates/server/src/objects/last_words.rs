//! What a container wrote before it ended, when its termination message says nothing: quoted from the stored log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ph_access::TenantCtx;
use ph_api::{ProblemRow, Reason};
use ph_filter::Filter;
use ph_model::{RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};

use crate::app::AppState;

/// Longest quote.
const MAX_CHARS: usize = 300;
/// How far before its end a container's last line is looked for.
const BEFORE_NS: i64 = 600_000_000_000;
/// Ends whose last line is remembered; beyond it all are forgotten and looked up anew.
const MAX_REMEMBERED: usize = 1_000;
/// An end without a line yet is looked up again while it is this young: the line may still be on its way.
const YOUNG_MS: i64 = 30_000;

/// Last lines by pod UID and time of the end.
#[derive(Default)]
pub struct LastWords(Mutex<HashMap<(String, i64), String>>);

/// Puts the last line of the log in place of a bare exit code, in each problem's first cause.
pub async fn quote(app: &AppState, ctx: &TenantCtx, rows: &mut [ProblemRow]) {
    for row in rows {
        quote_cause(app, ctx, &mut row.chain).await;
    }
}

/// The same for the first cause of one object: the last of its reasons.
pub async fn quote_cause(app: &AppState, ctx: &TenantCtx, chain: &mut [Reason]) {
    let bare = |r: &&mut Reason| {
        // A termination message is the container's own choice of words; only a bare `Error, exit 1` is replaced.
        let exit = r.code == "exit_code" && r.quote.contains(", exit ");
        exit && r.source == "container" && !r.container.is_empty()
    };
    if let Some(reason) = chain.last_mut().filter(bare)
        && let Some(line) = last_line(app, ctx, reason).await.filter(|l| !l.is_empty())
    {
        reason.quote = line;
        reason.source = "log".into();
    }
}

async fn last_line(app: &AppState, ctx: &TenantCtx, reason: &Reason) -> Option<String> {
    let at_ms = reason.at_ms?;
    let key = (reason.object.uid.clone(), at_ms);
    let known = app.last_words.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if known.is_some() {
        return known;
    }
    let end_ns = at_ms.saturating_add(1_000).saturating_mul(1_000_000);
    let ask = SearchAsk {
        signal: Signal::Logs,
        filter: Filter::And(vec![
            Filter::equal("pod_uid", reason.object.uid.clone()),
            Filter::equal("container", reason.container.clone()),
        ]),
        range: RangeNs::new(end_ns - BEFORE_NS, end_ns),
        order: Order::Descending,
        limit: 1,
        cursor: None,
        within: None,
    };
    let SearchRows::Logs(found) = app.telemetry.search(ctx, ask).await.ok()?.rows else { return None };
    let line = found
        .first()
        .map(|r| String::from_utf8_lossy(&r.message).trim().chars().take(MAX_CHARS).collect::<String>());
    if line.is_some() || app.clock.now_ms() - at_ms > YOUNG_MS {
        let mut all = app.last_words.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_REMEMBERED {
            all.clear();
        }
        all.insert(key, line.clone().unwrap_or_default());
    }
    line
}
