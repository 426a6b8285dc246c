//! Shapes of the messages of a part: each row has the number of its message's shape in a column, the shapes themselves
//! stand in the file's metadata. A filter is asked of each shape once, and messages are read where that does not decide.
//!
//! Rows of messages without a shape, and all those beyond the most that are told apart, have number 0.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, UInt16Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData};
use ph_filter::{Compiled, Shape, Verdict, shape};

/// The column of numbers.
pub(super) const COLUMN: &str = "shape";
/// The name of the entry in the metadata.
const ENTRY: &str = "pilothouse.shapes";
/// Most shapes of a part, and their bytes together.
const MOST: usize = 4_095;
const MOST_BYTES: usize = 256 << 10;

/// Shapes of a part while its rows come.
#[derive(Default)]
pub(super) struct Shaping {
    numbers: HashMap<String, u16>,
    bytes: usize,
    buffer: String,
    last: Option<(String, u16)>,
}

impl Shaping {
    /// The rows with a column of numbers; as they are where they have no messages.
    pub fn add(&mut self, rows: RecordBatch, message: &str) -> Option<RecordBatch> {
        let texts = rows.column_by_name(message).and_then(|c| c.as_any().downcast_ref::<BinaryArray>());
        let Some(texts) = texts else { return Some(rows) };
        let numbers: UInt16Array =
            texts.iter().map(|text| Some(text.map_or(0, |text| self.number(text)))).collect();
        let mut fields: Vec<Arc<Field>> = rows.schema_ref().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(COLUMN, DataType::UInt16, false)));
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(numbers) as ArrayRef);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).ok()
    }

    fn number(&mut self, message: &[u8]) -> u16 {
        let Self { numbers, bytes, buffer, last } = self;
        let Some(shape) = shape(message, buffer) else { return 0 };
        if let Some((_, number)) = last.as_ref().filter(|(last, _)| last == shape) {
            return *number;
        }
        let number = match numbers.get(shape) {
            Some(known) => *known,
            None if numbers.len() >= MOST || *bytes + shape.len() > MOST_BYTES => return 0,
            None => {
                let next = numbers.len() as u16 + 1;
                *bytes += shape.len();
                numbers.insert(shape.to_owned(), next);
                next
            }
        };
        *last = Some((shape.to_owned(), number));
        number
    }

    pub fn finish(self) -> Option<KeyValue> {
        let mut all: Vec<(String, u16)> = self.numbers.into_iter().collect();
        all.sort_unstable_by_key(|(_, number)| *number);
        let texts: Vec<String> = all.into_iter().map(|(text, _)| text).collect();
        let text = serde_json::to_string(&texts).ok().filter(|_| !texts.is_empty())?;
        Some(KeyValue::new(ENTRY.to_owned(), text))
    }
}

/// The shapes of a part, from number 1 on.
#[derive(Debug)]
pub(crate) struct Shapes(Vec<Shape>);

impl Shapes {
    /// `None` when the file tells none, or what cannot be read.
    pub fn read(meta: &FileMetaData) -> Option<Self> {
        let entry = meta.key_value_metadata()?.iter().find(|entry| entry.key == ENTRY)?;
        let texts: Vec<String> = serde_json::from_str(entry.value.as_deref()?).ok()?;
        Some(Self(texts.iter().map(|text| Shape::from(text.as_str())).collect()))
    }

    /// Bytes that they take in memory, about.
    pub fn memory_bytes(&self) -> usize {
        self.0.iter().map(Shape::memory_bytes).sum()
    }

    /// What a filter says of each number; `None` when it has to look at all messages.
    pub(super) fn verdicts(&self, filter: &Compiled) -> Option<Verdicts> {
        let said = |shape: &Shape| match filter.verdict(shape) {
            Verdict::No => Said::No,
            Verdict::Yes => Said::Yes,
            Verdict::Maybe => filter.texts(shape).map_or(Said::Nothing, Said::Texts),
        };
        let all: Vec<Said> = std::iter::once(Said::Nothing).chain(self.0.iter().map(said)).collect();
        all.iter().any(|said| *said != Said::Nothing).then_some(Verdicts(all))
    }
}

/// What a filter says of the rows of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    No,
    /// Which of its texts they have; the rest of it decides.
    Texts(u64),
    Nothing,
}

/// What a filter says of the rows of each shape.
pub(super) struct Verdicts(Vec<Said>);

impl Verdicts {
    pub fn of(&self, number: u16) -> Said {
        self.0.get(usize::from(number)).copied().unwrap_or(Said::Nothing)
    }
}

/// The number of the column of numbers.
pub(super) fn root(meta: &ParquetMetaData) -> Option<usize> {
    let schema = meta.file_metadata().schema_descr();
    schema.root_schema().get_fields().iter().position(|field| field.name() == COLUMN)
}

/// All columns that rows are made of.
pub(super) fn rows_alone(meta: &ParquetMetaData) -> ProjectionMask {
    let schema = meta.file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields().iter().enumerate();
    ProjectionMask::roots(schema, fields.filter(|(_, field)| field.name() != COLUMN).map(|(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(shaping: &mut Shaping, messages: &[&[u8]]) -> Vec<u16> {
        let column = Arc::new(BinaryArray::from_iter_values(messages));
        let rows = RecordBatch::try_from_iter([("message", column as ArrayRef)]).unwrap();
        let rows = shaping.add(rows, "message").unwrap();
        let numbers: &UInt16Array = rows.column_by_name(COLUMN).unwrap().as_any().downcast_ref().unwrap();
        numbers.values().to_vec()
    }

    #[test]
    fn messages_of_one_shape_have_one_number() {
        let mut shaping = Shaping::default();
        assert_eq!(numbers(&mut shaping, &[b"a 1", b"a 22", b"b 1", b"\xff", b"a x3"]), [1, 1, 2, 0, 1]);
        assert_eq!(numbers(&mut shaping, &[b"b 9", b""]), [2, 3]);
        let told = shaping.finish().unwrap();
        let texts: Vec<String> = serde_json::from_str(told.value.as_deref().unwrap()).unwrap();
        assert_eq!(texts, ["a \u{11}", "b \u{11}", ""]);
        assert!(Shaping::default().finish().is_none());
    }

    #[test]
    fn there_are_not_more_shapes_than_are_told_apart() {
        let mut shaping = Shaping::default();
        let word = |n: usize| {
            let letter = |at: u32| char::from(b'a' + (n / 26_usize.pow(at) % 26) as u8);
            [letter(0), letter(1), letter(2)].iter().collect::<String>()
        };
        let many: Vec<String> = (0..MOST + 10).map(word).collect();
        let many: Vec<&[u8]> = many.iter().map(|text| text.as_bytes()).collect();
        let found = numbers(&mut shaping, &many);
        assert_eq!(found[..3], [1, 2, 3]);
        assert_eq!(found[MOST - 1..MOST + 2], [MOST as u16, 0, 0]);
        assert_eq!(numbers(&mut shaping, &many[..2]), [1, 2]);
        let long: Vec<String> = (0..600).map(|n| format!("{} {}", word(n), "x ".repeat(240))).collect();
        let long: Vec<&[u8]> = long.iter().map(|text| text.as_bytes()).collect();
        let mut shaping = Shaping::default();
        let found = numbers(&mut shaping, &long);
        assert!(found.contains(&0) && shaping.bytes <= MOST_BYTES);
    }
}
