//! Which attributes the rows of a part have, told in its Parquet metadata, so that a merge knows which ones are worth a
//! column of their own.
//!
//! A part of an earlier version tells nothing; what is merged with it has no such columns until it is merged again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{MapArray, RecordBatch, StringArray};
use parquet::file::metadata::{FileMetaData, KeyValue};

use crate::rows::{ATTRS, OWN, entries};

/// The name of the entry in the metadata.
const ENTRY: &str = "pilothouse.attributes";
/// An attribute of at least one in so many rows gets a column.
const ONE_IN: u64 = 20;
/// Most columns of one part.
const MOST_OWN: usize = 32;
/// Attributes with longer keys get none.
const MOST_KEY_BYTES: usize = 128;
/// Attributes of one part that are counted.
const TOLD_APART: usize = 4_096;
/// Those of at least one in so many rows are told, the most frequent ones if there are many.
const TOLD_ONE_IN: u64 = 100;
const MOST_TOLD: usize = 256;
const ESC: u8 = 0x1b;

/// What a part tells of its attributes.
#[derive(Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Attributes {
    rows: u64,
    /// In how many rows each key stands, without rare ones.
    keys: BTreeMap<String, u64>,
    /// Those with a column of their own of which no value has terminal escapes, so that their order in the file is the
    /// order in which questions compare them.
    plain: BTreeSet<String>,
}

impl Attributes {
    /// `None` when the file tells nothing, or what cannot be read.
    pub fn read(meta: &FileMetaData) -> Option<Self> {
        let entry = meta.key_value_metadata()?.iter().find(|entry| entry.key == ENTRY)?;
        serde_json::from_str(entry.value.as_deref()?).ok()
    }

    pub fn is_plain(&self, key: &str) -> bool {
        self.plain.contains(key)
    }

    /// The attributes that get columns when such parts are merged, ascending by key: the most frequent ones.
    pub fn promoted(parts: &[Attributes]) -> Vec<String> {
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, count) in parts.iter().flat_map(|part| &part.keys) {
            *counts.entry(key).or_default() += count;
        }
        let is_worth = |(_, count): &(&str, u64)| count * ONE_IN >= rows;
        let mut out: Vec<(&str, u64)> = counts.into_iter().filter(is_worth).collect();
        out.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut keys: Vec<String> = out.into_iter().take(MOST_OWN).map(|(key, _)| key.to_owned()).collect();
        keys.sort_unstable();
        keys
    }
}

/// Counts attributes while the rows of a part come.
#[derive(Default)]
pub(super) struct Counting {
    rows: u64,
    keys: HashMap<String, u64>,
    /// A batch had no attributes, or a row's keys did not ascend.
    unfit: bool,
    escaped: BTreeSet<String>,
}

impl Counting {
    /// The next rows, with all attributes in the map.
    pub fn add(&mut self, batch: &RecordBatch) {
        let map = batch.column_by_name(ATTRS).and_then(|c| c.as_any().downcast_ref::<MapArray>());
        let Some(map) = map.filter(|_| !self.unfit) else {
            self.unfit = true;
            return;
        };
        self.rows += batch.num_rows() as u64;
        // Neighbours mostly have the same keys, so each run is counted at once.
        let (mut last, mut run): (Vec<&str>, u64) = (Vec::new(), 0);
        let mut keys: Vec<&str> = Vec::new();
        for row in 0..batch.num_rows() {
            keys.clear();
            keys.extend(entries(map, row).into_iter().flatten().map(|(key, _)| key));
            if keys != last {
                self.count(&last, run);
                std::mem::swap(&mut keys, &mut last);
                run = 0;
            }
            run += 1;
        }
        self.count(&last, run);
    }

    fn count(&mut self, keys: &[&str], rows: u64) {
        self.unfit |= !keys.is_sorted_by(|a, b| a < b);
        let is_full = self.keys.len() >= TOLD_APART;
        for key in keys {
            match self.keys.get_mut(*key) {
                Some(count) => *count += rows,
                None if is_full || key.len() > MOST_KEY_BYTES => {}
                None => {
                    self.keys.insert((*key).to_owned(), rows);
                }
            }
        }
    }

    /// The next rows as they are written.
    pub fn add_own(&mut self, batch: &RecordBatch) {
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let Some(key) = field.name().strip_prefix(OWN) else { continue };
            let texts = column.as_any().downcast_ref::<StringArray>();
            if texts.is_none_or(|texts| texts.value_data().contains(&ESC)) {
                self.escaped.insert(key.to_owned());
            }
        }
    }

    /// What the file tells; `own` are the attributes that have columns.
    pub fn finish(self, own: &[String]) -> Option<KeyValue> {
        if self.unfit {
            return None;
        }
        let is_told = |(_, count): &(String, u64)| count * TOLD_ONE_IN >= self.rows;
        let mut keys: Vec<(String, u64)> = self.keys.into_iter().filter(is_told).collect();
        keys.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        keys.truncate(MOST_TOLD);
        let plain = own.iter().filter(|key| !self.escaped.contains(*key)).cloned().collect();
        let told = Attributes { rows: self.rows, keys: keys.into_iter().collect(), plain };
        Some(KeyValue::new(ENTRY.to_owned(), serde_json::to_string(&told).ok()))
    }
}

#[cfg(test)]
mod tests {
    use ph_model::LogRow;

    use super::*;
    use crate::rows::{logs_batch, promote};

    fn part(rows: u64, keys: &[(&str, u64)]) -> Attributes {
        let keys = keys.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect();
        Attributes { rows, keys, plain: BTreeSet::new() }
    }

    #[test]
    fn one_row_in_twenty_is_enough() {
        let parts = [part(100, &[("a", 100), ("b", 4), ("c", 5)]), part(100, &[("b", 6), ("c", 4)])];
        assert_eq!(Attributes::promoted(&parts), ["a", "b"]);
        assert_eq!(Attributes::promoted(&[]), Vec::<String>::new());
    }

    #[test]
    fn the_most_frequent_ones_get_columns() {
        let keys: Vec<String> = (0..40).map(|n| format!("k{n:02}")).collect();
        let counts: Vec<(&str, u64)> = keys.iter().zip(60..).map(|(k, n)| (k.as_str(), n)).collect();
        assert_eq!(Attributes::promoted(&[part(100, &counts)]), keys[8..]);
    }

    #[test]
    fn rows_are_counted() {
        let row = |n: u64| {
            let long = "l".repeat(MOST_KEY_BYTES + 1);
            let mut row =
                LogRow { attributes: [("a", "x"), (&*long, "y")].into_iter().collect(), ..LogRow::default() };
            if n.is_multiple_of(10) {
                row.attributes.set("b", if n == 50 { "\u{1b}[1mz" } else { "z" });
            }
            if n == 7 {
                row.attributes.set("rare", 1_i64);
            }
            row
        };
        let batch = logs_batch(&(0..101).map(row).collect::<Vec<_>>()).unwrap();
        let own = ["a".to_owned(), "b".to_owned()];
        let mut counting = Counting::default();
        counting.add(&batch);
        counting.add_own(&promote(&batch, &own).unwrap());
        let told = counting.finish(&own).unwrap();
        let told: Attributes = serde_json::from_str(&told.value.unwrap()).unwrap();
        let plain = BTreeSet::from(["a".to_owned()]);
        assert_eq!(told, Attributes { plain, ..part(101, &[("a", 101), ("b", 11)]) });
        assert!(told.is_plain("a") && !told.is_plain("b"));
    }
}
