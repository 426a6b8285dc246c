//! Pages as JSON.

use std::collections::BTreeMap;

use ph_api::{LogGap, LogMarker, LogPage, LogSource, LogSummary};
use ph_link::v1;

use super::ask::Ask;
use super::history::Page;
use super::record::{json, time_text};
use super::resolve::Resolved;
use super::token::Cursor;

/// A gap with the name of what it is about.
pub fn gap(source: Option<u32>, node: &str, g: &v1::LogGap, sources: &BTreeMap<u32, LogSource>) -> LogGap {
    let named = source.and_then(|i| sources.get(&i));
    LogGap {
        kind: g.kind.clone(),
        source,
        source_name: named
            .map_or_else(|| node.to_owned(), |s| format!("{}/{}/{}", s.namespace, s.pod, s.container)),
        from: (g.from_ns != 0).then(|| time_text(g.from_ns)),
        to: (g.to_ns != 0).then(|| time_text(g.to_ns)),
        bytes: (g.bytes != 0).then_some(g.bytes),
        lines: (g.lines != 0).then_some(g.lines),
        exact: g.exact,
        text: g.text.clone(),
    }
}

pub fn marker(m: &v1::LogMarker) -> LogMarker {
    LogMarker {
        kind: m.kind.clone(),
        source: m.source,
        restart: m.run,
        at: (m.at_ns != 0).then(|| time_text(m.at_ns)),
        exit_code: (m.exit_code != 0).then_some(m.exit_code),
        reason: m.reason.clone(),
    }
}

pub fn summary(s: &v1::LogSummary, (read, known): (u32, u32), took_ms: u64) -> LogSummary {
    LogSummary {
        sources_read: read,
        sources_known: known,
        files_read: s.segments_read,
        files_known: s.segments_known,
        files_resumed: s.segments_resumed,
        scanned_bytes: s.scanned_bytes,
        known_bytes: s.known_bytes,
        lines: s.lines,
        matches: s.matches,
        cut_lines: s.cut_lines,
        gaps: s.gaps,
        oldest: (s.oldest_ns != 0).then(|| time_text(s.oldest_ns)),
        stopped: if s.stopped.is_empty() { "done".into() } else { s.stopped.clone() },
        completeness: if s.completeness.is_empty() { "proven".into() } else { s.completeness.clone() },
        took_ms,
        unknown_levels: s.unknown_levels,
        redactions: s.redactions.iter().map(|r| (r.kind.clone(), r.count)).collect(),
        seek: s.seek.clone(),
        looked_to: None,
    }
}

/// The whole page.
pub fn page(p: Page, (sources, ask): (&[(u32, Resolved)], &Ask), took_ms: u64) -> LogPage {
    let by_index: BTreeMap<u32, LogSource> = sources.iter().map(|(i, r)| (*i, r.json.clone())).collect();
    let cursors: BTreeMap<u32, Cursor> = sources.iter().map(|(i, r)| (*i, r.cursor())).collect();
    let known = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let read = known.saturating_sub(u32::try_from(p.unread.len()).unwrap_or(known));
    LogPage {
        records: p
            .records
            .iter()
            .filter_map(|r| Some(json(r, cursors.get(&r.source)?, &ask.fields)))
            .collect(),
        gaps: p.gaps.iter().map(|(source, node, g)| gap(*source, node, g, &by_index)).collect(),
        markers: p.markers.iter().map(marker).collect(),
        next: p.next.map(|t| t.to_text()),
        prev: p.prev.map(|t| t.to_text()),
        summary: LogSummary {
            looked_to: p.looked_ns.map(time_text),
            ..summary(&p.summary, (read, known), took_ms)
        },
        sources: by_index.into_values().collect(),
        table: None,
    }
}

/// Names a result without telling it: SHA-256 over places and contents of the lines, for the audit row.
pub fn digest<'a>(records: impl Iterator<Item = &'a super::record::Record>) -> String {
    let mut sum = Digest::default();
    records.for_each(|r| sum.add(r));
    sum.text()
}

/// The digest of a result that comes in pieces.
#[derive(Default)]
pub struct Digest(sha2::Sha256);

impl Digest {
    pub fn add(&mut self, r: &super::record::Record) {
        use sha2::Digest as _;
        self.0.update(r.position.segment_key.to_be_bytes());
        self.0.update(r.position.offset.to_be_bytes());
        self.0.update((r.message.len() as u64).to_be_bytes());
        self.0.update(&r.message);
    }

    pub fn text(self) -> String {
        use sha2::Digest as _;
        self.0.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}
