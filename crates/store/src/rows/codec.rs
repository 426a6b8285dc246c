//! Record batches as bytes for the write-ahead log: column after column, in the order of the schema.
//!
//! A column whose rows are all equal is written once. Numbers are little endian, lengths LEB128 varints.
//! In decoding: bytes from a disk; anything that `encode` does not write gives `None`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, Float64Array, Int64Array,
    MapArray, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::DataType;
use ph_model::Signal;

use super::build::map_array;
use super::schema;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const CONSTANT: u8 = 1;
/// More rows than this are never in one batch.
const MAX_ROWS: usize = 1 << 22;

/// A batch in its signal's schema, as bytes. `None` for a column type that no schema has.
pub(crate) fn encode(batch: &RecordBatch) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(batch.get_array_memory_size() / 2 + 64);
    out.push(VERSION);
    put(&mut out, batch.num_rows() as u64);
    for column in batch.columns() {
        put_column(&mut out, column)?;
    }
    Some(out)
}

pub(crate) fn decode(signal: Signal, bytes: &[u8]) -> Option<RecordBatch> {
    let mut from = Bytes(bytes);
    if from.take(1)? != [VERSION] {
        return None;
    }
    let rows = usize::try_from(from.varint()?).ok().filter(|n| *n <= MAX_ROWS)?;
    let schema = schema(signal);
    let columns: Option<Vec<ArrayRef>> =
        schema.fields().iter().map(|field| from.column(field.data_type(), rows)).collect();
    let columns = columns?;
    if !from.0.is_empty() {
        return None;
    }
    RecordBatch::try_new(schema, columns).ok()
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Writes values with one function, once if all are equal.
fn put_values<T: PartialEq + Copy>(
    out: &mut Vec<u8>,
    rows: usize,
    at: impl Fn(usize) -> T,
    write: impl Fn(&mut Vec<u8>, T),
) {
    let constant = rows > 1 && (1..rows).all(|i| at(i) == at(0));
    out.push(if constant { CONSTANT } else { PLAIN });
    for i in 0..if constant { 1 } else { rows } {
        write(out, at(i));
    }
}

/// Lengths first, then the bytes behind each other, which compresses better.
fn put_texts<'a>(out: &mut Vec<u8>, rows: usize, at: impl Fn(usize) -> &'a [u8]) {
    let constant = rows > 1 && (1..rows).all(|i| at(i) == at(0));
    out.push(if constant { CONSTANT } else { PLAIN });
    let rows = if constant { 1 } else { rows };
    (0..rows).for_each(|i| put(out, at(i).len() as u64));
    (0..rows).for_each(|i| out.extend_from_slice(at(i)));
}

fn put_column(out: &mut Vec<u8>, column: &ArrayRef) -> Option<()> {
    let (any, rows) = (column.as_any(), column.len());
    match column.data_type() {
        DataType::Utf8 => {
            let a: &StringArray = any.downcast_ref()?;
            put_texts(out, rows, |i| a.value(i).as_bytes());
        }
        DataType::Binary => {
            let a: &BinaryArray = any.downcast_ref()?;
            put_texts(out, rows, |i| a.value(i));
        }
        DataType::Int64 => {
            let a: &Int64Array = any.downcast_ref()?;
            put_values(out, rows, |i| a.value(i), |o, v| o.extend_from_slice(&v.to_le_bytes()));
        }
        DataType::Float64 => {
            let a: &Float64Array = any.downcast_ref()?;
            let bits = |i| a.value(i).to_bits();
            put_values(out, rows, bits, |o, v| o.extend_from_slice(&v.to_le_bytes()));
        }
        DataType::UInt64 => {
            let a: &UInt64Array = any.downcast_ref()?;
            put_values(out, rows, |i| a.value(i), put);
        }
        DataType::UInt32 => {
            let a: &UInt32Array = any.downcast_ref()?;
            put_values(out, rows, |i| a.value(i), |o, v| put(o, u64::from(v)));
        }
        DataType::UInt16 => {
            let a: &UInt16Array = any.downcast_ref()?;
            put_values(out, rows, |i| a.value(i), |o, v| put(o, u64::from(v)));
        }
        DataType::UInt8 => {
            let a: &UInt8Array = any.downcast_ref()?;
            put_values(out, rows, |i| a.value(i), |o, v| o.push(v));
        }
        DataType::FixedSizeBinary(_) => {
            let a: &FixedSizeBinaryArray = any.downcast_ref()?;
            let value = |i| a.is_valid(i).then(|| a.value(i));
            put_values(out, rows, value, |o, v| match v {
                Some(bytes) => {
                    o.push(1);
                    o.extend_from_slice(bytes);
                }
                None => o.push(0),
            });
        }
        DataType::Map(..) => {
            let a: &MapArray = any.downcast_ref()?;
            let (keys, values) = (a.keys().as_any(), a.values().as_any());
            let (keys, values): (&StringArray, &StringArray) = (keys.downcast_ref()?, values.downcast_ref()?);
            let offset = |i: usize| a.value_offsets().get(i).copied().unwrap_or(0);
            let first = offset(0) as usize;
            let count = offset(rows) as usize - first;
            put_values(out, rows, |i| offset(i + 1) - offset(i), |o, v| put(o, v as u64));
            put(out, count as u64);
            put_texts(out, count, |i| keys.value(first + i).as_bytes());
            put_texts(out, count, |i| values.value(first + i).as_bytes());
        }
        _ => return None,
    }
    Some(())
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    /// The values of a column: as many as rows, or one for all.
    fn values<T: Clone>(
        &mut self,
        rows: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.constant()? {
            return Some(vec![read(self)?; rows]);
        }
        let mut out = Vec::with_capacity(rows.min(self.0.len() + 1));
        for _ in 0..rows {
            out.push(read(self)?);
        }
        Some(out)
    }

    fn constant(&mut self) -> Option<bool> {
        match *self.take(1)?.first()? {
            PLAIN => Some(false),
            CONSTANT => Some(true),
            _ => None,
        }
    }

    fn texts(&mut self, rows: usize) -> Option<Vec<&'a [u8]>> {
        let constant = self.constant()?;
        let stored = if constant { 1 } else { rows };
        if stored > self.0.len() {
            return None;
        }
        let mut lengths = Vec::with_capacity(stored);
        for _ in 0..stored {
            lengths.push(usize::try_from(self.varint()?).ok()?);
        }
        let texts: Option<Vec<&[u8]>> = lengths.into_iter().map(|n| self.take(n)).collect();
        let texts = texts?;
        match (constant, texts.first()) {
            (true, Some(text)) => Some(vec![text; rows]),
            _ => Some(texts),
        }
    }

    fn strings(&mut self, rows: usize) -> Option<ArrayRef> {
        let texts: Result<Vec<&str>, _> = self.texts(rows)?.into_iter().map(std::str::from_utf8).collect();
        Some(Arc::new(StringArray::from_iter_values(texts.ok()?)))
    }

    fn column(&mut self, kind: &DataType, rows: usize) -> Option<ArrayRef> {
        Some(match kind {
            DataType::Utf8 => self.strings(rows)?,
            DataType::Binary => Arc::new(BinaryArray::from_iter_values(self.texts(rows)?)),
            DataType::Int64 => {
                let read = |from: &mut Self| Some(i64::from_le_bytes(from.take(8)?.try_into().ok()?));
                Arc::new(Int64Array::from(self.values(rows, read)?))
            }
            DataType::Float64 => {
                let read = |from: &mut Self| Some(f64::from_le_bytes(from.take(8)?.try_into().ok()?));
                Arc::new(Float64Array::from(self.values(rows, read)?))
            }
            DataType::UInt64 => Arc::new(UInt64Array::from(self.values(rows, Self::varint)?)),
            DataType::UInt32 => {
                let read = |from: &mut Self| u32::try_from(from.varint()?).ok();
                Arc::new(UInt32Array::from(self.values(rows, read)?))
            }
            DataType::UInt16 => {
                let read = |from: &mut Self| u16::try_from(from.varint()?).ok();
                Arc::new(UInt16Array::from(self.values(rows, read)?))
            }
            DataType::UInt8 => {
                let read = |from: &mut Self| from.take(1)?.first().copied();
                Arc::new(UInt8Array::from(self.values(rows, read)?))
            }
            DataType::FixedSizeBinary(width) => {
                let read = |from: &mut Self| match from.take(1)? {
                    [0] => Some(None),
                    [1] => Some(Some(from.take(*width as usize)?.to_vec())),
                    _ => None,
                };
                let values = self.values(rows, read)?;
                let mut out = FixedSizeBinaryBuilder::with_capacity(rows, *width);
                for value in values {
                    match value {
                        Some(bytes) => out.append_value(bytes).ok()?,
                        None => out.append_null(),
                    }
                }
                Arc::new(out.finish())
            }
            DataType::Map(..) => self.map(rows)?,
            _ => return None,
        })
    }

    fn map(&mut self, rows: usize) -> Option<ArrayRef> {
        let lengths = self.values(rows, Self::varint)?;
        let mut ends = Vec::with_capacity(rows + 1);
        let mut end = 0_i32;
        ends.push(end);
        for length in lengths {
            end = end.checked_add(i32::try_from(length).ok()?)?;
            ends.push(end);
        }
        let count = usize::try_from(self.varint()?).ok().filter(|n| *n <= MAX_ROWS * 128)?;
        let (keys, values) = (self.strings(count)?, self.strings(count)?);
        map_array(ends, keys, values)
    }
}
