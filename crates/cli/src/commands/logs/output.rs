//! Lines as people and programs read them. One output for every backend.
//!
//! In:     sources, lines, gaps, markers, the summary. Out: lines on standard output or in a file; words on standard error.
//! Never:  an escape sequence other than a colour reaches a terminal; a gap is hidden unless asked for; a line allocates.

mod ansi;
mod columns;
mod format;
mod group;
mod json;
mod look;
mod mask;
mod pipe;
mod sink;
mod staged;
mod stamp;
mod tell;
mod template;
#[cfg(test)]
mod tests;
mod verdict;

use ph_api::{LogGap, LogMarker, LogSummary, LogTable};
use ph_filter::query::Stage;

use super::line::{Line, Source};
use crate::failure::Outcome;

pub use columns::name as columns_name;
pub use format::{Column, Format};
pub use look::{Around, Look};
pub use sink::Sink;
pub use stamp::{Clock, Stamp, utc};
pub use verdict::End;

/// What was written so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    /// Without context lines.
    pub matches: u64,
    pub gaps: u64,
    pub cut: u64,
}

/// Stops of the output's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    pub matches: Option<u64>,
    pub bytes: Option<u64>,
}

/// One source with what is written of it again and again.
#[derive(Debug)]
struct Named {
    source: Source,
    json: Vec<u8>,
    /// `pod container `, when there is more than one source.
    prefix: Vec<u8>,
    colour: u8,
}

/// Writes what a backend reads.
#[derive(Debug)]
pub struct Output {
    look: Look,
    clock: Clock,
    sink: Sink,
    bounds: Bounds,
    sources: Vec<Named>,
    widths: columns::Widths,
    group: Option<group::Group>,
    mask: Option<mask::Mask>,
    staged: Option<staged::Staged>,
    tally: Tally,
    stopped: Option<&'static str>,
    headed: bool,
    scratch: columns::Scratch,
    now_ns: i64,
}

impl Output {
    pub fn new(look: Look, clock: Clock, (sink, bounds): (Sink, Bounds)) -> Self {
        let group = look.group.then(group::Group::default);
        Self {
            look,
            clock,
            sink,
            bounds,
            sources: Vec::new(),
            widths: columns::Widths::default(),
            group,
            mask: None,
            staged: None,
            tally: Tally::default(),
            stopped: None,
            headed: false,
            scratch: columns::Scratch::default(),
            now_ns: 0,
        }
    }

    /// Masks secrets in what comes from now on; `filter` is what lines were chosen by.
    ///
    /// # Errors
    /// `internal`.
    pub fn redact(&mut self, filter: ph_filter::Compiled) -> Outcome {
        self.mask = Some(mask::Mask::new(filter)?);
        Ok(())
    }

    /// From now on stages make a table of the lines; `range` is the one that was asked for, ns UTC.
    ///
    /// # Errors
    /// Usage: a stage that has no place where it stands.
    pub fn stages(
        &mut self,
        stages: &[Stage],
        range: (Option<i64>, Option<i64>),
        stamp: Option<Stamp>,
    ) -> Outcome {
        let sheet = staged::Sheet::new(self.look.format, stamp, self.look.names);
        self.staged = Some(staged::Staged::new(stages, range, sheet)?);
        Ok(())
    }

    /// Writes a table that a server made of the lines.
    pub fn table(&mut self, table: LogTable) -> Outcome {
        if let Some(staged) = &mut self.staged {
            staged.told(table, (&mut self.clock, self.sink.buffer()));
        }
        Ok(self.sink.settle()?)
    }

    /// From now on indexes of lines are into these. Earlier indexes keep their meaning within one stream.
    pub fn sources(&mut self, sources: Vec<Source>) -> Outcome {
        // Lines that wait are of the sources told before.
        self.release_all()?;
        self.widths = columns::Widths::of(&sources);
        self.sources = sources
            .iter()
            .map(|s| Named {
                json: json::head(s),
                prefix: columns::prefix(s, &sources),
                colour: columns::colour(s),
                source: s.clone(),
            })
            .collect();
        if !self.look.columns_given {
            self.look.drop_empty_columns(&sources);
        }
        Ok(())
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether a stop of the output's own was reached.
    pub fn is_enough(&self) -> bool {
        self.stopped.is_some()
    }

    /// The clock of relative times; ns UTC.
    pub fn at(&mut self, now_ns: i64) {
        self.now_ns = now_ns;
    }

    /// Whether records may be copied as bytes: raw output of everything that comes.
    pub fn is_raw(&self) -> bool {
        self.look.is_exact_raw()
            && self.group.is_none()
            && self.mask.is_none()
            && self.staged.is_none()
            && self.bounds.matches.is_none()
            && self.bounds.bytes.is_none()
    }

    /// One message and LF; only where [`Output::is_raw`].
    pub fn raw(&mut self, message: &[u8]) {
        self.tally.records += 1;
        self.tally.matches += 1;
        let out = self.sink.buffer();
        out.extend_from_slice(message);
        out.push(b'\n');
    }

    /// To be called after each batch of [`Output::raw`].
    pub fn settle(&mut self) -> Outcome {
        Ok(self.sink.settle()?)
    }

    /// One line, unless a stop was reached.
    pub fn line(&mut self, line: &Line<'_>) -> Outcome {
        let Some(mut mask) = self.mask.take() else { return self.grouped(line) };
        let passed = mask.pass(line, |line| self.grouped(line));
        self.mask = Some(mask);
        passed.unwrap_or(Ok(()))
    }

    fn grouped(&mut self, line: &Line<'_>) -> Outcome {
        let Some(group) = &mut self.group else { return self.write(line) };
        let ready = group.add(line);
        for held in ready {
            held.with_line(|line| self.write(line))?;
        }
        Ok(())
    }

    fn release_all(&mut self) -> Outcome {
        let Some(group) = &mut self.group else { return Ok(()) };
        for held in group.take_all() {
            held.with_line(|line| self.write(line))?;
        }
        Ok(())
    }

    fn write(&mut self, line: &Line<'_>) -> Outcome {
        let context = line.is_context();
        let over = self.bounds.matches.is_some_and(|most| self.tally.matches >= most && !context);
        if over {
            self.stopped = self.stopped.or(Some("rows"));
        }
        if self.bounds.bytes.is_some_and(|most| self.sink.bytes() >= most) {
            self.stopped = self.stopped.or(Some("bytes"));
        }
        if self.stopped.is_some() {
            return Ok(());
        }
        self.tally.records += 1;
        self.tally.matches += u64::from(!context);
        self.tally.cut += u64::from(line.full_bytes > 0);
        if let Some(staged) = &mut self.staged {
            let source = self.sources.get(line.source).map(|n| &n.source);
            if !context && staged.add(line, source, (&mut self.clock, self.sink.buffer())) {
                self.stopped = Some("rows");
            }
            return Ok(self.sink.settle()?);
        }
        if !std::mem::replace(&mut self.headed, true) {
            columns::header(&self.look, &self.widths, self.sink.buffer());
        }
        let named = self.sources.get(line.source);
        let mut place = columns::Place {
            look: &self.look,
            clock: &mut self.clock,
            widths: &self.widths,
            scratch: &mut self.scratch,
            now_ns: self.now_ns,
        };
        place.record(line, named, self.sink.buffer());
        Ok(self.sink.settle()?)
    }

    /// Something is missing.
    pub fn gap(&mut self, gap: &LogGap) -> Outcome {
        self.tally.gaps += 1;
        if !self.look.gaps {
            return Ok(());
        }
        if self.look.format.is_json() {
            return self.object("gap", gap.source, gap);
        }
        self.flush()?;
        // Told even when nobody watches: a script's log of it should show that something is missing.
        eprintln!("{}", tell::gap(gap));
        Ok(())
    }

    /// Something happened to a container.
    pub fn marker(&mut self, marker: &LogMarker) -> Outcome {
        if !self.look.shows_marker(&marker.kind) {
            return Ok(());
        }
        if self.look.format.is_json() {
            return self.object("marker", Some(marker.source), marker);
        }
        self.flush()?;
        let name =
            self.sources.get(marker.source as usize).map_or_else(String::new, |n| columns::name(&n.source));
        let text = tell::marker(&name, marker);
        if marker.kind == "waiting" {
            // A script's log of an empty answer should show why it is empty.
            eprintln!("{text}");
        } else {
            super::notice(&text);
        }
        Ok(())
    }

    /// Writes what has gathered.
    pub fn flush(&mut self) -> Outcome {
        self.release_all()?;
        Ok(self.sink.flush()?)
    }

    /// Writes lines that were made elsewhere: counts.
    pub fn text(&mut self, text: &str) -> Outcome {
        self.sink.buffer().extend_from_slice(text.as_bytes());
        Ok(self.sink.settle()?)
    }

    /// Lines were counted instead of written.
    pub fn counted(&mut self, matches: u64) {
        self.tally.records += matches;
        self.tally.matches += matches;
    }

    /// Whether several lines may become one record.
    pub fn is_grouped(&self) -> bool {
        self.group.is_some()
    }

    /// Whether a terminal shows it.
    pub fn is_terminal(&self) -> bool {
        self.look.terminal
    }

    /// Whether counts are written as JSON.
    pub fn is_json(&self) -> bool {
        self.look.format.is_json()
    }

    pub fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// The last thing that is written; what the command ends with.
    pub fn finish(&mut self, summary: &LogSummary, end: End) -> Outcome {
        self.release_all()?;
        let failed = matches!(end, End::Failed(_)) && self.tally.records == 0;
        if let Some(staged) = self.staged.as_mut().filter(|_| !failed) {
            staged.finish((&mut self.clock, self.sink.buffer()));
        }
        let summary = LogSummary {
            stopped: self.stopped.map_or_else(|| end.stopped(&summary.stopped), str::to_owned),
            gaps: summary.gaps.max(self.tally.gaps),
            cut_lines: summary.cut_lines.max(self.tally.cut),
            redactions: match &self.mask {
                Some(mask) => mask.counts(),
                None => summary.redactions.clone(),
            },
            ..summary.clone()
        };
        if self.look.format.is_json() && self.look.json_summary {
            self.object("summary", None, &summary)?;
        }
        self.sink.finish()?;
        if self.look.stats && !self.look.format.is_json() {
            eprintln!("{}", tell::summary(&summary, self.tally));
        }
        verdict::outcome(&self.look.verdict, (&summary, self.tally), end)
    }

    /// The contract's own fields, with the type, and the names of the source in place of its index.
    fn object(&mut self, kind: &str, source: Option<u32>, of: &impl serde::Serialize) -> Outcome {
        self.release_all()?;
        let value = serde_json::to_value(of)?;
        let out = self.sink.buffer();
        out.extend_from_slice(format!("{{\"type\":\"{kind}\"").as_bytes());
        if let Some(named) = source.and_then(|s| self.sources.get(s as usize)) {
            out.extend_from_slice(&named.json);
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            let index = key == "source" && value.is_number();
            if key == "type" || index || value.is_null() {
                continue;
            }
            out.extend_from_slice(format!(",\"{key}\":{value}").as_bytes());
        }
        out.extend_from_slice(b"}\n");
        Ok(self.sink.settle()?)
    }
}

/// Text of the outside as a terminal may show it.
pub fn shown(text: &str) -> String {
    tell::tamed(text)
}
