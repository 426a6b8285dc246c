//! What a caller asks of logs, checked and made ready.

mod filter;

use std::time::Duration;

use ph_access::LogBudget;
use ph_api::{FieldError, LogContext, LogQuery};
use ph_filter::Filter;
use ph_filter::query::Stage;

use super::token::{Cursor, Named, PageToken};

/// Records of a page unless the caller says otherwise.
pub const DEFAULT_LIMIT: u32 = 300;
/// Lines of context each way at most.
pub const MAX_CONTEXT: u32 = 1_000;
/// The longest wait for older lines of other sources.
const MAX_WINDOW_MS: u32 = 60_000;
/// Where lines may be cut, bytes.
const LINE: std::ops::RangeInclusive<u32> = (64 << 10)..=(16 << 20);
/// Keys of the message that one query may ask for.
const MAX_FIELDS: usize = 50;

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

/// In which order a stream gives the lines of several sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Strict,
    Merge,
    Arrival,
}

/// What the answer is: it decides what a query may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Page,
    Stream,
    /// Pages, counts and downloads that read all of a range.
    Whole,
}

/// A checked query.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub shape: Shape,
    pub mode: Mode,
    pub limit: u32,
    /// ns UTC; 0 is open.
    pub from_ns: i64,
    /// ns UTC, exclusive; 0 is open.
    pub to_ns: i64,
    pub filter: Filter,
    /// What is made of the lines; empty: they are given.
    pub stages: Vec<Stage>,
    pub streams: Vec<String>,
    pub origin: Origin,
    pub all_runs: bool,
    pub previous: u32,
    /// The run of this number alone.
    pub restart: Option<u32>,
    pub sort_window: Option<Duration>,
    /// 0: the agent's own.
    pub max_line: u32,
    pub context: LogContext,
    /// The line that the page is around.
    pub at: Option<Named>,
    pub order: Order,
    pub with_events: bool,
    pub fields: Vec<String>,
    pub per_source: bool,
    pub skip_on_lag: bool,
    pub follow: bool,
    pub unmasked: bool,
    pub budget: LogBudget,
    pub token: Option<PageToken>,
    pub digest: u64,
}

/// A field of the query that cannot be used, and why.
pub type Fault = FieldError;

/// Collects faults, so that the caller learns all of them in one answer.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &str, text: impl Into<String>) {
        self.0.push(Fault { path: path.to_owned(), message: text.into(), ..Fault::default() });
    }

    /// One of the words, or the first of them and a fault.
    fn word<T: Copy>(&mut self, path: &str, given: Option<&str>, words: &[(&str, T)]) -> Option<T> {
        let given = given?;
        let found = words.iter().find(|(w, _)| *w == given).map(|(_, v)| *v);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(w, _)| *w).collect();
            self.add(path, format!("`{given}` is not one of {}", all.join(", ")));
        }
        found
    }

    fn time(&mut self, path: &str, text: Option<&str>) -> i64 {
        let Some(text) = text else { return 0 };
        time_ns(text).unwrap_or_else(|| {
            self.add(path, "this is neither an RFC 3339 time nor ms since 1970");
            0
        })
    }
}

impl Ask {
    /// Checks everything at once.
    pub fn new(query: &LogQuery, (shape, mut budget): (Shape, LogBudget)) -> Result<Self, Vec<Fault>> {
        let mut f = Faults::default();
        let modes = [("tail", Mode::Tail), ("head", Mode::Head), ("all", Mode::All)];
        let mode = f.word("mode", query.mode.as_deref(), &modes).unwrap_or(Mode::Tail);
        let origins = [("auto", Origin::Auto), ("files", Origin::Files), ("store", Origin::Store)];
        let origin = f.word("origin", query.origin.as_deref(), &origins).unwrap_or(Origin::Auto);
        let (from_ns, to_ns) = (f.time("from", query.from.as_deref()), f.time("to", query.to.as_deref()));
        if from_ns != 0 && to_ns != 0 && from_ns >= to_ns {
            f.add("to", "the range ends before it begins");
        }
        let most = u32::try_from(budget.page_rows).unwrap_or(u32::MAX);
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT.min(most));
        if limit > most || (limit == 0 && shape != Shape::Stream) {
            f.add("limit", format!("{limit} is not between 1 and {most}"));
        }
        let digest = digest(query);
        let token = token(query, digest, &mut f);
        let order = order(query, shape, &mut f);
        fits(query, (shape, origin), &mut f);
        if let Some(ms) = query.within_ms {
            budget.scan_ms = budget.scan_ms.min(ms.into());
        }
        let mut ask = Self {
            shape,
            mode,
            limit,
            from_ns,
            to_ns,
            filter: Filter::All,
            stages: Vec::new(),
            streams: query.filter.stream.iter().cloned().collect(),
            origin,
            all_runs: query.all_runs,
            previous: query.previous.unwrap_or(0),
            restart: query.restart,
            sort_window: query.sort_window_ms.map(|ms| Duration::from_millis(ms.into())),
            max_line: query.max_line.unwrap_or(0),
            context: query.context,
            at: at(query, shape, &mut f),
            order,
            with_events: query.with.iter().any(|w| w == "events"),
            fields: query.fields.clone(),
            per_source: query.per_source,
            skip_on_lag: on_lag(query, shape, &mut f),
            follow: query.follow && shape == Shape::Stream,
            unmasked: query.unmasked,
            budget,
            token,
            digest,
        };
        match filter::filter(&query.filter) {
            Ok((filter, stages)) => (ask.filter, ask.stages) = (filter, stages),
            Err(more) => f.0.extend(more),
        }
        staged(query, (shape, &ask.stages), &mut f);
        if f.0.is_empty() { Ok(ask) } else { Err(f.0) }
    }

    /// Everything, within no budget of its own.
    pub fn everything() -> Self {
        Self {
            shape: Shape::Page,
            mode: Mode::Tail,
            limit: DEFAULT_LIMIT,
            from_ns: 0,
            to_ns: 0,
            filter: Filter::All,
            stages: Vec::new(),
            streams: Vec::new(),
            origin: Origin::Auto,
            all_runs: true,
            previous: 0,
            restart: None,
            sort_window: None,
            max_line: 0,
            context: LogContext::default(),
            at: None,
            order: Order::Strict,
            with_events: false,
            fields: Vec::new(),
            per_source: false,
            skip_on_lag: false,
            follow: false,
            unmasked: false,
            budget: LogBudget::BOT,
            token: None,
            digest: 0,
        }
    }

    /// Toward older records.
    pub fn is_back(&self) -> bool {
        match &self.token {
            Some(t) => t.back,
            None => self.mode == Mode::Tail,
        }
    }

    /// The same query from another place.
    #[must_use]
    pub fn at_token(&self, token: PageToken) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    pub fn has_context(&self) -> bool {
        self.context.before > 0 || self.context.after > 0
    }
}

fn token(query: &LogQuery, digest: u64, f: &mut Faults) -> Option<PageToken> {
    let (path, text) = match (&query.after, &query.before) {
        (Some(_), Some(_)) => {
            f.add("before", "`after` and `before` exclude each other");
            return None;
        }
        (Some(text), None) => ("after", text),
        (None, Some(text)) => ("before", text),
        (None, None) => return None,
    };
    match PageToken::parse(text, digest) {
        Ok(t) => Some(PageToken { back: path == "before", ..t }),
        Err(e) => {
            f.add(path, e.to_string());
            None
        }
    }
}

fn order(query: &LogQuery, shape: Shape, f: &mut Faults) -> Order {
    let words = [("strict", Order::Strict), ("merge", Order::Merge), ("arrival", Order::Arrival)];
    let order = f.word("order", query.order.as_deref(), &words);
    if shape != Shape::Stream && order.is_some_and(|o| o != Order::Strict) {
        f.add(
            "order",
            "pages, counts and downloads are `strict`; `merge` and `arrival` are orders of streams",
        );
    }
    order.unwrap_or(if shape == Shape::Stream { Order::Merge } else { Order::Strict })
}

fn on_lag(query: &LogQuery, shape: Shape, f: &mut Faults) -> bool {
    let skip = f.word("on_lag", query.on_lag.as_deref(), &[("wait", false), ("skip", true)]).unwrap_or(false);
    if skip && (shape != Shape::Stream || !query.follow) {
        f.add("on_lag", "only a stream that follows can skip; a page never lags");
    }
    skip
}

fn at(query: &LogQuery, shape: Shape, f: &mut Faults) -> Option<Named> {
    let text = query.at.as_deref()?;
    if shape != Shape::Page {
        f.add("at", "only a page can stand around a line");
    }
    if query.after.is_some() || query.before.is_some() {
        f.add("at", "`at` excludes `after` and `before`; go on with the tokens of the page around the line");
    }
    match Cursor::parse(text) {
        Ok(named) => Some(named),
        Err(e) => {
            f.add("at", e.to_string());
            None
        }
    }
}

/// Parts that do not go together.
fn fits(query: &LogQuery, (shape, origin): (Shape, Origin), f: &mut Faults) {
    for word in query.with.iter().filter(|w| w.as_str() != "events") {
        f.add("with", format!("`{word}` is not offered; the timeline can have `events`"));
    }
    if query.previous.is_some() && query.all_runs {
        f.add("previous", "`previous` names one run; it excludes `all_runs`");
    }
    if query.previous.is_some() && query.follow {
        f.add("previous", "a run that is over cannot be followed");
    }
    if query.previous.is_some_and(|n| n == 0 || n > 1_000) {
        f.add("previous", "count runs back from the current one: 1 to 1000");
    }
    if query.restart.is_some() && (query.previous.is_some() || query.all_runs || query.follow) {
        f.add("restart", "a run's number excludes `previous`, `all_runs` and `follow`");
    }
    if let Some(ms) = query.sort_window_ms {
        let merges = shape == Shape::Stream && matches!(query.order.as_deref(), None | Some("merge"));
        if !merges || !(1..=MAX_WINDOW_MS).contains(&ms) {
            f.add("sort_window_ms", format!("1 to {MAX_WINDOW_MS}, for streams in the order `merge`"));
        }
    }
    if query.within_ms.is_some_and(|ms| ms == 0 || shape != Shape::Page) {
        f.add("within_ms", "1 or more, for pages: a stream gives what it finds at once");
    }
    if query.max_line.is_some_and(|n| !LINE.contains(&n)) {
        f.add("max_line", "64 KiB to 16 MiB, in bytes");
    }
    if query.follow && shape != Shape::Stream {
        f.add("follow", "only a stream follows: POST /api/v1/logs/streams");
    }
    if shape == Shape::Stream && origin == Origin::Store {
        f.add("origin", "a stream reads files; ask a page of the store first and go on with its `next`");
    }
    if shape == Shape::Whole && (query.after.is_some() || query.before.is_some()) {
        f.add("after", "counts and downloads cover all of a range; give `from` and `to`");
    }
    if shape == Shape::Stream && query.before.is_some() {
        f.add("before", "a stream goes toward newer lines only");
    }
    let (before, after) = (query.context.before, query.context.after);
    if before > MAX_CONTEXT || after > MAX_CONTEXT {
        f.add("context", format!("at most {MAX_CONTEXT} lines each way"));
    }
    if (before > 0 || after > 0) && query.at.is_none() && origin == Origin::Store {
        f.add("context", "the store gives matches alone; lines around them come from files");
    }
    if query.fields.len() > MAX_FIELDS {
        f.add("fields", format!("at most {MAX_FIELDS} fields"));
    }
}

/// What a table of stages does not go together with: it is of all lines of the range.
fn staged(query: &LogQuery, (shape, stages): (Shape, &[Stage]), f: &mut Faults) {
    let Some(first) = stages.first() else { return };
    if shape != Shape::Page {
        let text = format!(
            "`| {first}` makes a table, and this gives lines or counts; POST /api/v1/logs/query answers tables"
        );
        return f.add("filter.expr", text);
    }
    let given = [
        (query.limit.is_some(), "limit", "a table is told by its stages; write `| limit 100` behind them"),
        (query.after.is_some(), "after", "a table has no pages; give `from` and `to`"),
        (query.before.is_some(), "before", "a table has no pages; give `from` and `to`"),
        (query.at.is_some(), "at", "a table is of all lines of the range, not of those around one"),
        (
            query.context != LogContext::default(),
            "context",
            "lines around a match have no place in a table of stages",
        ),
        (
            query.per_source,
            "per_source",
            "a table is of all sources together; group it: `| count by container`",
        ),
        (!query.fields.is_empty(), "fields", "stages name their own: `| fields ts, pod, status`"),
        (!query.with.is_empty(), "with", "a table has no timeline for it"),
        (
            query.mode.as_deref().is_some_and(|mode| mode != "all"),
            "mode",
            "a table is of all lines of the range: leave it out, or write `all`",
        ),
    ];
    for (_, path, text) in given.iter().filter(|(given, ..)| *given) {
        f.add(path, *text);
    }
}

pub fn time_ns(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse::<i64>() {
        return ms.checked_mul(1_000_000);
    }
    let t: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(t.as_nanosecond()).ok()
}

/// What makes two queries the same for paging: what they select, not how much of it and how it is shown.
fn digest(query: &LogQuery) -> u64 {
    let same = LogQuery {
        sources: query.sources.clone(),
        from: query.from.clone(),
        to: query.to.clone(),
        filter: query.filter.clone(),
        origin: query.origin.clone(),
        all_runs: query.all_runs,
        previous: query.previous,
        restart: query.restart,
        ..LogQuery::default()
    };
    xxhash_rust::xxh3::xxh3_64(&serde_json::to_vec(&same).unwrap_or_default())
}

#[cfg(test)]
mod tests;
