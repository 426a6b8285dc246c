//! The messages of a batch as one text, so that a literal is looked for in all of them at once.
//!
//! Never:  passes over a row that could pass: a literal across two rows decides nothing, terminal escapes are left to the filter.

use arrow::array::{Array, BinaryArray, RecordBatch, StringArray};
use ph_filter::{HitKind, Sieve};
use ph_model::Signal;

use super::view::message_column;

/// Messages one behind the other; row `i` lies at `offsets[i]..offsets[i + 1]`.
pub(crate) struct Messages<'a> {
    offsets: &'a [i32],
    bytes: &'a [u8],
}

impl<'a> Messages<'a> {
    /// `None` where the column is not there, or is no text.
    pub fn of(signal: Signal, batch: &'a RecordBatch) -> Option<Self> {
        let column = batch.column_by_name(message_column(signal))?.as_any();
        if let Some(texts) = column.downcast_ref::<BinaryArray>() {
            return Some(Self { offsets: texts.value_offsets(), bytes: texts.value_data() });
        }
        let texts = column.downcast_ref::<StringArray>()?;
        Some(Self { offsets: texts.value_offsets(), bytes: texts.value_data() })
    }

    /// Calls `give` with each row that may pass, ascending, and whether it passes without a further look.
    pub fn sift(&self, sieve: &Sieve, give: &mut dyn FnMut(usize, bool)) {
        let at = |i: usize| self.offsets.get(i).map_or(0, |o| *o as usize);
        let (first, last) = (at(0), self.offsets.last().map_or(0, |o| *o as usize));
        let chunk = self.bytes.get(first..last).unwrap_or_default();
        let mut hits = sieve.hits(chunk);
        let mut row = 0;
        while let Some(hit) = hits.next() {
            let behind = self.offsets.get(row + 1..).unwrap_or_default();
            row += behind.partition_point(|end| *end as usize <= hit.start + first);
            let end = at(row + 1);
            let inside = hit.end + first <= end;
            if !inside && hit.kind != HitKind::Escape {
                continue;
            }
            give(row, hit.kind == HitKind::Exact);
            hits.skip_to(end - first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use ph_filter::{Case, Compiled, Filter, Raw};
    use proptest::prelude::*;

    use super::*;
    use crate::rows::RowView;

    fn batch(messages: &[Vec<u8>]) -> RecordBatch {
        let column = Arc::new(BinaryArray::from_iter_values(messages));
        let schema = Schema::new(vec![Field::new("message", DataType::Binary, false)]);
        RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
    }

    fn filters() -> Vec<Filter> {
        let regex = |pattern: &str, case| Filter::Regex { field: None, pattern: pattern.into(), case };
        vec![
            Filter::contains("ab"),
            Filter::Contains { field: None, text: "aB".into(), case: Case::Insensitive },
            Filter::words("ab"),
            regex("(ab|bb)c?", Case::Insensitive),
            regex("a.b", Case::Sensitive),
            Filter::And(vec![Filter::contains("ab"), Filter::contains("cc").negated()]),
            Filter::Or(vec![Filter::contains("ab"), Filter::contains("ba")]),
        ]
    }

    proptest! {
        #[test]
        fn what_it_passes_over_could_not_pass(
            messages in proptest::collection::vec("([abcABC ]|\u{1b}\\[1m|\u{1b}\\]0;ab\u{7}){0,8}", 0..40),
            from in 0usize..10,
        ) {
            let messages: Vec<Vec<u8>> = messages.into_iter().map(String::into_bytes).collect();
            // A slice does not begin at the first byte.
            let whole = batch(&messages);
            let from = from.min(messages.len());
            let batch = whole.slice(from, messages.len() - from);
            for filter in filters() {
                let compiled = Compiled::new(&filter).unwrap();
                let view = |row| RowView { signal: Signal::Logs, batch: &batch, row };
                let want: Vec<usize> = (0..batch.num_rows()).filter(|row| compiled.matches(&view(*row))).collect();
                let sieve = compiled.plan(&|_| true).literals.unwrap().sieve(Raw::Plain).unwrap();
                let mut got = Vec::new();
                Messages::of(Signal::Logs, &batch).unwrap().sift(&sieve, &mut |row, decided| {
                    if decided || compiled.matches(&view(row)) {
                        got.push(row);
                    }
                });
                prop_assert_eq!(&got, &want, "{}", filter);
            }
        }
    }
}
