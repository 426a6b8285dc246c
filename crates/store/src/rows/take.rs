//! Columns read back, by name. A column that is not there, or was not read, gives empty values.

use std::borrow::Cow;

use arrow::array::{
    Array, BinaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, MapArray, RecordBatch, StringArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use ph_model::Attributes;

use super::attributes::value;

/// One batch, to be read by column name.
pub(super) struct Taker<'a>(pub &'a RecordBatch);

impl<'a> Taker<'a> {
    fn column<T: 'static>(&self, name: &str) -> Option<&'a T> {
        self.0.column_by_name(name)?.as_any().downcast_ref()
    }

    pub fn text(&self, name: &str) -> impl Fn(usize) -> String + use<'a> {
        let column: Option<&StringArray> = self.column(name);
        move |i| column.map_or_else(String::new, |c| c.value(i).to_owned())
    }

    pub fn binary(&self, name: &str) -> impl Fn(usize) -> Vec<u8> + use<'a> {
        let column: Option<&BinaryArray> = self.column(name);
        move |i| column.map_or_else(Vec::new, |c| c.value(i).to_vec())
    }

    pub fn long(&self, name: &str) -> impl Fn(usize) -> i64 + use<'a> {
        let column: Option<&Int64Array> = self.column(name);
        move |i| column.map_or(0, |c| c.value(i))
    }

    pub fn double(&self, name: &str) -> impl Fn(usize) -> f64 + use<'a> {
        let column: Option<&Float64Array> = self.column(name);
        move |i| column.map_or(0.0, |c| c.value(i))
    }

    pub fn ulong(&self, name: &str) -> impl Fn(usize) -> u64 + use<'a> {
        let column: Option<&UInt64Array> = self.column(name);
        move |i| column.map_or(0, |c| c.value(i))
    }

    pub fn int(&self, name: &str) -> impl Fn(usize) -> u32 + use<'a> {
        let column: Option<&UInt32Array> = self.column(name);
        move |i| column.map_or(0, |c| c.value(i))
    }

    pub fn short(&self, name: &str) -> impl Fn(usize) -> u16 + use<'a> {
        let column: Option<&UInt16Array> = self.column(name);
        move |i| column.map_or(0, |c| c.value(i))
    }

    pub fn byte(&self, name: &str) -> impl Fn(usize) -> u8 + use<'a> {
        let column: Option<&UInt8Array> = self.column(name);
        move |i| column.map_or(0, |c| c.value(i))
    }

    pub fn fixed<const N: usize>(&self, name: &str) -> impl Fn(usize) -> Option<[u8; N]> + use<'a, N> {
        let column: Option<&FixedSizeBinaryArray> = self.column(name);
        move |i| column.filter(|c| c.is_valid(i)).and_then(|c| c.value(i).try_into().ok())
    }

    pub fn attributes(&self, name: &str, types: &str) -> impl Fn(usize) -> Attributes + use<'a> {
        let map: Option<&MapArray> = self.column(name);
        let types: Option<&StringArray> = self.column(types);
        move |i| match (map.and_then(|m| entries(m, i)), types) {
            (Some(pairs), Some(types)) => {
                let letters = types.value(i).as_bytes();
                let letter = |n: usize| letters.get(n).copied().unwrap_or(b's');
                pairs.enumerate().map(|(n, (k, v))| (k.to_owned(), value(letter(n), v))).collect()
            }
            _ => Attributes::new(),
        }
    }
}

/// Keys and values of one row of a map column.
pub(crate) fn entries(map: &MapArray, row: usize) -> Option<impl Iterator<Item = (&str, &str)>> {
    let keys: &StringArray = map.keys().as_any().downcast_ref()?;
    let values: &StringArray = map.values().as_any().downcast_ref()?;
    let from = *map.value_offsets().get(row)? as usize;
    let to = *map.value_offsets().get(row + 1)? as usize;
    Some((from..to).map(move |n| (keys.value(n), values.value(n))))
}

/// The text of one key of one row of a map column.
pub(crate) fn entry<'a>(map: &'a MapArray, row: usize, key: &str) -> Option<Cow<'a, str>> {
    entries(map, row)?.find(|(k, _)| *k == key).map(|(_, v)| Cow::Borrowed(v))
}
