//! Columns in which no row has anything: empty text, no attributes, zero, or null where that may stand.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, MapArray, PrimitiveArray, StringArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field};

use super::build::{map_array, map_type};

/// Whether no row of a column has anything.
pub(crate) fn is_blank(column: &dyn Array) -> bool {
    let any = column.as_any();
    if column.null_count() > 0 {
        return column.null_count() == column.len();
    }
    fn zero<T: ArrowPrimitiveType<Native: PartialEq + Default>>(column: &PrimitiveArray<T>) -> bool {
        column.values().iter().all(|n| *n == T::Native::default())
    }
    let empty = |offsets: &[i32]| offsets.first() == offsets.last();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        empty(texts.value_offsets())
    } else if let Some(map) = any.downcast_ref::<MapArray>() {
        empty(map.value_offsets())
    } else if let Some(numbers) = any.downcast_ref::<UInt8Array>() {
        zero(numbers)
    } else if let Some(numbers) = any.downcast_ref::<UInt16Array>() {
        zero(numbers)
    } else if let Some(numbers) = any.downcast_ref::<UInt32Array>() {
        zero(numbers)
    } else {
        any.downcast_ref::<UInt64Array>().is_some_and(zero)
    }
}

/// A column of so many rows that have nothing. `None` for those that are never blank.
pub(crate) fn blank(field: &Field, rows: usize) -> Option<ArrayRef> {
    if field.is_nullable() {
        return Some(new_null_array(field.data_type(), rows));
    }
    Some(match field.data_type() {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", rows))),
        kind if *kind == map_type() => {
            let none = || Arc::new(StringArray::from_iter_values(std::iter::empty::<&str>()));
            map_array(vec![0; rows + 1], none(), none())?
        }
        DataType::UInt8 => Arc::new(UInt8Array::from_value(0, rows)),
        DataType::UInt16 => Arc::new(UInt16Array::from_value(0, rows)),
        DataType::UInt32 => Arc::new(UInt32Array::from_value(0, rows)),
        DataType::UInt64 => Arc::new(UInt64Array::from_value(0, rows)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ph_model::{LogRow, Signal};

    use super::*;
    use crate::rows::{logs_batch, schema, spans_batch};

    #[test]
    fn what_has_nothing_comes_back_the_same() {
        let mut rows = vec![LogRow { ts: 7, message: b"x".to_vec(), ..LogRow::default() }; 5];
        let batch = logs_batch(&rows).unwrap();
        let mut found = 0;
        for (field, column) in
            batch.schema().fields().iter().zip(batch.columns()).filter(|(_, c)| is_blank(c))
        {
            if let Some(blank) = blank(field, 5) {
                assert_eq!(&blank, column, "{}", field.name());
                found += 1;
            }
        }
        assert!(found > 10, "{found} of {}", batch.num_columns());
        let known =
            |batch: &arrow::array::RecordBatch, name: &str| is_blank(batch.column_by_name(name).unwrap());
        assert!(
            known(&batch, "pod")
                && known(&batch, "attrs")
                && known(&batch, "trace_id")
                && !known(&batch, "ts")
        );
        rows[3].attributes.set("k", "");
        rows[3].pod = "web".into();
        rows[3].trace_id = Some([0; 16]);
        rows[3].level = 9;
        let batch = logs_batch(&rows).unwrap();
        for name in ["pod", "attrs", "trace_id", "level"] {
            assert!(!known(&batch, name), "{name}");
            // Slices do not begin at the first value.
            assert!(known(&batch.slice(4, 1), name) && known(&batch.slice(0, 3), name), "{name}");
        }
        assert!(!known(&batch, "message"), "bytes are never left out");
        let spans = spans_batch(&[Default::default(), Default::default()]).unwrap();
        let all = schema(Signal::Spans);
        let blanks = all.fields().iter().zip(spans.columns()).filter(|(_, c)| is_blank(c));
        blanks.filter_map(|(f, c)| Some((blank(f, 2)?, c))).for_each(|(ours, c)| assert_eq!(&ours, c));
    }
}
