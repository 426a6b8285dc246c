//! One record in each of the outputs that are not JSON.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::ansi::{self, Ansi};
use super::format::{Column, Format};
use super::look::Look;
use super::stamp::{Clock, Stamp};
use super::template::{Part, Piece};
use super::{Named, json};
use crate::commands::logs::line::{Line, Source};

/// Colours of containers, of the terminal's 256: told apart on light and dark ground.
const PALETTE: [u8; 12] = [33, 36, 64, 70, 98, 130, 134, 161, 166, 168, 172, 31];
/// Columns do not get wider than this for one long name.
const WIDEST: usize = 48;

/// Widths of columns, from the sources.
#[derive(Debug, Default)]
pub struct Widths(Vec<(Column, usize)>);

/// Buffers that are kept between records.
#[derive(Debug, Default)]
pub struct Scratch {
    marks: Vec<Range<usize>>,
    message: Vec<u8>,
    cell: Vec<u8>,
}

/// What a record is written with.
pub struct Place<'a> {
    pub look: &'a Look,
    pub clock: &'a mut Clock,
    pub widths: &'a Widths,
    pub scratch: &'a mut Scratch,
    pub now_ns: i64,
}

type Of = fn(&Source) -> &String;

/// The part of a source that a column shows; `None` when the column shows something of the line.
pub fn of_source(column: Column) -> Option<Of> {
    Some(match column {
        Column::Cluster => |s| &s.cluster,
        Column::Node => |s| &s.node,
        Column::Region => |s| &s.region,
        Column::Zone => |s| &s.zone,
        Column::Os => |s| &s.os,
        Column::Arch => |s| &s.arch,
        Column::Namespace => |s| &s.namespace,
        Column::Pod => |s| &s.pod,
        Column::Container => |s| &s.container,
        _ => return None,
    })
}

impl Widths {
    pub fn of(sources: &[Source]) -> Self {
        let columns = [
            Column::Cluster,
            Column::Node,
            Column::Region,
            Column::Zone,
            Column::Os,
            Column::Arch,
            Column::Namespace,
            Column::Pod,
            Column::Container,
        ];
        let width = |c: Column| {
            let part = of_source(c)?;
            sources
                .iter()
                .map(|s| part(s).chars().count())
                .max()
                .map(|w| (c, w.clamp(c.name().len(), WIDEST)))
        };
        Self(columns.into_iter().filter_map(width).collect())
    }

    fn get(&self, column: Column, stamp: &Stamp) -> usize {
        match column {
            Column::Timestamp => stamp.width(),
            Column::Dot => 1,
            Column::Restart | Column::Position => 7,
            Column::Stream => 7,
            Column::Level => 7,
            _ => self.0.iter().find(|(c, _)| *c == column).map_or(0, |(_, w)| *w),
        }
    }
}

/// The line with the columns' names, where there is one.
pub fn header(look: &Look, widths: &Widths, out: &mut Vec<u8>) {
    if !look.header {
        return;
    }
    let shown = |c: &&Column| **c != Column::Dot && !(**c == Column::Timestamp && look.stamp == Stamp::None);
    if look.format.is_separated() {
        let separator = separator(look.format);
        for column in look.columns.iter().filter(shown) {
            out.extend_from_slice(column.name().as_bytes());
            out.push(separator);
        }
        out.extend_from_slice(b"message\n");
        return;
    }
    for column in &look.columns {
        if !shown(&column) && *column == Column::Timestamp {
            continue;
        }
        let name = if *column == Column::Dot { String::new() } else { column.name().to_uppercase() };
        padded(name.as_bytes(), widths.get(*column, &look.stamp), out);
        out.push(b' ');
    }
    out.extend_from_slice(b"MESSAGE\n");
}

impl Place<'_> {
    /// Appends one record with its line's end.
    pub fn record(&mut self, line: &Line<'_>, named: Option<&Named>, out: &mut Vec<u8>) {
        let look = self.look;
        let head = named.map_or(&[][..], |n| &n.json);
        match look.format {
            Format::Json => json::record(line, head, (json::Message::Text, &look.fields), out),
            Format::Extjson => json::record(line, head, (json::Message::Embedded, &look.fields), out),
            Format::Ppextjson => {
                self.scratch.cell.clear();
                json::record(line, head, (json::Message::Embedded, &look.fields), &mut self.scratch.cell);
                json::indented(&self.scratch.cell, out);
            }
            Format::Raw => self.message(line, 0, out),
            Format::Csv | Format::Tsv => self.separated(line, named, out),
            Format::Text => {
                let from = out.len();
                if look.stamp != Stamp::None {
                    self.clock.write(&look.stamp, line.ts_ns, self.now_ns, out);
                    out.push(b' ');
                }
                out.extend_from_slice(named.map_or(&[][..], |n| &n.prefix));
                let indent = visible(out.get(from..).unwrap_or_default());
                self.message(line, indent, out);
            }
            Format::Table => {
                let from = out.len();
                for column in &look.columns {
                    self.cell(*column, (line, named), out);
                }
                let indent = visible(out.get(from..).unwrap_or_default());
                self.message(line, indent, out);
            }
            Format::Template => self.template(line, named, out),
        }
        out.push(b'\n');
    }

    /// The message, or the fields that stand in for it.
    fn message(&mut self, line: &Line<'_>, indent: usize, out: &mut Vec<u8>) {
        let Scratch { marks, message, cell } = &mut *self.scratch;
        marks.clear();
        message.clear();
        for name in &self.look.fields {
            if let Some(value) = line.field(name) {
                if !message.is_empty() {
                    message.push(b' ');
                }
                message.extend_from_slice(name.as_bytes());
                message.push(b'=');
                message.extend_from_slice(value.as_bytes());
            }
        }
        let text: &[u8] = if message.is_empty() { line.message } else { message };
        // A CR before the line's end is content; shown it would be a control.
        let text = match self.look.ansi {
            Ansi::Exact => text,
            _ => text.strip_suffix(b"\r").unwrap_or(text),
        };
        if let (Some(wanted), false) = (&self.look.marks, line.is_context()) {
            wanted.highlights(text, marks);
        }
        let folded = self.look.wrap.is_some() || (indent > 0 && text.contains(&b'\n'));
        if !folded {
            ansi::write(text, marks, self.look.ansi, out);
            return;
        }
        cell.clear();
        ansi::write(text, marks, self.look.ansi, cell);
        wrapped(cell, (self.look.wrap, indent), out);
    }

    fn cell(&mut self, column: Column, (line, named): (&Line<'_>, Option<&Named>), out: &mut Vec<u8>) {
        let look = self.look;
        if column == Column::Timestamp && look.stamp == Stamp::None {
            return;
        }
        let width = self.widths.get(column, &look.stamp);
        let colour = named.map_or(0, |n| n.colour);
        match column {
            Column::Dot => {
                colored(look.colours.then_some(colour), out, |out| out.extend_from_slice("●".as_bytes()));
                out.push(b' ');
                return;
            }
            Column::Level if look.colours => {
                let level = line.level();
                colored(level_colour(level), out, |out| padded(level.as_str().as_bytes(), width, out));
                out.push(b' ');
                return;
            }
            _ => {}
        }
        self.scratch.cell.clear();
        let mut cell = std::mem::take(&mut self.scratch.cell);
        self.plain(column, (line, named), &mut cell);
        padded(&cell, width, out);
        out.push(b' ');
        self.scratch.cell = cell;
    }

    /// A column's text, as it stands in csv.
    fn plain(&mut self, column: Column, (line, named): (&Line<'_>, Option<&Named>), out: &mut Vec<u8>) {
        match column {
            Column::Timestamp => self.clock.write(&self.look.stamp, line.ts_ns, self.now_ns, out),
            Column::Dot => {}
            Column::Restart => json::number(u64::from(line.restart), out),
            Column::Stream => out.extend_from_slice(line.stream.as_bytes()),
            Column::Level => out.extend_from_slice(line.level().as_str().as_bytes()),
            Column::Position => line.cursor.write(out),
            of => {
                if let (Some(part), Some(named)) = (of_source(of), named) {
                    ansi::write(part(&named.source).as_bytes(), &[], Ansi::Strip, out);
                }
            }
        }
    }

    fn separated(&mut self, line: &Line<'_>, named: Option<&Named>, out: &mut Vec<u8>) {
        let look = self.look;
        let separator = separator(look.format);
        let mut cell = std::mem::take(&mut self.scratch.cell);
        for column in look.columns.iter().filter(|c| **c != Column::Dot) {
            if *column == Column::Timestamp && look.stamp == Stamp::None {
                continue;
            }
            cell.clear();
            self.plain(*column, (line, named), &mut cell);
            quoted(&cell, separator, out);
            out.push(separator);
        }
        cell.clear();
        let mut text = Vec::new();
        self.scratch.cell = cell;
        self.message(line, 0, &mut text);
        quoted(&text, separator, out);
    }

    fn template(&mut self, line: &Line<'_>, named: Option<&Named>, out: &mut Vec<u8>) {
        let look = self.look;
        let from = out.len();
        for piece in &look.template {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Time(stamp) => self.clock.write(stamp, line.ts_ns, self.now_ns, out),
                Piece::Part { part: Part::Message, width: 0 } => {
                    let indent = visible(out.get(from..).unwrap_or_default());
                    self.message(line, indent, out);
                }
                Piece::Part { part, width } => {
                    let mut cell = Vec::new();
                    self.part(part, (line, named), &mut cell);
                    let colour = named.filter(|_| look.colours && *part == Part::Dot).map(|n| n.colour);
                    colored(colour, out, |out| padded(&cell, *width, out));
                }
            }
        }
    }

    fn part(&mut self, part: &Part, (line, named): (&Line<'_>, Option<&Named>), out: &mut Vec<u8>) {
        let column = match part {
            Part::Message => return self.message(line, 0, out),
            Part::Dot => return out.extend_from_slice("●".as_bytes()),
            Part::PodUid => {
                return out.extend_from_slice(named.map_or("", |n| n.source.pod_uid.as_str()).as_bytes());
            }
            Part::Flags => {
                let names: Vec<&str> = line.flags.names().collect();
                return out.extend_from_slice(names.join(",").as_bytes());
            }
            Part::Field(name) => {
                let value = line.field(name).unwrap_or_default();
                return ansi::write(value.as_bytes(), &[], self.look.ansi, out);
            }
            Part::Cluster => Column::Cluster,
            Part::Node => Column::Node,
            Part::Region => Column::Region,
            Part::Zone => Column::Zone,
            Part::Os => Column::Os,
            Part::Arch => Column::Arch,
            Part::Namespace => Column::Namespace,
            Part::Pod => Column::Pod,
            Part::Container => Column::Container,
            Part::Restart => Column::Restart,
            Part::Stream => Column::Stream,
            Part::Level => Column::Level,
            Part::Cursor => Column::Position,
        };
        self.plain(column, (line, named), out);
    }
}

/// `pod container `; cluster and namespace before them where they differ among the sources; nothing for one source.
pub fn prefix(source: &Source, all: &[Source]) -> Vec<u8> {
    if all.len() < 2 {
        return Vec::new();
    }
    let differs = |field: Of| all.iter().any(|s| field(s) != field(source));
    let mut text = String::new();
    if differs(|s| &s.cluster) {
        text.push_str(&format!("{}@", source.cluster));
    }
    if differs(|s| &s.namespace) && !source.namespace.is_empty() {
        text.push_str(&format!("{}:", source.namespace));
    }
    text.push_str(&name(source));
    let mut out = Vec::new();
    ansi::write(text.as_bytes(), &[], Ansi::Strip, &mut out);
    out.push(b' ');
    out
}

/// Pod and container.
pub fn name(source: &Source) -> String {
    match (source.pod.is_empty(), source.container.is_empty()) {
        (false, false) => format!("{} {}", source.pod, source.container),
        (true, _) => source.container.clone(),
        (_, true) => source.pod.clone(),
    }
}

/// The same container has the same colour each time.
pub fn colour(source: &Source) -> u8 {
    let text =
        [&source.cluster, &source.namespace, &source.pod, &source.container].map(String::as_str).join("/");
    let hash = xxh3_64(text.as_bytes());
    PALETTE.get((hash % PALETTE.len() as u64) as usize).copied().unwrap_or_default()
}

fn level_colour(level: ph_model::Level) -> Option<u8> {
    use ph_model::Level;
    match level {
        Level::Fatal | Level::Error => Some(160),
        Level::Warn => Some(172),
        Level::Info => Some(34),
        Level::Debug | Level::Trace => Some(244),
        Level::Unknown => None,
    }
}

fn colored(colour: Option<u8>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let Some(colour) = colour else { return write(out) };
    out.extend_from_slice(format!("\x1b[38;5;{colour}m").as_bytes());
    write(out);
    out.extend_from_slice(b"\x1b[0m");
}

pub(super) fn padded(text: &[u8], width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    let have = visible(text);
    out.resize(out.len() + width.saturating_sub(have), b' ');
}

/// Characters that a terminal shows of text whose only sequences are colours.
fn visible(text: &[u8]) -> usize {
    let mut count = 0;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == 0x1b {
            bytes.by_ref().find(|b| **b == b'm');
        } else if byte & 0xc0 != 0x80 {
            count += 1;
        }
    }
    count
}

/// Breaks tamed text at the terminal's width; what goes on begins below the first.
fn wrapped(text: &[u8], (width, indent): (Option<usize>, usize), out: &mut Vec<u8>) {
    // On a narrow terminal the message begins at the left.
    let indent = if width.is_some_and(|w| indent + 20 > w) { 0 } else { indent };
    let room = width.map_or(usize::MAX, |w| w.saturating_sub(indent).max(20));
    let mut used = 0;
    let mut rest = text;
    while let Some(byte) = rest.first() {
        let length = match byte {
            0x1b => rest.iter().position(|b| *b == b'm').map_or(rest.len(), |i| i + 1),
            _ => 1 + rest.iter().skip(1).take_while(|b| *b & 0xc0 == 0x80).count(),
        };
        if *byte == b'\n' || (*byte != 0x1b && used == room) {
            out.push(b'\n');
            out.resize(out.len() + indent, b' ');
            used = 0;
        }
        if *byte != b'\n' {
            out.extend_from_slice(rest.get(..length).unwrap_or_default());
            used += usize::from(*byte != 0x1b);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

pub(super) fn separator(format: Format) -> u8 {
    if format == Format::Tsv { b'\t' } else { b',' }
}

/// RFC 4180; what a spreadsheet would take for a formula gets a `'`.
pub(super) fn quoted(cell: &[u8], separator: u8, out: &mut Vec<u8>) {
    let formula = matches!(cell.first(), Some(b'=' | b'+' | b'-' | b'@'));
    let quote = cell.iter().any(|b| matches!(b, b'"' | b'\n' | b'\r') || *b == separator);
    if quote {
        out.push(b'"');
    }
    if formula {
        out.push(b'\'');
    }
    for byte in cell {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    if quote {
        out.push(b'"');
    }
}
