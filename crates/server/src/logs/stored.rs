//! Lines that were shipped: the same records, from the store, without those that are still in files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use ph_filter::Filter;
use ph_model::{Level, LogRow, Position, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};

use super::ask::Ask;
use super::columns;
use super::history::Asked;
use super::record::Record;
use super::resolve::Resolved;
use super::token::Mark;

/// Rows of one question to the store.
const ROWS: usize = 1_000;

/// What is read from the store.
#[derive(Default)]
pub struct Shelf<'a> {
    pub sources: Vec<&'a (u32, Resolved)>,
    /// Segments that files still hold, by source. Their rows are not given: the files give them.
    pub kept: BTreeMap<u32, BTreeSet<u128>>,
    /// Sources that are read over the Kubernetes API, which names no segments: rows from this time on are left to it, ns UTC.
    pub until: BTreeMap<u32, i64>,
    /// Toward older rows: the oldest line that files gave, ns UTC. What only the store has is older.
    pub before: BTreeMap<u32, i64>,
    /// Sources whose files cannot be read: the store stands for them.
    pub whole: BTreeSet<u32>,
}

/// Rows in the order of the files.
#[derive(Default)]
pub struct Stored {
    pub records: Vec<Record>,
    /// There is nothing more in this direction.
    pub exhausted: bool,
    /// Its time was up. Toward older rows, those from this time on were looked at; toward newer ones, those before it; ns UTC.
    pub reached: Option<i64>,
    pub scanned_bytes: u64,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

/// At most `want` rows over all sources of the shelf, the nearest to where they stand, as far as they are found by then.
pub async fn read(
    asked: &Asked<'_>,
    ask: &Ask,
    (shelf, want, by): (&Shelf<'_>, usize, Instant),
) -> Result<Stored, ph_store::Error> {
    let mut out = Stored::default();
    if shelf.sources.is_empty() || want == 0 {
        out.exhausted = shelf.sources.is_empty();
        return Ok(out);
    }
    let back = ask.is_back();
    let names: HashMap<(&str, &str), u32> = shelf
        .sources
        .iter()
        .map(|(i, r)| ((r.json.pod_uid.as_str(), r.json.container.as_str()), *i))
        .collect();
    let mut marks: BTreeMap<u32, Skip> = shelf
        .sources
        .iter()
        .filter_map(|(i, r)| Some((*i, Skip::of(ask.token.as_ref()?.mark(&r.json.id)?))))
        .collect();
    let low = if ask.from_ns == 0 { i64::MIN } else { ask.from_ns };
    let high = if ask.to_ns == 0 { i64::MAX } else { ask.to_ns };
    let mut search = SearchAsk {
        signal: Signal::Logs,
        filter: filter(ask, shelf),
        range: RangeNs::new(low, high),
        order: if back { Order::Descending } else { Order::Ascending },
        limit: want.clamp(1, ROWS),
        cursor: None,
        within: None,
    };
    loop {
        search.within = Some(by.saturating_duration_since(Instant::now()));
        let page = asked.app.telemetry.search(asked.ctx, search.clone()).await?;
        out.scanned_bytes += page.scanned_bytes;
        out.incomplete.extend(page.incomplete);
        let SearchRows::Logs(rows) = page.rows else { break };
        for row in rows {
            let name = (row.pod_uid.as_str(), row.container.as_str());
            let Some(source) = names.get(&name).copied() else { continue };
            let given = marks.get_mut(&source).is_some_and(|m| m.given(&row, back));
            if !given && out.records.len() < want {
                out.records.push(record(row, source));
            } else if !given {
                return Ok(finished(out, back));
            }
        }
        if page.reached.is_some() {
            out.reached = page.reached;
            break;
        }
        match page.next {
            Some(next) => search.cursor = Some(next),
            None => {
                out.exhausted = true;
                break;
            }
        }
    }
    Ok(finished(out, back))
}

fn finished(mut out: Stored, back: bool) -> Stored {
    if back {
        out.records.reverse();
    }
    out
}

/// Which rows around a mark were given before.
struct Skip {
    mark: Mark,
    met: bool,
}

impl Skip {
    fn of(mark: Mark) -> Self {
        Self { mark, met: false }
    }

    fn given(&mut self, row: &LogRow, back: bool) -> bool {
        match self.mark {
            // Files were read down to here; what they no longer hold goes on before it.
            Mark::File { key, offset, .. } | Mark::Behind { key, offset, .. } => {
                back && row.segment_key == key && row.offset >= offset
            }
            Mark::Store { ns, key, offset, past, .. } => {
                if self.met || (if back { row.ts < ns } else { row.ts > ns }) {
                    return false;
                }
                self.met = (row.segment_key, row.offset) == (key, offset) && row.ts == ns;
                !self.met || past
            }
            Mark::Time { ns, .. } => {
                if back {
                    row.ts >= ns
                } else {
                    row.ts < ns
                }
            }
            Mark::Done => true,
        }
    }
}

fn filter(ask: &Ask, shelf: &Shelf<'_>) -> Filter {
    // A condition on a container's own columns leaves another question for each.
    let apart = columns::asked_by(&ask.filter);
    let one = |(index, r): &(u32, Resolved)| {
        let mut all = vec![
            Filter::equal("pod_uid", r.json.pod_uid.clone()),
            Filter::equal("container", r.json.container.clone()),
        ];
        match ask.token.as_ref().map(|t| (t.mark(&r.json.id), t.back, t.since)) {
            Some((Some(Mark::File { ns, .. } | Mark::Behind { ns, .. }), true, _)) if ns != 0 => {
                all.push(Filter::Time { from: None, to: Some(ns.saturating_add(1)) });
            }
            Some((Some(Mark::Store { ns, .. }), true, _)) => {
                all.push(Filter::Time { from: None, to: Some(ns.saturating_add(1)) });
            }
            Some((Some(Mark::Time { ns, .. }), true, _)) => {
                all.push(Filter::Time { from: None, to: Some(ns) })
            }
            Some((Some(Mark::Store { ns, .. } | Mark::Time { ns, .. }), false, _)) => {
                all.push(Filter::Time { from: Some(ns), to: None });
            }
            Some((None, true, Some(since))) => all.push(Filter::Time { from: None, to: Some(since) }),
            Some((None, false, Some(since))) => all.push(Filter::Time { from: Some(since), to: None }),
            _ => {}
        }
        if let Some(keys) = shelf.kept.get(index).filter(|k| !k.is_empty()) {
            let held = keys.iter().map(|k| Filter::equal("segment_key", format!("{k:032x}"))).collect();
            all.push(Filter::Or(held).negated());
        }
        if let Some(ns) = shelf.before.get(index) {
            all.push(Filter::Time { from: None, to: Some(ns.saturating_add(1)) });
        }
        if let Some(ns) = shelf.until.get(index) {
            all.push(Filter::Time { from: None, to: Some(*ns) });
        }
        if ask.previous > 0 {
            all.push(Filter::equal("restart", r.json.restarts.saturating_sub(ask.previous).to_string()));
        }
        if let Some(restart) = ask.restart {
            all.push(Filter::equal("restart", restart.to_string()));
        }
        if apart {
            all.push(columns::left(&ask.filter, &r.json));
        }
        Filter::And(all)
    };
    let mut all = vec![Filter::Or(shelf.sources.iter().map(|s| one(s)).collect())];
    if ask.filter != Filter::All && !apart {
        all.push(ask.filter.clone());
    }
    if !ask.streams.is_empty() {
        all.push(Filter::Or(ask.streams.iter().map(|s| Filter::equal("stream", s.clone())).collect()));
    }
    Filter::And(all)
}

/// The condition alone, for counts.
pub fn condition(ask: &Ask, shelf: &Shelf<'_>) -> Filter {
    filter(ask, shelf)
}

pub fn record(r: LogRow, source: u32) -> Record {
    let position = Position { run: r.restart, segment_key: r.segment_key, offset: r.offset, rewind: 0 };
    Record {
        source,
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
    }
}
