//! The streams of several contexts as one timeline.
//!
//! In:     each context's stream, in its own order. Out: the smallest time first; what is waited for depends on the order.
//! Bound:  one batch of each context waits; of a tail what it keeps.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{FutureExt, select_all};
use futures::stream::BoxStream;
use ph_api::{LogGap, LogMarker, LogSummary};
use ph_cluster::kube_logs::{self, LineName, LogEvent, Record};
use ph_model::ErrorKind;
use tokio::time::Instant;

use crate::commands::logs::ask::{Ask, Extent, Order};
use crate::commands::logs::line::{Cursor, Line, Source};
use crate::commands::logs::notice;
use crate::commands::logs::output::{End, Output, columns_name, utc};
use crate::failure::{Failure, Outcome, code};

/// One context's stream.
struct Lane {
    name: String,
    stream: BoxStream<'static, LogEvent>,
    /// Index of each of its containers among all.
    places: Vec<usize>,
    waiting: VecDeque<Record>,
    done: bool,
}

/// All of them.
pub struct Lanes {
    lanes: Vec<Lane>,
    sources: Vec<Source>,
    /// Of each source what its lines' cursors end with.
    places_text: Vec<String>,
    /// Cursors of the first and last line that were written.
    written: Option<(String, String)>,
    /// Those are asked for.
    cursors: bool,
    summary: LogSummary,
    /// Why contexts or containers could not be read.
    failures: Vec<Failure>,
    /// How long the first of those that wait goes on waiting; `None`: until all others are known.
    window: Option<Duration>,
    began: Instant,
    changed: bool,
}

impl Lanes {
    pub fn new<S>(streams: Vec<(String, S)>, ask: &Ask, terminal: bool) -> Self
    where
        S: futures::Stream<Item = LogEvent> + Send + 'static,
    {
        let merge = ask.window.unwrap_or(super::WINDOW);
        let window = match ask.order {
            Some(Order::Strict) => None,
            Some(Order::Arrival) => Some(Duration::ZERO),
            Some(Order::Merge) => Some(merge),
            None if ask.follow || (terminal && ask.extent == Extent::All) => Some(merge),
            None => None,
        };
        let lane = |(name, stream): (String, S)| Lane {
            name,
            stream: stream.boxed(),
            places: Vec::new(),
            waiting: VecDeque::new(),
            done: false,
        };
        Self {
            lanes: streams.into_iter().map(lane).collect(),
            sources: Vec::new(),
            places_text: Vec::new(),
            written: None,
            cursors: ask.with_cursors,
            summary: LogSummary {
                stopped: "done".into(),
                completeness: "unproven".into(),
                ..LogSummary::default()
            },
            failures: Vec::new(),
            window,
            began: Instant::now(),
            changed: false,
        }
    }

    /// A context that cannot be reached.
    pub fn missing(&mut self, failure: &Failure, out: &mut Output) -> Outcome {
        let kind = if failure.exit_code() == code::DENIED { "denied" } else { "cluster_unreachable" };
        out.gap(&gap(kind, String::new(), failure.text().to_owned()))
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Of all contexts together.
    pub fn summary(&self) -> LogSummary {
        let known = self.sources.len() as u32;
        LogSummary {
            sources_known: known,
            sources_read: known.saturating_sub(self.failures.len() as u32),
            took_ms: self.began.elapsed().as_millis() as u64,
            ..self.summary.clone()
        }
    }

    /// Writes everything; the end that it came to.
    pub async fn run(&mut self, ask: &Ask, out: &mut Output) -> Result<End, Failure> {
        // Each context gives its own head or tail: the first or last of all are among them.
        let several = self.lanes.len() > 1 && !ask.per_source;
        let mut left = match ask.extent {
            Extent::Head(n) if several => n,
            _ => u64::MAX,
        };
        let tail = match ask.extent {
            Extent::Tail(n) if several && !ask.follow => Some(n),
            _ => None,
        };
        let mut kept: VecDeque<(usize, Record)> = VecDeque::new();
        while let Some((source, record)) = self.next(out).await? {
            match tail {
                Some(n) => {
                    kept.push_back((source, record));
                    while kept.len() as u64 > n {
                        kept.pop_front();
                    }
                }
                None => {
                    self.write((source, &record), out)?;
                    left = left.saturating_sub(u64::from(!record.flags.has(ph_model::LogFlags::CONTEXT)));
                }
            }
            if left == 0 || out.is_enough() {
                break;
            }
        }
        for (source, record) in &kept {
            self.write((*source, record), out)?;
        }
        Ok(self.end())
    }

    /// What it came to when the streams ended.
    pub fn end(&mut self) -> End {
        let read = self.sources.len().saturating_sub(self.failures.len());
        match self.failures.pop() {
            Some(failure) if read == 0 => End::Failed(Box::new(failure)),
            _ => End::Done,
        }
    }

    /// The next record of all contexts; gaps, markers and notices on the way are told.
    pub async fn next(&mut self, out: &mut Output) -> Result<Option<(usize, Record)>, Failure> {
        loop {
            let open = self.lanes.iter().any(|l| !l.done && l.waiting.is_empty());
            if !open {
                return Ok(self.first());
            }
            let holds = self.lanes.iter().any(|l| !l.waiting.is_empty());
            let window = self.window.filter(|_| holds);
            let Some((index, event)) = self.event(window, out).await? else { return Ok(self.first()) };
            self.take(index, event, out)?;
        }
    }

    /// The next event of those that have nothing waiting; `None` when the window passed first.
    async fn event(
        &mut self,
        window: Option<Duration>,
        out: &mut Output,
    ) -> Result<Option<(usize, Option<LogEvent>)>, Failure> {
        let asked = self.lanes.iter_mut().enumerate().filter(|(_, l)| !l.done && l.waiting.is_empty());
        let mut events: Vec<_> =
            asked.map(|(i, l)| l.stream.next().map(move |event| (i, event)).boxed()).collect();
        // What is there already comes first, so that output is flushed only before a real wait.
        if let Some(found) = events.iter_mut().find_map(|e| e.now_or_never()) {
            return Ok(Some(found));
        }
        out.flush()?;
        match window {
            Some(window) => {
                Ok(tokio::time::timeout(window, select_all(events)).await.ok().map(|(found, ..)| found))
            }
            None => Ok(Some(select_all(events).await.0)),
        }
    }

    fn first(&mut self) -> Option<(usize, Record)> {
        let head = |l: &Lane| l.waiting.front().map(|r| r.ts_ns);
        let at = (0..self.lanes.len()).filter_map(|i| Some((head(self.lanes.get(i)?)?, i))).min()?.1;
        let lane = self.lanes.get_mut(at)?;
        let record = lane.waiting.pop_front()?;
        Some((lane.places.get(record.source).copied().unwrap_or(record.source), record))
    }

    fn take(&mut self, index: usize, event: Option<LogEvent>, out: &mut Output) -> Outcome {
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        match event {
            None => lane.done = true,
            Some(LogEvent::Joined(source)) => {
                lane.places.push(self.sources.len());
                self.sources.push(of(&lane.name, &source));
                self.places_text.push(LineName::place(&source));
                self.changed = true;
            }
            Some(LogEvent::Records(records)) => lane.waiting.extend(records),
            Some(LogEvent::Notice(text)) => notice(&text),
            Some(LogEvent::Progress { .. }) => {}
            Some(LogEvent::Gap(found)) => {
                self.tell_sources(out)?;
                return self.missed(index, &found, out);
            }
            Some(LogEvent::Marker(marker)) => {
                let source = lane.places.get(marker.source).copied().unwrap_or_default();
                self.tell_sources(out)?;
                return out.marker(&LogMarker {
                    kind: marker.kind.into(),
                    source: source as u32,
                    restart: marker.run,
                    at: None,
                    exit_code: marker.exit_code,
                    reason: marker.reason,
                });
            }
            Some(LogEvent::Failed { kind, text }) => {
                lane.done = true;
                let exit = match kind {
                    ErrorKind::NotFound => code::NO_SOURCE,
                    ErrorKind::Denied => code::DENIED,
                    ErrorKind::Invalid => code::USAGE,
                    _ => code::UNREACHABLE,
                };
                if self.lanes.len() > 1 {
                    out.gap(&gap("cluster_unreachable", String::new(), text.clone()))?;
                }
                self.failures.push(Failure::new(exit, text));
            }
            Some(LogEvent::Summary(s)) => {
                lane.done = true;
                self.add(&s);
            }
        }
        Ok(())
    }

    fn missed(&mut self, index: usize, found: &kube_logs::Gap, out: &mut Output) -> Outcome {
        let lane = self.lanes.get(index);
        let source = found.source.and_then(|s| lane?.places.get(s).copied());
        let name = source.and_then(|s| self.sources.get(s)).map(columns_name).unwrap_or_default();
        let exit = match found.kind {
            "denied" => Some(code::DENIED),
            "cluster_unreachable" | "read_error" => Some(code::UNREACHABLE),
            _ => None,
        };
        if let Some(exit) = exit {
            self.failures.push(Failure::new(exit, format!("{name}: {}", found.text)));
        }
        let stamp = |ns: Option<i64>| {
            ns.map(|ns| {
                let mut text = Vec::new();
                utc(ns, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        };
        out.gap(&LogGap {
            source: source.map(|s| s as u32),
            from: stamp(found.from_ns),
            to: stamp(found.to_ns),
            ..gap(found.kind, name, found.text.clone())
        })
    }

    fn add(&mut self, s: &kube_logs::Summary) {
        let sum = &mut self.summary;
        sum.scanned_bytes += s.downloaded_bytes;
        sum.lines += s.lines;
        sum.matches += s.matches;
        sum.unknown_levels += s.unknown_levels;
        sum.cut_lines += s.cut_lines;
        sum.gaps += s.gaps;
        if s.completeness == "incomplete" {
            sum.completeness = "incomplete".into();
        }
        if s.stopped != "done" {
            sum.stopped = s.stopped.into();
        }
    }

    /// Where a later command goes on: on stderr, as the last thing.
    pub fn tell_cursors(&self) {
        if let Some((first, last)) = &self.written {
            eprintln!("prev: --before {first}");
            eprintln!("next: --after {last}");
        }
    }

    /// The output knows of containers that joined since.
    pub fn tell_sources(&mut self, out: &mut Output) -> Outcome {
        if std::mem::take(&mut self.changed) {
            out.sources(self.sources.clone())?;
        }
        Ok(())
    }

    fn write(&mut self, (source, record): (usize, &Record), out: &mut Output) -> Outcome {
        self.tell_sources(out)?;
        if out.is_raw() && !self.cursors {
            out.raw(&record.message);
            return out.settle();
        }
        out.at(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default());
        let place = self.places_text.get(source).map_or("", String::as_str);
        let cursor = LineName::text_of(record, place);
        if self.cursors && !record.flags.has(ph_model::LogFlags::CONTEXT) {
            match &mut self.written {
                Some((_, last)) => last.clone_from(&cursor),
                None => self.written = Some((cursor.clone(), cursor.clone())),
            }
        }
        out.line(&Line {
            source,
            ts_ns: record.ts_ns,
            stream: record.stream.as_str(),
            level: None,
            message: &record.message,
            full_bytes: record.full_bytes,
            flags: record.flags,
            restart: record.run,
            cursor: Cursor::Text(&cursor),
            origin: "",
            fields: None,
        })
    }
}

fn of(context: &str, s: &kube_logs::Source) -> Source {
    Source {
        cluster: context.to_owned(),
        namespace: s.namespace.clone(),
        pod: s.pod.clone(),
        pod_uid: s.pod_uid.clone(),
        container: s.container.clone(),
        node: s.node.clone(),
        region: s.region.clone(),
        zone: s.zone.clone(),
        os: s.os.clone(),
        arch: s.arch.clone(),
    }
}

fn gap(kind: &str, source_name: String, text: String) -> LogGap {
    LogGap {
        kind: kind.to_owned(),
        source: None,
        source_name,
        from: None,
        to: None,
        bytes: None,
        lines: None,
        exact: false,
        text,
    }
}

#[cfg(test)]
mod tests;
