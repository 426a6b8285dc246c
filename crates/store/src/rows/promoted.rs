//! Attributes in columns of their own: taken out of the map of all when a part is written, and put back when rows are read
//! with all attributes.
//!
//! The letters of types stay where they are, for all attributes in the order of their keys. An attribute that a row does
//! not have is null in its column; an empty one is empty there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};

use super::build::{map_array, map_type};
use super::columns::{ATTRS, OWN};
use super::take::entries;

/// A map column while its rows come.
#[derive(Default)]
struct Map {
    keys: StringBuilder,
    values: StringBuilder,
    ends: Vec<i32>,
    count: i32,
}

impl Map {
    fn new() -> Self {
        Self { ends: vec![0], ..Self::default() }
    }

    fn add(&mut self, key: &str, value: &str) {
        self.keys.append_value(key);
        self.values.append_value(value);
        self.count += 1;
    }

    fn end_row(&mut self) {
        self.ends.push(self.count);
    }

    fn finish(mut self) -> Option<ArrayRef> {
        map_array(self.ends, Arc::new(self.keys.finish()), Arc::new(self.values.finish()))
    }
}

fn map_of(batch: &RecordBatch) -> Option<&MapArray> {
    batch.column_by_name(ATTRS)?.as_any().downcast_ref()
}

/// The batch with these attributes, ascending by key, in columns behind its others and no longer in the map. `None` where
/// a row's keys do not ascend, for then they could not be put back, and where there is no map.
pub(crate) fn promote(batch: &RecordBatch, keys: &[String]) -> Option<RecordBatch> {
    let map = map_of(batch)?;
    let mut own: Vec<StringBuilder> = keys.iter().map(|_| StringBuilder::new()).collect();
    let mut rest = Map::new();
    let mut row_values: Vec<Option<&str>> = vec![None; keys.len()];
    for row in 0..batch.num_rows() {
        row_values.fill(None);
        let mut last = None;
        for (key, value) in entries(map, row)? {
            if last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
            match keys.binary_search_by(|k| k.as_str().cmp(key)) {
                Ok(at) => *row_values.get_mut(at)? = Some(value),
                Err(_) => rest.add(key, value),
            }
        }
        rest.end_row();
        own.iter_mut().zip(&row_values).for_each(|(column, value)| column.append_option(*value));
    }
    let rest = rest.finish()?;
    let schema = batch.schema();
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.extend(keys.iter().map(|key| Field::new(format!("{OWN}{key}"), DataType::Utf8, true)));
    let kept = schema.fields().iter().zip(batch.columns());
    let mut columns: Vec<ArrayRef> =
        kept.map(|(f, c)| if f.name() == ATTRS { Arc::clone(&rest) } else { Arc::clone(c) }).collect();
    columns.extend(own.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).ok()
}

/// The batch as it was before [`promote`]. `None` when its columns are not such as that makes.
pub(crate) fn whole(batch: RecordBatch) -> Option<RecordBatch> {
    let schema = batch.schema();
    let mut own: Vec<(&str, &StringArray)> = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if let Some(key) = field.name().strip_prefix(OWN) {
            own.push((key, column.as_any().downcast_ref()?));
        }
    }
    if own.is_empty() {
        drop(own);
        return Some(batch);
    }
    own.sort_unstable_by_key(|(key, _)| *key);
    let map = map_of(&batch)?;
    let mut all = Map::new();
    for row in 0..batch.num_rows() {
        let mut own = own.iter().filter(|(_, c)| c.is_valid(row)).map(|(k, c)| (*k, c.value(row))).peekable();
        for (key, value) in entries(map, row)? {
            while let Some((key, value)) = own.next_if(|(own, _)| *own < key) {
                all.add(key, value);
            }
            all.add(key, value);
        }
        own.for_each(|(key, value)| all.add(key, value));
        all.end_row();
    }
    let all = all.finish()?;
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.name() == ATTRS {
            fields.push(Arc::new(Field::new(ATTRS, map_type(), false)));
            columns.push(Arc::clone(&all));
        } else if !field.name().starts_with(OWN) {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).ok()
}

#[cfg(test)]
mod tests {
    //! Put back, they are what they were; and out of the map they are found as in it.

    use std::borrow::Cow;

    use ph_filter::Record;
    use ph_model::{LogRow, Signal, Value};
    use proptest::prelude::*;

    use super::*;
    use crate::rows::{RowView, log_rows, logs_batch};

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            (-9.0..9.0_f64).prop_map(Value::Double),
            any::<bool>().prop_map(Value::Bool),
            "[a-zé\"{]{0,4}".prop_map(Value::Str),
            proptest::collection::vec(any::<u8>(), 0..3).prop_map(Value::Bytes),
            proptest::collection::vec(any::<i64>().prop_map(Value::Int), 0..3).prop_map(Value::Array),
        ]
    }

    proptest! {
        #[test]
        fn what_was_taken_out_comes_back(
            rows in proptest::collection::vec(proptest::collection::vec(("[ab.é]{0,2}", value()), 0..6), 0..20),
            keys in proptest::collection::btree_set("[ab.é]{0,2}", 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let log = |attributes: Vec<(String, Value)>| {
                LogRow { attributes: attributes.into_iter().collect(), ..LogRow::default() }
            };
            let rows: Vec<LogRow> = rows.into_iter().map(log).collect();
            let all = logs_batch(&rows).unwrap();
            // A slice does not begin at the first entry.
            let from = if rows.is_empty() { 0 } else { cut.index(rows.len()) };
            let (batch, rows) = (all.slice(from, rows.len() - from), &rows[from..]);
            let keys: Vec<String> = keys.into_iter().collect();
            let promoted = promote(&batch, &keys).unwrap();
            prop_assert_eq!(promoted.num_columns(), batch.num_columns() + keys.len());
            for (row, log) in rows.iter().enumerate() {
                let found = |batch: &RecordBatch, name: &str| {
                    RowView { signal: Signal::Logs, batch, row }.field(name).map(Cow::into_owned)
                };
                let left: Vec<&str> = entries(map_of(&promoted).unwrap(), row).unwrap().map(|(k, _)| k).collect();
                prop_assert!(left.iter().all(|k| !keys.iter().any(|key| key == k)));
                for key in log.attributes.iter().map(|(k, _)| k).chain(keys.iter().map(String::as_str)) {
                    for name in [key.to_owned(), format!("attr.{key}")] {
                        prop_assert_eq!(found(&promoted, &name), found(&batch, &name), "{}", name);
                    }
                }
            }
            let back = whole(promoted).unwrap();
            prop_assert_eq!(back.schema(), batch.schema());
            prop_assert_eq!(back.columns(), batch.columns());
            prop_assert_eq!(log_rows(&back), rows);
        }
    }

    #[test]
    fn keys_that_do_not_ascend_stay_where_they_are() {
        let [keys, values] = [["b", "a"], ["1", "2"]].map(|t| Arc::new(StringArray::from_iter_values(t)));
        let map = map_array(vec![0, 2], keys, values).unwrap();
        let schema = Schema::new(vec![Field::new(ATTRS, map_type(), false)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![map]).unwrap();
        assert!(promote(&batch, &["a".to_owned()]).is_none());
        assert_eq!(whole(batch.clone()).unwrap(), batch);
    }
}
