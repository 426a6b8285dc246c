//! Lines that were shipped: the same records, from the store.

use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{Level, LogRow, Position, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows, Store};

use super::ask::Ask;
use super::record::Record;
use super::resolve::Resolved;
use super::token::StoreMark;

/// Lines of the sources from the store, ascending, at most `limit`; and where to go on when there may be more.
pub async fn read(
    store: &std::sync::Arc<dyn Store>,
    ctx: &TenantCtx,
    (ask, sources): (&Ask, &[(u32, Resolved)]),
    (mark, limit): (&StoreMark, usize),
) -> Result<(Vec<Record>, Option<StoreMark>), ph_store::Error> {
    let to = if ask.to_ns == 0 { mark.before_ns } else { ask.to_ns.min(mark.before_ns) };
    let back = ask.is_back();
    let page = store
        .search(
            ctx,
            SearchAsk {
                signal: Signal::Logs,
                filter: filter(ask, sources),
                range: RangeNs::new(if ask.from_ns == 0 { i64::MIN } else { ask.from_ns }, to),
                order: if back { Order::Descending } else { Order::Ascending },
                limit,
                cursor: mark.cursor.clone(),
            },
        )
        .await?;
    let more = page.next.map(|cursor| StoreMark { cursor: Some(cursor), before_ns: mark.before_ns });
    let SearchRows::Logs(rows) = page.rows else { return Ok((Vec::new(), None)) };
    let mut records: Vec<Record> = rows.into_iter().filter_map(|r| record(r, sources)).collect();
    if back {
        records.reverse();
    }
    Ok((records, more))
}

fn filter(ask: &Ask, sources: &[(u32, Resolved)]) -> Filter {
    let one = |r: &Resolved| {
        Filter::And(vec![
            Filter::equal("pod_uid", r.json.pod_uid.clone()),
            Filter::equal("container", r.json.container.clone()),
        ])
    };
    let mut all = vec![Filter::Or(sources.iter().map(|(_, r)| one(r)).collect())];
    if ask.filter != Filter::All {
        all.push(ask.filter.clone());
    }
    if !ask.streams.is_empty() {
        all.push(Filter::Or(ask.streams.iter().map(|s| Filter::equal("stream", s.clone())).collect()));
    }
    Filter::And(all)
}

fn record(r: LogRow, sources: &[(u32, Resolved)]) -> Option<Record> {
    let (source, _) =
        sources.iter().find(|(_, s)| s.json.pod_uid == r.pod_uid && s.json.container == r.container)?;
    let position = Position { run: r.restart, segment_key: r.segment_key, offset: r.offset, rewind: 0 };
    Some(Record {
        source: *source,
        ts_ns: r.ts,
        position,
        resume: position,
        stream: match r.iostream.as_str() {
            "stdout" => 1,
            "stderr" => 2,
            _ => 0,
        },
        level: Level::from_number(r.level),
        flags: r.flags,
        full_bytes: r.full_bytes,
        message: r.message.into(),
        stored: true,
    })
}
