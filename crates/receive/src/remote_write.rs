//! Prometheus remote write 1.0 and 2.0.
//!
//! In:     a snappy block of `prometheus.WriteRequest` or `io.prometheus.write.v2.Request`.
//! Out:    series with their samples in the order sent, and what is known of their metrics.
//! Never:  keeps native histograms: they are counted.
//! Source: Prometheus remote write specifications 1.0 and 2.0 (release candidates 3 and 4 differ in where start times stand; both
//!         are read).

mod exemplar;
mod first;
pub mod messages;

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use ph_model::{ExemplarRow, Labels, Sample, Series, SeriesKind};
use prost::Message;

use crate::answer::{self, Reply, ReplyBody};
use crate::body::Compression;
use crate::door::{Door, Limits};
use crate::error::Error;
use crate::weigh::{kinds, weigh};
use exemplar::exemplar;

/// Where it is posted to.
pub const PATHS: [&str; 2] = ["/api/v1/write", "/prometheus/api/v1/write"];

/// How many times larger than the largest body a request may be when its symbols stand where they are named.
const GROWS: usize = 8;

/// Which message a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// What a sender says of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Of the metric family.
    pub name: String,
    pub kind: SeriesKind,
    pub help: String,
    pub unit: String,
}

/// What one request holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub series: Vec<Series>,
    pub described: Vec<Described>,
    /// Samples of series whose labels are no label set, with one of them in words.
    pub bad_labels: (u64, String),
    pub histograms: u64,
    pub exemplars: Vec<ExemplarRow>,
}

/// What was stored of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub samples: u64,
    pub exemplars: u64,
    pub rejected: u64,
    /// Reasons with counts.
    pub reason: String,
}

impl Version {
    /// By the content type; 415 for what is neither.
    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let whole = headers.get(CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or("?"));
        let wrong = || Error::ContentType(whole.to_owned());
        let mut parts = whole.split(';').map(str::trim);
        if !parts.next().unwrap_or_default().eq_ignore_ascii_case("application/x-protobuf") {
            return Err(wrong());
        }
        match parts.find_map(|p| p.strip_prefix("proto=")) {
            None | Some("prometheus.WriteRequest") => Ok(Self::One),
            Some("io.prometheus.write.v2.Request") => Ok(Self::Two),
            Some(_) => Err(wrong()),
        }
    }
}

/// Reads a request. Holds what it says in `door` until the answer is there.
pub async fn read<B>(
    (door, limits): (&Door, &Limits),
    (headers, body): (&HeaderMap, B),
) -> Result<(Version, Written, crate::door::Admitted), Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let version = Version::of(headers)?;
    let named = headers.get(CONTENT_ENCODING).map_or("snappy", |v| v.to_str().unwrap_or("?"));
    if named != "snappy" {
        return Err(Error::ContentEncoding(named.to_owned()));
    }
    let admitted = door.admit_as(Compression::Snappy, (headers, body), limits).await?;
    let written = decode(version, &admitted.body, limits)?;
    Ok((version, written, admitted))
}

/// A decompressed body as series.
pub fn decode(version: Version, body: &[u8], limits: &Limits) -> Result<Written, Error> {
    let malformed =
        |e: prost::DecodeError| Error::Malformed { what: "remote write request", reason: e.to_string() };
    let mut out = Written::default();
    weigh(if version == Version::One { &kinds::one::REQUEST } else { &kinds::two::REQUEST }, body)?;
    match version {
        Version::One => first::read(body, &mut out)
            .map_err(|reason| Error::Malformed { what: "remote write request", reason })?,
        Version::Two => two(messages::Request::decode(body).map_err(malformed)?, limits, &mut out)?,
    }
    let found = out.series.iter().map(|s| s.samples.len()).sum();
    match found {
        found if found > limits.items => Err(Error::TooMany { found, limit: limits.items }),
        _ => Ok(out),
    }
}

fn kind(n: i32) -> SeriesKind {
    match n {
        1 => SeriesKind::Counter,
        2 => SeriesKind::Gauge,
        _ => SeriesKind::Unknown,
    }
}

/// The label set, or nothing when a name is empty or comes twice, or there is no metric name.
fn labels(pairs: &[(&str, &str)]) -> Option<Labels> {
    let empty = pairs.iter().filter(|(_, v)| v.is_empty()).count();
    if pairs.iter().any(|(n, _)| n.is_empty()) {
        return None;
    }
    let labels = Labels::of(pairs.iter().copied());
    (labels.len() + empty == pairs.len() && !labels.metric().is_empty()).then_some(labels)
}

fn in_words(pairs: &[(&str, &str)]) -> String {
    let text: Vec<String> = pairs.iter().take(8).map(|(n, v)| format!("{n}={v:?}")).collect();
    format!("{{{}}}", text.join(", "))
}

impl Written {
    fn add(
        &mut self,
        pairs: &[(&str, &str)],
        mut series: Series,
        exemplars: impl Iterator<Item = ExemplarRow>,
    ) {
        match labels(pairs) {
            Some(labels) => {
                self.exemplars.extend(exemplars.map(|e| ExemplarRow { series: labels.clone(), ..e }));
                if series.samples.is_empty() {
                    return;
                }
                series.labels = labels;
                self.series.push(series);
            }
            None => {
                self.bad_labels.0 += series.samples.len() as u64;
                if self.bad_labels.1.is_empty() {
                    self.bad_labels.1 = in_words(pairs);
                }
            }
        }
    }
}

fn empty(kind: SeriesKind, unit: &str) -> Series {
    Series { labels: Labels::default(), kind, unit: unit.to_owned(), start_ms: None, samples: Vec::new() }
}

/// The symbol table of a request. A few bytes that name a long symbol over and over would fill the memory, so that what it
/// gives is bounded.
struct Symbols {
    table: Vec<String>,
    /// Bytes that may still be given.
    left: Cell<usize>,
    limit: usize,
}

impl Symbols {
    fn new(table: Vec<String>, limits: &Limits) -> Self {
        let limit = limits.body.saturating_mul(GROWS);
        Self { table, left: Cell::new(limit), limit }
    }

    fn text(&self, n: u32) -> Result<&str, Error> {
        let known = usize::try_from(n).ok().and_then(|n| self.table.get(n));
        let text = known.ok_or_else(|| {
            malformed_two(format!("symbol {n} is not in the table of {}", self.table.len()))
        })?;
        let left = self.left.get().checked_sub(text.len() + size_of::<String>());
        let what = "remote write 2.0 request with its symbols in place";
        self.left.set(left.ok_or(Error::TooLarge { what, limit: self.limit })?);
        Ok(text)
    }

    /// Names and values of labels.
    fn pairs(&self, refs: &[u32]) -> Result<Vec<(&str, &str)>, Error> {
        let odd = "a series or exemplar names an odd number of symbols as labels";
        let pairs = refs.chunks(2).map(|pair| match pair {
            [name, value] => Ok((self.text(*name)?, self.text(*value)?)),
            _ => Err(malformed_two(odd.to_owned())),
        });
        pairs.collect()
    }
}

fn malformed_two(reason: String) -> Error {
    Error::Malformed { what: "remote write 2.0 request", reason }
}

fn two(request: messages::Request, limits: &Limits, out: &mut Written) -> Result<(), Error> {
    let table = request.symbols;
    if table.first().is_some_and(|s| !s.is_empty()) || (table.is_empty() && !request.timeseries.is_empty()) {
        return Err(malformed_two("the symbol table does not begin with the empty string".to_owned()));
    }
    let symbols = Symbols::new(table, limits);
    let mut described = BTreeMap::new();
    for s in request.timeseries {
        let pairs = symbols.pairs(&s.labels_refs)?;
        out.histograms += s.histograms.len() as u64;
        let mut exemplars = Vec::new();
        for e in s.exemplars {
            exemplars.push(exemplar(&symbols.pairs(&e.labels_refs)?, (e.timestamp, e.value)));
        }
        let about = s.metadata.unwrap_or_default();
        let (help, unit) = (symbols.text(about.help_ref)?, symbols.text(about.unit_ref)?);
        let mut series = empty(kind(about.r#type), unit);
        let start = s.samples.iter().map(|p| p.start_timestamp).find(|t| *t > 0);
        series.start_ms = start.or(Some(s.created_timestamp)).filter(|t| *t > 0);
        series.samples = s.samples.iter().map(|p| Sample { at_ms: p.timestamp, value: p.value }).collect();
        if about.r#type != 0 || !help.is_empty() || !unit.is_empty() {
            let name = pairs.iter().find(|(n, _)| *n == "__name__").map_or("", |(_, v)| v);
            let name = family(name, about.r#type);
            let (help, unit) = (help.to_owned(), unit.to_owned());
            described.entry(name.clone()).or_insert(Described { name, kind: series.kind, help, unit });
        }
        out.add(&pairs, series, exemplars.into_iter());
    }
    out.described = described.into_values().filter(|d| !d.name.is_empty()).collect();
    Ok(())
}

/// The family of a series of a histogram or summary.
fn family(name: &str, r#type: i32) -> String {
    let suffixes: &[&str] = match r#type {
        3 | 4 => &["_bucket", "_count", "_sum"],
        5 => &["_count", "_sum"],
        _ => &[],
    };
    suffixes.iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name).to_owned()
}

/// The answer: 204, or 400 when a sample was rejected; all else is stored. 2.0 is told how much was written.
pub fn answered(version: Version, outcome: &Outcome) -> Reply {
    let mut reply = Response::new(ReplyBody::default());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    if outcome.rejected > 0 {
        let text = format!(
            "{} of {} samples are not stored: {}\n",
            outcome.rejected,
            outcome.samples + outcome.rejected,
            outcome.reason
        );
        reply = Response::new(ReplyBody::new(text));
        *reply.status_mut() = StatusCode::BAD_REQUEST;
    }
    let headers = reply.headers_mut();
    if version == Version::Two {
        headers.insert("x-prometheus-remote-write-samples-written", HeaderValue::from(outcome.samples));
        headers.insert("x-prometheus-remote-write-histograms-written", HeaderValue::from(0));
        headers.insert("x-prometheus-remote-write-exemplars-written", HeaderValue::from(outcome.exemplars));
    }
    reply
}

/// A refusal of the whole request.
pub fn refused(headers: &HeaderMap, error: &Error) -> Reply {
    let mut reply = answer::refused_in_words(error);
    if matches!(Version::of(headers), Ok(Version::Two)) {
        for name in ["samples", "histograms", "exemplars"] {
            let name = format!("x-prometheus-remote-write-{name}-written");
            if let Ok(name) = http::HeaderName::try_from(name) {
                reply.headers_mut().insert(name, HeaderValue::from(0));
            }
        }
    }
    reply
}

#[cfg(test)]
mod tests;
