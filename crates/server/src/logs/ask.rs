//! What a caller asks of logs, checked and made ready.

use ph_api::{LogFilter, LogQuery};
use ph_filter::Filter;
use ph_model::Level;

use super::token::PageToken;

/// Records of a page unless the caller says otherwise, and at most.
pub const DEFAULT_LIMIT: u32 = 300;
pub const MAX_LIMIT: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Head,
    Tail,
    All,
}

/// Where lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Auto,
    Files,
    Store,
}

/// A checked query.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub mode: Mode,
    pub limit: u32,
    /// ns UTC; 0 is open.
    pub from_ns: i64,
    /// ns UTC, exclusive; 0 is open.
    pub to_ns: i64,
    pub filter: Filter,
    pub streams: Vec<String>,
    pub origin: Origin,
    pub all_runs: bool,
    pub token: Option<PageToken>,
    pub digest: u64,
}

/// A field of the query that cannot be used, and why.
pub type Fault = (String, String);

impl Ask {
    /// Checks everything at once, so that the caller learns all faults in one answer.
    pub fn new(query: &LogQuery, limit_default: u32) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, text: String| faults.push((path.to_owned(), text));
        let mode = match query.mode.as_deref() {
            None | Some("tail") => Mode::Tail,
            Some("head") => Mode::Head,
            Some("all") => Mode::All,
            Some(other) => {
                fault("mode", format!("`{other}` is not one of tail, head, all"));
                Mode::Tail
            }
        };
        let origin = match query.origin.as_deref() {
            None | Some("auto") => Origin::Auto,
            Some("files") => Origin::Files,
            Some("store") => Origin::Store,
            Some(other) => {
                fault("origin", format!("`{other}` is not one of auto, files, store"));
                Origin::Auto
            }
        };
        let mut time = |path: &str, text: &Option<String>| match text.as_deref().map(time_ns) {
            None => 0,
            Some(Some(ns)) => ns,
            Some(None) => {
                fault(path, "this is neither an RFC 3339 time nor ms since 1970".into());
                0
            }
        };
        let (from_ns, to_ns) = (time("from", &query.from), time("to", &query.to));
        if from_ns != 0 && to_ns != 0 && from_ns >= to_ns {
            fault("to", "the range ends before it begins".into());
        }
        let limit = query.limit.unwrap_or(limit_default);
        if limit > MAX_LIMIT || (limit == 0 && !query.follow) {
            fault("limit", format!("{limit} is not between 1 and {MAX_LIMIT}"));
        }
        let digest = digest(query);
        let token = match (&query.after, &query.before) {
            (Some(_), Some(_)) => {
                fault("before", "`after` and `before` exclude each other".into());
                None
            }
            (Some(text), None) | (None, Some(text)) => match PageToken::parse(text, digest) {
                Ok(t) => Some(PageToken { back: query.before.is_some(), ..t }),
                Err(e) => {
                    fault(if query.after.is_some() { "after" } else { "before" }, e.to_string());
                    None
                }
            },
            (None, None) => None,
        };
        let filter = match filter(&query.filter) {
            Ok(f) => f,
            Err((path, text)) => {
                fault(&path, text);
                Filter::All
            }
        };
        let streams = query.filter.stream.iter().cloned().collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            mode,
            limit,
            from_ns,
            to_ns,
            filter,
            streams,
            origin,
            all_runs: query.all_runs,
            token,
            digest,
        })
    }

    /// Toward older records.
    pub fn is_back(&self) -> bool {
        match &self.token {
            Some(t) => t.back,
            None => self.mode == Mode::Tail,
        }
    }
}

fn time_ns(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse::<i64>() {
        return ms.checked_mul(1_000_000);
    }
    let t: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(t.as_nanosecond()).ok()
}

fn filter(f: &LogFilter) -> Result<Filter, Fault> {
    let mut all = Vec::new();
    if let Some(text) = f.contains.as_deref().filter(|t| !t.is_empty()) {
        all.push(Filter::contains(text));
    }
    if let Some(text) = f.excludes.as_deref().filter(|t| !t.is_empty()) {
        all.push(Filter::Not(Box::new(Filter::contains(text))));
    }
    if let Some(word) = f.level.as_deref() {
        let level = Level::parse(word).ok_or_else(|| {
            (
                "filter.level".to_owned(),
                format!("`{word}` is no level; use trace, debug, info, warn, error or fatal"),
            )
        })?;
        all.push(Filter::at_least(level));
    }
    if let Some(s) = f.stream.as_deref().filter(|s| !matches!(*s, "stdout" | "stderr")) {
        return Err(("filter.stream".into(), format!("`{s}` is not one of stdout, stderr")));
    }
    all.extend(f.fields.iter().map(|(k, v)| Filter::equal(k, v)));
    Ok(match all.len() {
        0 => Filter::All,
        1 => all.remove(0),
        _ => Filter::And(all),
    })
}

/// What makes two queries the same for paging: everything but the page itself.
fn digest(query: &LogQuery) -> u64 {
    let same =
        LogQuery { after: None, before: None, limit: None, follow: false, mode: None, ..query.clone() };
    xxhash_rust::xxh3::xxh3_64(&serde_json::to_vec(&same).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    //! Faults are all reported at once; good queries compile.

    use super::*;

    #[test]
    fn every_fault_is_named() {
        let q = LogQuery {
            mode: Some("middle".into()),
            from: Some("yesterday-ish".into()),
            limit: Some(5_000),
            origin: Some("moon".into()),
            after: Some("x".into()),
            filter: LogFilter { level: Some("loud".into()), ..LogFilter::default() },
            ..LogQuery::default()
        };
        let paths: Vec<_> = Ask::new(&q, DEFAULT_LIMIT).unwrap_err().into_iter().map(|f| f.0).collect();
        assert_eq!(paths, ["mode", "origin", "from", "limit", "after", "filter.level"]);
    }

    #[test]
    fn times_filters_and_paging() {
        let q = LogQuery {
            from: Some("2026-11-21T10:00:00Z".into()),
            to: Some("1795345200000".into()),
            filter: LogFilter {
                contains: Some("boom".into()),
                level: Some("warn".into()),
                ..LogFilter::default()
            },
            ..LogQuery::default()
        };
        let ask = Ask::new(&q, DEFAULT_LIMIT).unwrap();
        assert_eq!((ask.mode, ask.limit, ask.is_back()), (Mode::Tail, 300, true));
        assert_eq!(ask.from_ns, 1_795_255_200_000_000_000);
        assert!(matches!(ask.filter, Filter::And(ref parts) if parts.len() == 2));
        let token =
            PageToken { query: ask.digest, back: false, at: Default::default(), store: None }.to_text();
        let next = LogQuery { after: Some(token), limit: Some(10), ..q };
        assert!(!Ask::new(&next, DEFAULT_LIMIT).unwrap().is_back());
    }
}
