//! Records as text or as JSON lines.
//!
//! Never:  an escape sequence other than a colour reaches a terminal; a gap is hidden.

use std::io::{BufWriter, StdoutLock, Write};

use ph_api::{LogGap, LogMarker, LogRecord, LogSource, LogSummary};
use serde_json::{Value, json};

use super::notice;
use crate::failure::Outcome;
use crate::out;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Writes records as they come.
pub struct Printer {
    out: BufWriter<StdoutLock<'static>>,
    format: Format,
    timestamps: bool,
    escapes: Escapes,
    sources: Vec<LogSource>,
    /// Lines so far, for the summary.
    lines: u64,
}

/// What becomes of escape sequences in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    /// Not a terminal: bytes as they are.
    Keep,
    /// A terminal: colours alone.
    Colours,
    /// A terminal without colours.
    None,
}

impl Printer {
    pub fn new(format: Format, timestamps: bool) -> Self {
        let escapes = match (out::is_terminal(), out::colours()) {
            (false, _) => Escapes::Keep,
            (true, true) => Escapes::Colours,
            (true, false) => Escapes::None,
        };
        Self { out: out::stdout(), format, timestamps, escapes, sources: Vec::new(), lines: 0 }
    }

    /// From now on indexes of records are into these.
    pub fn sources(&mut self, sources: Vec<LogSource>) {
        self.sources = sources;
    }

    pub fn records(&mut self, records: &[LogRecord]) -> Outcome {
        for record in records {
            self.lines += 1;
            match self.format {
                Format::Text => self.text(record)?,
                Format::Json => {
                    let object = self.object("record", record.source, record);
                    self.line(&object)?;
                }
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn text(&mut self, r: &LogRecord) -> Outcome {
        if self.timestamps {
            write!(self.out, "{} ", r.ts)?;
        }
        if self.sources.len() > 1 {
            write!(self.out, "{} ", self.prefix(r.source))?;
        }
        match self.escapes {
            Escapes::Keep => self.out.write_all(r.message.as_bytes())?,
            Escapes::Colours => self.out.write_all(tame(&r.message, true).as_bytes())?,
            Escapes::None => self.out.write_all(tame(&r.message, false).as_bytes())?,
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// Pod and container; cluster and namespace before them where they differ among the sources.
    fn prefix(&self, index: u32) -> String {
        let Some(source) = self.sources.get(index as usize) else { return format!("source {index}") };
        let differs =
            |field: fn(&LogSource) -> &String| self.sources.iter().any(|s| field(s) != field(source));
        let mut text = String::new();
        if differs(|s| &s.cluster) {
            text.push_str(&format!("{}@", source.cluster));
        }
        if differs(|s| &s.namespace) && !source.namespace.is_empty() {
            text.push_str(&format!("{}:", source.namespace));
        }
        if !source.pod.is_empty() {
            text.push_str(&format!("{} ", source.pod));
        }
        text.push_str(&source.container);
        text
    }

    pub fn gap(&mut self, gap: &LogGap) -> Outcome {
        if self.format == Format::Json {
            let object = self.object("gap", gap.source.unwrap_or(u32::MAX), gap);
            self.line(&object)?;
            self.out.flush()?;
        }
        // Told on stderr even when nobody watches: a script's log of it should show that something is missing.
        let name = if gap.source_name.is_empty() { String::new() } else { format!(" {}", gap.source_name) };
        eprintln!("gap{name}: {}", tame(&gap.text, false));
        Ok(())
    }

    pub fn marker(&mut self, marker: &LogMarker) -> Outcome {
        if self.format == Format::Json {
            let object = self.object("marker", marker.source, marker);
            self.line(&object)?;
            self.out.flush()?;
            return Ok(());
        }
        let code = marker.exit_code.map_or_else(String::new, |c| format!(", exit code {c}"));
        let reason = if marker.reason.is_empty() {
            String::new()
        } else {
            format!(", {}", tame(&marker.reason, false))
        };
        notice(&format!("-- {} {}{code}{reason}", self.prefix(marker.source), marker.kind));
        Ok(())
    }

    /// The last thing that is printed.
    pub fn summary(&mut self, summary: &LogSummary) -> Outcome {
        if self.format == Format::Json {
            let object = self.object("summary", u32::MAX, summary);
            self.line(&object)?;
        }
        self.out.flush()?;
        if summary.completeness == "incomplete" {
            notice(&format!(
                "-- {} lines; incomplete: {} gaps, stopped by {}",
                self.lines, summary.gaps, summary.stopped
            ));
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Outcome {
        self.out.flush()?;
        Ok(())
    }

    fn line(&mut self, object: &Value) -> Outcome {
        writeln!(self.out, "{object}")?;
        Ok(())
    }

    /// The contract's own fields, with the type and the names of the source in place of its index.
    fn object(&self, kind: &str, source: u32, of: &impl serde::Serialize) -> Value {
        let mut object = json!({"type": kind});
        let own = serde_json::to_value(of).unwrap_or_default();
        if let (Some(to), Value::Object(fields)) = (object.as_object_mut(), own) {
            to.extend(fields);
            to.insert("type".into(), kind.into());
            if let Some(s) = self.sources.get(source as usize) {
                to.remove("source");
                for (key, value) in [
                    ("cluster", &s.cluster),
                    ("namespace", &s.namespace),
                    ("pod", &s.pod),
                    ("pod_uid", &s.pod_uid),
                    ("container", &s.container),
                    ("node", &s.node),
                ] {
                    to.insert(key.into(), value.as_str().into());
                }
            }
        }
        object
    }
}

/// A message that a terminal can be shown: no control characters, no escape sequences except, where wanted, colours.
/// A colour ends with its line. Source: ECMA-48.
fn tame(text: &str, colours: bool) -> String {
    if !text.contains(|c: char| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut coloured = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.peek() {
                Some('[') => {
                    chars.next();
                    let mut body = String::new();
                    let end = loop {
                        match chars.next() {
                            Some(c @ '\u{40}'..='\u{7e}') => break Some(c),
                            Some(c @ '\u{20}'..='\u{3f}') => body.push(c),
                            _ => break None,
                        }
                    };
                    let plain = body.chars().all(|c| c.is_ascii_digit() || matches!(c, ';' | ':'));
                    if colours && end == Some('m') && plain {
                        out.push_str(&format!("\u{1b}[{body}m"));
                        coloured = true;
                    }
                }
                // Commands to the operating system and other strings end with BEL or ESC \.
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}'
                            || c == '\u{9c}'
                            || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some())
                        {
                            break;
                        }
                    }
                }
                Some(_) => drop(chars.next()),
                None => {}
            },
            '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    if coloured {
        out.push_str("\u{1b}[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::tame;

    fn check(text: &str, colours: &str, plain: &str) {
        assert_eq!(tame(text, true), colours, "{text:?}");
        assert_eq!(tame(text, false), plain, "{text:?}");
    }

    #[test]
    fn colours_stay_and_all_else_that_moves_a_terminal_goes() {
        check("plain\tline", "plain\tline", "plain\tline");
        check("\u{1b}[31mred", "\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}[2Jgone\u{1b}[1;1H", "gone", "gone");
        check("\u{1b}]0;title\u{7}x\u{1b}]52;c;Zm9v\u{1b}\\y", "xy", "xy");
        check("over\rwritten\u{8}", "overwritten", "overwritten");
        check("\u{1b}[?25lx\u{1b}", "x", "x");
        check("c1 \u{9b}31m", "c1 31m", "c1 31m");
    }
}
