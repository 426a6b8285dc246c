//! A table instead of lines: what the stages behind a filter make of them.
//!
//! In:     lines, or a table that a server worked out. Out: aligned columns, JSON, CSV or TSV; remarks on standard error, in JSON beside.
//! Bound:  rows wait until the widths of their columns are known, and no longer.

use std::borrow::Cow;

use ph_api::LogTable;
use ph_filter::Record;
use ph_filter::query::Stage;
use ph_filter::stages::{Evaluation, Frame, Row, Table, Value};
use ph_model::Level;

use super::columns::{padded, quoted, separator};
use super::format::Format;
use super::stamp::{self, Clock, Stamp};
use super::tell;
use crate::commands::logs::line::{Line, Source};
use crate::failure::Failure;

/// Columns of a line where no stage names any.
const COLUMNS: [&str; 5] = ["ts", "pod", "container", "level", "message"];
/// Rows whose widths decide those of their columns.
const WIDTHS: usize = 1_000;
/// No column but the last is wider.
const WIDEST: usize = 60;
/// Digits of a number that people read.
const DIGITS: i32 = 6;

/// Stages at work, and the sheet that they fill.
#[derive(Debug)]
pub struct Staged {
    evaluation: Option<Evaluation>,
    rows: Vec<Row>,
    sheet: Sheet,
}

/// A line with what its source is called.
struct Of<'a> {
    line: &'a Line<'a>,
    source: Option<&'a Source>,
}

impl Record for Of<'_> {
    fn ts_ns(&self) -> i64 {
        self.line.ts_ns
    }
    fn level(&self) -> Level {
        self.line.level()
    }
    fn message(&self) -> &[u8] {
        self.line.message
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let column = self.source.and_then(|s| s.column(name)).filter(|text| !text.is_empty());
        match name {
            "stream" => Some(self.line.stream.into()).filter(|s| s != "unknown"),
            "restart" => Some(self.line.restart.to_string().into()),
            _ if column.is_some() => column.map(Cow::Borrowed),
            _ => match self.line.fields.and_then(|f| f.get(name)) {
                Some(value) => Some(Cow::Borrowed(value)),
                None => {
                    let plain = ph_filter::plain(self.line.message);
                    ph_filter::field(&plain, name).map(|v| Cow::Owned(v.into_owned()))
                }
            },
        }
    }
}

impl Staged {
    /// # Errors
    /// Usage: a stage that has no place where it stands.
    pub fn new(stages: &[Stage], range: (Option<i64>, Option<i64>), sheet: Sheet) -> Result<Self, Failure> {
        let frame = Frame { columns: COLUMNS.map(str::to_owned).to_vec(), from_ns: range.0, to_ns: range.1 };
        let evaluation =
            Evaluation::new(stages, &frame).map_err(|e| Failure::usage(format!("--where: {e}")))?;
        Ok(Self { evaluation: Some(evaluation), rows: Vec::new(), sheet })
    }

    /// Takes a line; true when no further one changes anything.
    pub fn add(
        &mut self,
        line: &Line<'_>,
        source: Option<&Source>,
        (clock, out): (&mut Clock, &mut Vec<u8>),
    ) -> bool {
        let Some(evaluation) = &mut self.evaluation else { return false };
        evaluation.add(&Of { line, source }, &mut self.rows);
        let full = evaluation.is_full();
        if !self.rows.is_empty() {
            self.sheet.columns(evaluation.columns());
        }
        for row in self.rows.drain(..) {
            self.sheet.row(row, (&mut *clock, &mut *out));
        }
        full
    }

    /// Writes what was waited with.
    pub fn finish(&mut self, (clock, out): (&mut Clock, &mut Vec<u8>)) {
        if let Some(evaluation) = self.evaluation.take() {
            self.sheet.table(evaluation.finish(), (clock, out));
        }
    }

    /// Writes a table that was worked out elsewhere, in place of what the stages would make here.
    pub fn told(&mut self, table: LogTable, (clock, out): (&mut Clock, &mut Vec<u8>)) {
        self.evaluation = None;
        self.sheet.table(read(table), (clock, out));
    }
}

/// A server's table: times are times again.
fn read(table: LogTable) -> Table {
    let times: Vec<bool> = table.columns.iter().map(|c| c.kind == "time").collect();
    let cell = |(at, value): (usize, serde_json::Value)| match value {
        serde_json::Value::String(text) if times.get(at) == Some(&true) => {
            crate::commands::logs::agent::ns(&text).map_or(Value::Text(text), Value::Time)
        }
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Number(n) => match (n.as_u64(), n.as_f64()) {
            (Some(count), _) => Value::Count(count),
            (None, Some(number)) => Value::Number(number),
            (None, None) => Value::Absent,
        },
        _ => Value::Absent,
    };
    Table {
        columns: table.columns.iter().map(|c| c.name.clone()).collect(),
        rows: table.rows.into_iter().map(|row| row.into_iter().enumerate().map(cell).collect()).collect(),
        exact: table.exact,
        remarks: table.remarks,
    }
}

/// Rows as they are written.
#[derive(Debug)]
pub struct Sheet {
    format: Format,
    stamp: Stamp,
    header: bool,
    columns: Vec<String>,
    /// Of aligned columns, once they are known.
    widths: Option<Vec<usize>>,
    held: Vec<Vec<(String, bool)>>,
}

impl Sheet {
    pub fn new(format: Format, stamp: Option<Stamp>, header: bool) -> Self {
        let default = if format.is_separated() { Stamp::Default } else { Stamp::Ms };
        Self {
            format,
            stamp: stamp.unwrap_or(default),
            header,
            columns: Vec::new(),
            widths: None,
            held: Vec::new(),
        }
    }

    /// Names of the columns, before the first row.
    fn columns(&mut self, names: &[String]) {
        if self.columns.is_empty() {
            self.columns = names.to_vec();
        }
    }

    fn table(&mut self, table: Table, (clock, out): (&mut Clock, &mut Vec<u8>)) {
        self.columns(&table.columns);
        for row in table.rows {
            self.row(row, (&mut *clock, &mut *out));
        }
        self.settle(out);
        for remark in &table.remarks {
            if self.format.is_json() {
                let text = serde_json::Value::from(remark.as_str());
                let told = format!("{{\"type\":\"remark\",\"exact\":{},\"text\":{text}}}\n", table.exact);
                out.extend_from_slice(told.as_bytes());
            } else {
                // Told even when nobody watches: a script's log of it should show that a number is not all.
                eprintln!("note: {}", tell::tamed(remark));
            }
        }
    }

    fn row(&mut self, row: Row, (clock, out): (&mut Clock, &mut Vec<u8>)) {
        match self.format {
            format if format.is_json() => self.json(&row, out),
            format if format.is_separated() => {
                self.head(out);
                let cells = row.iter().map(|value| self.cell(value, clock)).collect();
                self.separated(cells, out);
            }
            _ => {
                let number = |v: &Value| matches!(v, Value::Count(_) | Value::Number(_));
                let cells: Vec<(String, bool)> =
                    row.iter().map(|v| (self.aligned(v, clock), number(v))).collect();
                match &self.widths {
                    Some(widths) => line(&cells, widths, out),
                    None => self.held.push(cells),
                }
                if self.held.len() >= WIDTHS {
                    self.settle(out);
                }
            }
        }
    }

    fn json(&self, row: &Row, out: &mut Vec<u8>) {
        let value = |value: &Value| match value {
            Value::Absent => serde_json::Value::Null,
            Value::Text(text) => text.as_str().into(),
            Value::Count(n) => (*n).into(),
            Value::Number(n) => (*n).into(),
            Value::Time(ns) => {
                let mut text = Vec::new();
                stamp::utc(*ns, &mut text);
                String::from_utf8_lossy(&text).into_owned().into()
            }
        };
        out.extend_from_slice(b"{\"type\":\"row\",\"values\":{");
        for (at, (name, cell)) in self.columns.iter().zip(row).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let name = serde_json::Value::from(name.as_str());
            out.extend_from_slice(format!("{comma}{name}:{}", value(cell)).as_bytes());
        }
        out.extend_from_slice(b"}}\n");
    }

    /// The line with the columns' names, once.
    fn head(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.header) {
            return;
        }
        if self.format.is_separated() {
            self.separated(self.columns.clone(), out);
        } else if let Some(widths) = &self.widths {
            let names: Vec<(String, bool)> = self.columns.iter().map(|c| (tell::tamed(c), false)).collect();
            line(&names, widths, out);
        }
    }

    fn separated(&self, cells: Vec<String>, out: &mut Vec<u8>) {
        let separator = separator(self.format);
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                out.push(separator);
            }
            quoted(cell.as_bytes(), separator, out);
        }
        out.push(b'\n');
    }

    fn cell(&self, value: &Value, clock: &mut Clock) -> String {
        let Value::Time(ns) = value else { return value.to_string() };
        let mut text = Vec::new();
        clock.write(&self.stamp, *ns, 0, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn aligned(&self, value: &Value, clock: &mut Clock) -> String {
        match value {
            Value::Absent => "-".to_owned(),
            Value::Number(n) => rounded(*n),
            other => tell::tamed(&self.cell(other, clock)),
        }
    }

    /// Writes what waits for the widths of the columns.
    fn settle(&mut self, out: &mut Vec<u8>) {
        if self.format.is_json() {
            return;
        }
        if !self.format.is_separated() && self.widths.is_none() {
            let of = |at: usize| {
                let name = self.columns.get(at).map_or(0, |c| c.chars().count());
                let cells = self.held.iter().filter_map(|row| row.get(at)).map(|(c, _)| c.chars().count());
                cells.chain([name]).max().unwrap_or(0).min(WIDEST)
            };
            self.widths = Some((0..self.columns.len()).map(of).collect());
        }
        self.head(out);
        let held = std::mem::take(&mut self.held);
        for cells in &held {
            line(cells, self.widths.as_deref().unwrap_or_default(), out);
        }
    }
}

/// Numbers stand at the right of their column; nothing is padded behind the last one.
fn line(cells: &[(String, bool)], widths: &[usize], out: &mut Vec<u8>) {
    for (at, ((cell, number), width)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            out.extend_from_slice(b"  ");
        }
        let blank = width.saturating_sub(cell.chars().count());
        match (number, at + 1 == cells.len()) {
            (true, _) => {
                out.resize(out.len() + blank, b' ');
                out.extend_from_slice(cell.as_bytes());
            }
            (false, true) => out.extend_from_slice(cell.as_bytes()),
            (false, false) => padded(cell.as_bytes(), *width, out),
        }
    }
    out.push(b'\n');
}

/// As people read it; CSV and JSON have all of it.
fn rounded(n: f64) -> String {
    if n == 0.0 || !n.is_finite() || (n.fract() == 0.0 && n.abs() < 1e15) {
        return n.to_string();
    }
    let before = n.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from((DIGITS - before).clamp(0, 12)).unwrap_or(0);
    let text = format!("{n:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_have_six_digits() {
        for (n, want) in [
            (0.05, "0.05"),
            (1.0 / 3.0, "0.333333"),
            (2_000.0, "2000"),
            (1234.56789, "1234.57"),
            (0.000_012_345_678, "0.0000123457"),
            (1e6 / 3.0, "333333"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(rounded(n), want);
        }
    }
}
