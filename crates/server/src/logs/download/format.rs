//! Lines as text, JSON, csv and tsv.
//!
//! Never: a cell that a spreadsheet would run; a control sequence from a log, unless it was asked for.

use ph_api::LogSource;
use serde_json::json;

use super::super::record::{Record, json as record_json};
use super::super::token::Cursor;

/// Columns of csv and tsv. Any key of the message is one as `field:KEY`.
pub const COLUMNS: [&str; 14] = [
    "timestamp",
    "cluster",
    "namespace",
    "workload",
    "pod",
    "pod_uid",
    "container",
    "node",
    "restart",
    "stream",
    "level",
    "message",
    "position",
    "cursor",
];
const DEFAULT: [&str; 7] = ["timestamp", "cluster", "namespace", "pod", "container", "level", "message"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Csv,
    Tsv,
}

impl Format {
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            _ => return None,
        })
    }

    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "ndjson",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Tsv => "text/tab-separated-values; charset=utf-8",
        }
    }
}

/// How lines are written.
#[derive(Clone, Debug)]
pub struct Style {
    pub format: Format,
    pub ansi: bool,
    pub columns: Vec<String>,
    pub fields: Vec<String>,
    /// Text names the container of each line when there are several.
    pub named: bool,
}

impl Style {
    pub fn columns(asked: &[String]) -> Vec<String> {
        if asked.is_empty() { DEFAULT.map(str::to_owned).to_vec() } else { asked.to_vec() }
    }

    /// The first line of tables.
    pub fn header(&self, out: &mut Vec<u8>) {
        if matches!(self.format, Format::Csv | Format::Tsv) {
            self.cells(self.columns.iter().map(|c| c.as_bytes().to_vec()), out);
        }
    }

    pub fn record(&self, r: &Record, (source, cursor): (&LogSource, &Cursor), out: &mut Vec<u8>) {
        let shown = record_json(r, cursor, &self.fields);
        match self.format {
            Format::Json => {
                let mut line = json!({
                    "type": "record",
                    "cluster": source.cluster,
                    "namespace": source.namespace,
                    "pod": source.pod,
                    "pod_uid": source.pod_uid,
                    "container": source.container,
                    "node": source.node,
                });
                if let (Some(line), Ok(serde_json::Value::Object(mut of))) =
                    (line.as_object_mut(), serde_json::to_value(&shown))
                {
                    of.remove("source");
                    line.append(&mut of);
                }
                self.line(&line, out);
            }
            Format::Text => {
                out.extend_from_slice(shown.ts.as_bytes());
                out.push(b' ');
                if self.named {
                    let name = format!("{}/{}/{} ", source.namespace, source.pod, source.container);
                    out.extend_from_slice(name.as_bytes());
                }
                out.extend_from_slice(&self.message(&r.message));
                out.push(b'\n');
            }
            Format::Csv | Format::Tsv => {
                let cell = |c: &String| -> Vec<u8> {
                    match c.as_str() {
                        "timestamp" => shown.ts.clone().into(),
                        "cluster" => source.cluster.clone().into(),
                        "namespace" => source.namespace.clone().into(),
                        "workload" => source.workload.clone().into(),
                        "pod" => source.pod.clone().into(),
                        "pod_uid" => source.pod_uid.clone().into(),
                        "container" => source.container.clone().into(),
                        "node" => source.node.clone().into(),
                        "restart" => shown.restart.to_string().into(),
                        "stream" => shown.stream.clone().into(),
                        "level" => shown.level.clone().into(),
                        "message" => self.message(&r.message),
                        "position" => format!("{:032x}:{}", r.position.segment_key, r.position.offset).into(),
                        "cursor" => shown.cursor.clone().into(),
                        other => {
                            let key = other.strip_prefix("field:").unwrap_or(other);
                            ph_filter::field(&r.message, key).map_or_else(Vec::new, |v| v.into_owned().into())
                        }
                    }
                };
                self.cells(self.columns.iter().map(cell), out);
            }
        }
    }

    /// Something that is no record: a gap, the summary. Text and tables have it behind `#`.
    pub fn note(&self, value: &serde_json::Value, out: &mut Vec<u8>) {
        if self.format != Format::Json {
            out.extend_from_slice(b"# ");
        }
        self.line(value, out);
    }

    fn line(&self, value: &serde_json::Value, out: &mut Vec<u8>) {
        out.extend_from_slice(value.to_string().as_bytes());
        out.push(b'\n');
    }

    fn message(&self, bytes: &[u8]) -> Vec<u8> {
        if self.ansi { bytes.to_vec() } else { strip(bytes) }
    }

    fn cells(&self, cells: impl Iterator<Item = Vec<u8>>, out: &mut Vec<u8>) {
        let between = if self.format == Format::Tsv { b'\t' } else { b',' };
        for (i, mut cell) in cells.enumerate() {
            if i > 0 {
                out.push(between);
            }
            if cell.first().is_some_and(|b| b"=+-@\t\r".contains(b)) {
                cell.insert(0, b'\'');
            }
            if cell.iter().any(|b| *b == between || b"\"\r\n".contains(b)) {
                out.push(b'"');
                for b in cell {
                    if b == b'"' {
                        out.push(b'"');
                    }
                    out.push(b);
                }
                out.push(b'"');
            } else {
                out.extend_from_slice(&cell);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Without terminal sequences: CSI, OSC and other escapes.
fn strip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(b) = rest.next() {
        if b != 0x1b {
            out.push(b);
            continue;
        }
        match rest.next() {
            Some(b'[') => while rest.next().is_some_and(|b| !(0x40..=0x7e).contains(&b)) {},
            Some(b']' | b'P' | b'X' | b'^' | b'_') => {
                while let Some(b) = rest.next() {
                    if b == 0x07 || (b == 0x1b && rest.next_if_eq(&b'\\').is_some()) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! Quoting, guarding, stripping.

    use super::*;

    fn style(format: Format) -> Style {
        Style { format, ansi: false, columns: Vec::new(), fields: Vec::new(), named: false }
    }

    fn row(format: Format, cells: &[&str]) -> String {
        let mut out = Vec::new();
        style(format).cells(cells.iter().map(|c| c.as_bytes().to_vec()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        assert_eq!(
            row(Format::Csv, &["a,b", "say \"x\"", "=1+1", "-5", "ok"]),
            "\"a,b\",\"say \"\"x\"\"\",'=1+1,'-5,ok\r\n"
        );
        assert_eq!(row(Format::Tsv, &["a,b", "c\td", "@x"]), "a,b\t\"c\td\"\t'@x\r\n");
        assert_eq!(row(Format::Csv, &["two\nlines"]), "\"two\nlines\"\r\n");
    }

    #[test]
    fn escapes_are_taken_out() {
        let text = b"\x1b[31mred\x1b[0m \x1b]0;title\x07plain \x1b]8;;u\x1b\\link";
        assert_eq!(strip(text), b"red plain link");
        assert_eq!(strip(b"cut \x1b["), b"cut ");
    }
}
