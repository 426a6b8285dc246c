//! Columns out of rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, Int64Array, MapArray, StringArray,
    StringBuilder, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use ph_model::{Attributes, Value};

use super::attributes::letters;

pub(super) fn text<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
}

pub(super) fn binary<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> &'a [u8]) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(rows.iter().map(of)))
}

pub(super) fn long<R>(rows: &[R], of: impl Fn(&R) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
}

pub(super) fn ulong<R>(rows: &[R], of: impl Fn(&R) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
}

pub(super) fn int<R>(rows: &[R], of: impl Fn(&R) -> u32) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
}

pub(super) fn short<R>(rows: &[R], of: impl Fn(&R) -> u16) -> ArrayRef {
    Arc::new(UInt16Array::from_iter_values(rows.iter().map(of)))
}

pub(super) fn byte<R>(rows: &[R], of: impl Fn(&R) -> u8) -> ArrayRef {
    Arc::new(UInt8Array::from_iter_values(rows.iter().map(of)))
}

/// Fixed bytes that every row has; `None` only beyond Arrow's limits.
pub(super) fn fixed<const N: usize, R>(rows: &[R], of: impl Fn(&R) -> [u8; N]) -> Option<ArrayRef> {
    let mut bytes = Vec::with_capacity(rows.len() * N);
    for row in rows {
        bytes.extend_from_slice(&of(row));
    }
    Some(Arc::new(FixedSizeBinaryArray::try_new(N as i32, bytes.into(), None).ok()?))
}

pub(super) fn fixed_optional<const N: usize, R>(
    rows: &[R],
    of: impl Fn(&R) -> Option<[u8; N]>,
) -> Option<ArrayRef> {
    let mut out = FixedSizeBinaryBuilder::with_capacity(rows.len(), N as i32);
    for row in rows {
        match of(row) {
            Some(id) => out.append_value(id).ok()?,
            None => out.append_null(),
        }
    }
    Some(Arc::new(out.finish()))
}

pub(super) fn map_fields() -> Fields {
    Fields::from(vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Utf8, false)])
}

pub(super) fn map_type() -> DataType {
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(map_fields()), false)), true)
}

/// The map column and the column of its values' letters.
pub(super) fn attributes<'a, R>(
    rows: &'a [R],
    of: impl Fn(&'a R) -> &'a Attributes,
) -> Option<(ArrayRef, ArrayRef)> {
    let (mut keys, mut values, mut types) =
        (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let mut ends: Vec<i32> = Vec::with_capacity(rows.len() + 1);
    let mut count = 0_i32;
    ends.push(0);
    for row in rows {
        let attributes = of(row);
        for (key, value) in attributes.iter() {
            keys.append_value(key);
            match value {
                Value::Str(text) => values.append_value(text),
                // `{:?}` writes every double so that it reads back to the same bits.
                Value::Double(d) => values.append_value(format!("{d:?}")),
                other => values.append_value(other.to_text()),
            }
        }
        types.append_value(letters(attributes));
        count = count.checked_add(i32::try_from(attributes.len()).ok()?)?;
        ends.push(count);
    }
    let map = map_array(ends, Arc::new(keys.finish()), Arc::new(values.finish()))?;
    Some((map, Arc::new(types.finish())))
}

/// A map column from its offsets, keys and values; `None` when they do not fit together.
pub(super) fn map_array(ends: Vec<i32>, keys: ArrayRef, values: ArrayRef) -> Option<ArrayRef> {
    let ascending = ends.first() == Some(&0) && ends.is_sorted() && ends.last() == Some(&(keys.len() as i32));
    if !ascending {
        return None;
    }
    let entries = arrow::array::StructArray::try_new(map_fields(), vec![keys, values], None).ok()?;
    let DataType::Map(entry, sorted) = map_type() else { return None };
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    Some(Arc::new(MapArray::try_new(entry, offsets, entries, None, sorted).ok()?))
}
