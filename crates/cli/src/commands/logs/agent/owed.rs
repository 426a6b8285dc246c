//! Lines before the oldest matches of a tail: a page's end at the next older match, with which another page would begin. Where there is
//! no other page, what is missing is fetched beside them.

use std::collections::HashMap;

use ph_api::{LogLines, LogRecord, LogSource};

use super::record;
use crate::api::{Api, segment};
use crate::failure::Failure;

/// One page: its sources and records.
pub type Page = (Vec<LogSource>, Vec<LogRecord>);

/// Of one source the first record that is shown.
#[derive(Debug, PartialEq)]
struct First {
    page: usize,
    at: usize,
    /// Lines that stand before its first match.
    before: u32,
    met: bool,
}

/// The first records of all sources, newest page last, that have fewer lines before their match than are wanted.
fn short(pages: &[Page], wanted: u32) -> Vec<First> {
    let mut firsts: HashMap<&str, First> = HashMap::new();
    for (page, (sources, records)) in pages.iter().enumerate() {
        for (at, r) in records.iter().enumerate() {
            let Some(source) = sources.get(r.source as usize) else { continue };
            let first = firsts.entry(&source.id).or_insert(First { page, at, before: 0, met: false });
            first.met |= !record::is_context(r);
            first.before += u32::from(!first.met);
        }
    }
    let mut short: Vec<First> = firsts.into_values().filter(|f| f.met && f.before < wanted).collect();
    // From the back, so that places before stay what they are.
    short.sort_by_key(|f| std::cmp::Reverse((f.page, f.at)));
    short
}

/// Adds what is missing of `wanted` lines before the oldest match of each source.
pub async fn complete(api: &Api, pages: &mut [Page], wanted: u32) -> Result<(), Failure> {
    for first in short(pages, wanted) {
        let Some((_, records)) = pages.get_mut(first.page) else { continue };
        let Some(oldest) = records.get(first.at) else { continue };
        let (source, missing) = (oldest.source, wanted - first.before);
        let path = format!("logs/lines/{}?before={missing}&after=0", segment(&oldest.cursor));
        let found: LogLines = api.get(&path).await?;
        let own = |r: LogRecord| {
            let mut flags = r.flags.clone();
            if !record::is_context(&r) {
                flags.push("context".to_owned());
            }
            LogRecord { source, flags, ..r }
        };
        let before: Vec<LogRecord> = found.records.into_iter().take(found.index as usize).map(own).collect();
        records.splice(first.at..first.at, before);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sources: &[&str], records: &[(u32, bool)]) -> Page {
        let source = |id: &&str| LogSource { id: (*id).to_owned(), ..LogSource::default() };
        let record = |(source, context): &(u32, bool)| {
            let flags = if *context { vec!["context"] } else { vec![] };
            serde_json::from_value(serde_json::json!({
                "ts": "", "source": source, "stream": "", "level": "", "message": "", "restart": 0, "cursor": "", "flags": flags,
            }))
            .unwrap()
        };
        (sources.iter().map(source).collect(), records.iter().map(record).collect())
    }

    #[test]
    fn the_first_records_of_a_source_are_short_when_too_few_lines_stand_before_their_match() {
        let pages = [
            page(&["a", "b"], &[(1, true), (0, false), (1, true), (1, false)]),
            // Another page may number its sources otherwise.
            page(&["c", "a"], &[(0, true), (0, false), (1, true), (1, false), (0, false)]),
        ];
        let at = |wanted| short(&pages, wanted).iter().map(|f| (f.page, f.at, f.before)).collect::<Vec<_>>();
        assert_eq!(at(1), [(0, 1, 0)]);
        assert_eq!(at(2), [(1, 0, 1), (0, 1, 0)]);
        assert_eq!(at(3), [(1, 0, 1), (0, 1, 0), (0, 0, 2)]);
    }
}
