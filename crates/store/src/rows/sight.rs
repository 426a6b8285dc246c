//! A batch as a filter sees it, with what the filter asks for looked up once instead of for each row.
//!
//! Out:    the same as [`RowView`] says of each row.

use std::borrow::Cow;

use arrow::array::{Array, BinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array};
use ph_filter::{Record, Unit};
use ph_model::{Level, Signal};

use super::TS;
use super::view::{RowView, column_name, message_column};

/// See the module's description.
pub(crate) struct Sight<'a> {
    signal: Signal,
    batch: &'a RecordBatch,
    ts: Option<&'a Int64Array>,
    level: Option<&'a UInt8Array>,
    message: Message<'a>,
    fields: Vec<Known<'a>>,
}

enum Message<'a> {
    Bytes(&'a BinaryArray),
    Text(&'a StringArray),
    None,
}

/// A field that the filter names.
struct Known<'a> {
    name: &'a str,
    unit: Unit,
    lies: Lies<'a>,
}

/// Where a field lies.
enum Lies<'a> {
    /// In a column of text, where nothing and the empty text are the same.
    Text(&'a StringArray),
    /// In an attribute's own column; rows that lack it may have the field elsewhere.
    Own(&'a StringArray),
    Elsewhere,
}

/// One row of it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    sight: &'a Sight<'a>,
    row: usize,
}

impl<'a> Sight<'a> {
    /// `names`: the fields that will be asked for; others are found as well, with more work.
    pub fn of(signal: Signal, batch: &'a RecordBatch, names: &'a [String]) -> Self {
        fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Option<&'a T> {
            batch.column_by_name(name)?.as_any().downcast_ref()
        }
        let is_log = !matches!(signal, Signal::Spans | Signal::Events);
        let message = message_column(signal);
        let message = match (column(batch, message), column(batch, message)) {
            (Some(bytes), _) => Message::Bytes(bytes),
            (None, Some(text)) => Message::Text(text),
            (None, None) => Message::None,
        };
        let view = RowView { signal, batch, row: 0 };
        let known = |name: &'a String| Known { name, unit: view.unit(name), lies: lies(&view, name) };
        Self {
            signal,
            batch,
            ts: column(batch, TS),
            level: column(batch, "level").filter(|_| is_log),
            message,
            fields: names.iter().map(known).collect(),
        }
    }

    pub fn row(&'a self, row: usize) -> Seen<'a> {
        Seen { sight: self, row }
    }

    fn known(&self, name: &str) -> Option<&Known<'a>> {
        self.fields.iter().find(|known| known.name == name)
    }
}

fn lies<'a>(view: &RowView<'a>, name: &str) -> Lies<'a> {
    let text = |column: &str| view.batch.column_by_name(column)?.as_any().downcast_ref();
    let place = match column_name(view.signal, name) {
        Some(column) => text(column).map(Lies::Text),
        None => view.own_column(name).map(Lies::Own),
    };
    place.unwrap_or(Lies::Elsewhere)
}

impl<'a> Seen<'a> {
    fn view(&self) -> RowView<'a> {
        RowView { signal: self.sight.signal, batch: self.sight.batch, row: self.row }
    }
}

impl Record for Seen<'_> {
    fn ts_ns(&self) -> i64 {
        self.sight.ts.map_or(0, |c| c.value(self.row))
    }

    fn level(&self) -> Level {
        match self.sight.level {
            Some(levels) => Level::from_number(levels.value(self.row)),
            None => self.view().level(),
        }
    }

    fn message(&self) -> &[u8] {
        match self.sight.message {
            Message::Bytes(texts) => texts.value(self.row),
            Message::Text(texts) => texts.value(self.row).as_bytes(),
            Message::None => &[],
        }
    }

    fn unit(&self, name: &str) -> Unit {
        self.sight.known(name).map_or_else(|| self.view().unit(name), |known| known.unit)
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.sight.known(name).map(|known| &known.lies) {
            Some(Lies::Text(texts)) => {
                let text = texts.is_valid(self.row).then(|| texts.value(self.row))?;
                (!text.is_empty()).then_some(Cow::Borrowed(text))
            }
            Some(Lies::Own(texts)) if texts.is_valid(self.row) => Some(Cow::Borrowed(texts.value(self.row))),
            _ => self.view().text(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use ph_model::{LogRow, SpanRow, Value};

    use super::*;
    use crate::rows::{logs_batch, promote, spans_batch};

    const NAMES: [&str; 16] = [
        "pod",
        "stream",
        "offset",
        "trace_id",
        "duration",
        "kind",
        "k",
        "attr.k",
        "resource.k",
        "body.k",
        "l",
        "attr.l",
        "absent",
        "attr.absent",
        "full_bytes",
        "http_status",
    ];

    fn check(signal: Signal, batch: &RecordBatch, names: &[String]) {
        let sight = Sight::of(signal, batch, names);
        for row in 0..batch.num_rows() {
            let (seen, view) = (sight.row(row), RowView { signal, batch, row });
            for name in NAMES {
                assert_eq!(seen.field(name), view.field(name), "{name} of row {row}, asked with {names:?}");
                assert_eq!(seen.unit(name), view.unit(name), "{name}");
            }
            assert_eq!(
                (seen.ts_ns(), seen.level(), seen.message()),
                (view.ts_ns(), view.level(), view.message())
            );
        }
    }

    #[test]
    fn each_row_looks_as_it_does_by_itself() {
        let log = |n: usize| {
            let mut row = LogRow {
                ts: n as i64,
                level: n as u8,
                pod: ["", "web-1", "web-2"][n % 3].to_owned(),
                iostream: "stderr".to_owned(),
                message: [&b"k=m l=n"[..], b"\xff\0", b"", b"{\"k\":\"j\"}"][n % 4].to_vec(),
                trace_id: n.is_multiple_of(2).then_some([n as u8; 16]),
                ..LogRow::default()
            };
            if n.is_multiple_of(3) {
                row.attributes.set("k", ["", "a", "\u{1b}[1mb"][n / 3 % 3]);
            }
            if n.is_multiple_of(5) {
                row.attributes.set("l", Value::Int(n as i64));
                row.resource.set("k", "r");
            }
            row
        };
        let plain = logs_batch(&(0..40).map(log).collect::<Vec<_>>()).unwrap();
        let own = promote(&plain, &["absent".to_owned(), "k".to_owned(), "l".to_owned()]).unwrap();
        let span = |n: usize| {
            let mut row = SpanRow {
                duration_ns: n as u64,
                name: format!("op k={n}"),
                http_status: n as u16,
                status: ph_model::SpanStatus::from_u8(n as u8 % 3),
                ..SpanRow::default()
            };
            row.attributes.set("k", n as i64);
            row
        };
        let spans = spans_batch(&(0..10).map(span).collect::<Vec<_>>()).unwrap();
        let all: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        for names in [&all[..], &all[6..7], &[]] {
            for batch in [&plain, &own, &own.slice(7, 20), &plain.project(&[0, 3]).unwrap()] {
                check(Signal::Logs, batch, names);
            }
            check(Signal::Spans, &spans, names);
        }
    }
}
