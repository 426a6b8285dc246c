//! The postings file: bitmaps of row numbers, and an FST from `name 0xff value` to them.
//!
//! A value that only one series has stands in the FST itself; others point at a bitmap with length and checksum.

use std::sync::OnceLock;

use fst::{IntoStreamer, Streamer};
use roaring::RoaringBitmap;

use super::dfa::ValueAutomaton;
use super::file::{BlockFile, FileWriter};
use super::{FileMeta, POSTINGS, Sink};
use crate::Error;
use crate::matching::LabelTest;
use crate::postings::{Postings, Side};

/// Between name and value; no UTF-8 text holds it.
const SEPARATOR: u8 = 0xff;
/// Set in FST values that are a row number instead of an offset.
const SINGLE: u64 = 1 << 63;
/// Length and checksum before a bitmap.
const BITMAP_HEADER: u64 = 8;

pub(super) fn key(name: &str, value: &str) -> Vec<u8> {
    [name.as_bytes(), &[SEPARATOR], value.as_bytes()].concat()
}

/// Writes the file. `lists` are ascending by key; each holds ascending row numbers.
pub(super) fn write(lists: Vec<(Vec<u8>, Vec<u32>)>, sink: &mut dyn Sink) -> Result<FileMeta, Error> {
    let mut file = FileWriter::create(POSTINGS, sink)?;
    let mut map = fst::MapBuilder::memory();
    for (key, rows) in lists {
        let value = match rows.as_slice() {
            [row] => SINGLE | u64::from(*row),
            _ => {
                let mut bitmap: RoaringBitmap = rows.into_iter().collect();
                bitmap.optimize();
                let mut bytes = Vec::with_capacity(bitmap.serialized_size());
                let fault = |cause| Error::Io { act: "write", file: POSTINGS.0.to_owned(), cause };
                bitmap.serialize_into(&mut bytes).map_err(fault)?;
                let at = file.at;
                file.append(&(bytes.len() as u32).to_le_bytes())?;
                file.append(&crc32c::crc32c(&bytes).to_le_bytes())?;
                file.append(&bytes)?;
                at
            }
        };
        let order =
            |_| Error::Order { what: "label value", series: String::from_utf8_lossy(&key).into_owned() };
        map.insert(&key, value).map_err(order)?;
    }
    let directory = map.into_inner().map_err(|_| Error::TooMany { what: "label values" })?;
    file.finish(&directory)
}

pub(super) struct Inverted {
    pub file: BlockFile,
    pub crc: u32,
    rows: u32,
    map: OnceLock<fst::Map<Vec<u8>>>,
}

impl Inverted {
    pub fn new(file: BlockFile, crc: u32, rows: u32) -> Self {
        Self { file, crc, rows, map: OnceLock::new() }
    }

    /// The FST, read at first use.
    pub fn map(&self) -> Result<&fst::Map<Vec<u8>>, Error> {
        if let Some(map) = self.map.get() {
            return Ok(map);
        }
        let (bytes, at, _) = self.file.directory(POSTINGS.1)?;
        let map = fst::Map::new(bytes).map_err(|_| self.file.corrupt(at, "its index of label values"))?;
        Ok(self.map.get_or_init(|| map))
    }

    pub fn bitmap(&self, value: u64) -> Result<RoaringBitmap, Error> {
        if value & SINGLE != 0 {
            let row = (value & !SINGLE) as u32;
            return Ok(RoaringBitmap::from([row]));
        }
        let head = self.file.read(value, BITMAP_HEADER)?;
        let mut fields = crate::varint::Reader::new(&head);
        let (len, crc) = fields.u32().zip(fields.u32()).unwrap_or_default();
        let at = value + BITMAP_HEADER;
        let bytes = self.file.read_checked(at, u64::from(len), crc)?;
        let bitmap = RoaringBitmap::deserialize_from(bytes.as_slice());
        bitmap.map_err(|_| self.file.corrupt(at, "a bitmap of series"))
    }

    /// Visits each value of a label, ascending, with what the FST says of it.
    pub fn each_value(
        &self,
        name: &str,
        mut visit: impl FnMut(&str, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let from = key(name, "");
        let to = [from.as_slice(), &[SEPARATOR]].concat();
        let mut stream = self.map()?.range().ge(&from).lt(to).into_stream();
        while let Some((key, place)) = stream.next() {
            let value = key.get(from.len()..).and_then(|v| std::str::from_utf8(v).ok());
            visit(value.ok_or_else(|| self.file.corrupt(0, "a label value is not UTF-8"))?, place)?;
        }
        Ok(())
    }

    /// All label names, ascending.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let map = self.map()?;
        let mut names: Vec<String> = Vec::new();
        let mut after = Vec::new();
        while let Some((key, _)) = map.range().ge(&after).into_stream().next() {
            let name = key.split(|b| *b == SEPARATOR).next().and_then(|n| std::str::from_utf8(n).ok());
            let name = name.ok_or_else(|| self.file.corrupt(0, "a label name is not UTF-8"))?;
            after = [name.as_bytes(), &[SEPARATOR, SEPARATOR]].concat();
            names.push(name.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn walk(&self, automaton: ValueAutomaton) -> Result<RoaringBitmap, Error> {
        let mut found = RoaringBitmap::new();
        let mut stream = self.map()?.search(automaton).into_stream();
        while let Some((_, place)) = stream.next() {
            self.add(place, &mut found)?;
        }
        Ok(found)
    }

    fn add(&self, place: u64, found: &mut RoaringBitmap) -> Result<(), Error> {
        if place & SINGLE != 0 {
            found.insert((place & !SINGLE) as u32);
        } else {
            *found |= self.bitmap(place)?;
        }
        Ok(())
    }
}

impl Postings for Inverted {
    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.rows);
        all
    }

    fn with_value(&self, name: &str, value: &str) -> Result<RoaringBitmap, Error> {
        match self.map()?.get(key(name, value)) {
            Some(place) => self.bitmap(place),
            None => Ok(RoaringBitmap::new()),
        }
    }

    fn with_values(&self, test: &LabelTest, side: Side) -> Result<RoaringBitmap, Error> {
        let positive = test.is_negated() == (side == Side::Refused);
        let walk = test.pattern().filter(|_| positive);
        if let Some(automaton) = walk.and_then(|p| ValueAutomaton::new(key(test.name(), ""), p)) {
            return self.walk(automaton);
        }
        let mut found = RoaringBitmap::new();
        self.each_value(test.name(), |value, place| {
            if test.accepts(value) == (side == Side::Accepted) {
                self.add(place, &mut found)?;
            }
            Ok(())
        })?;
        Ok(found)
    }
}
