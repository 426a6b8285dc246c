//! What values a part's columns have, in at most 1 KiB of its catalogue row, so that parts are passed over unopened.
//!
//! A column has its values whole when they are few, else a Bloom filter over them, else nothing. A question is tried on
//! the values themselves, with the same code that tries it on rows: what could pass in no row passes here for no value.
//!
//! Bytes: version, then for each column `name length u8 | name | kind u8 | length u16 | payload`, little endian.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema};
use ph_filter::{Compiled, Filter};
use ph_model::Signal;
use xxhash_rust::xxh3::xxh3_128;

use crate::rows::{Columns, RowView, columns_for, schema};

/// Most bytes of a summary.
pub(crate) const MOST_BYTES: usize = 1_024;
const VERSION: u8 = 1;
const SET: u8 = 0;
const BLOOM: u8 = 1;
/// A column's values are kept whole up to so many bytes.
const SET_BYTES: usize = 160;
/// More values than this are too many for a filter, too.
const MOST_VALUES: usize = 256;
/// Bits a value and probes: about one in a hundred values that are not there seems to be.
const BLOOM_BITS: usize = 10;
const BLOOM_PROBES: u32 = 7;
/// Text is compared without escapes of terminals, which a hash cannot do.
const ESC: u8 = 0x1b;

/// Columns that are summed up, the most telling first.
fn columns(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Logs => {
            &["level", "cluster", "namespace", "service", "workload", "container", "node", "iostream", "pod"]
        }
        Signal::Spans => &[
            "status",
            "kind",
            "cluster",
            "namespace",
            "service",
            "workload",
            "node",
            "http_method",
            "db_system",
            "peer_service",
            "pod",
            "name",
        ],
        Signal::Events => &[
            "type",
            "cluster",
            "object_namespace",
            "object_kind",
            "reason",
            "reporter",
            "node",
            "object_name",
        ],
        Signal::Metrics | Signal::Exemplars => &[],
    }
}

/// The values of a part's columns, while its rows come.
pub(crate) struct Gathering {
    /// `None`: too many.
    seen: Vec<(&'static str, Option<BTreeSet<Vec<u8>>>)>,
}

impl Gathering {
    pub fn new(signal: Signal) -> Self {
        Self { seen: columns(signal).iter().map(|name| (*name, Some(BTreeSet::new()))).collect() }
    }

    /// The next rows. A column that is missing is not summed up.
    pub fn add(&mut self, batch: &RecordBatch) {
        for (name, seen) in &mut self.seen {
            let Some(values) = seen else { continue };
            let column = batch.column_by_name(name).map(|c| c.as_any());
            if let Some(texts) = column.and_then(|c| c.downcast_ref::<StringArray>()) {
                add_runs(values, (0..texts.len()).map(|i| texts.value(i).as_bytes()));
            } else if let Some(numbers) = column.and_then(|c| c.downcast_ref::<UInt8Array>()) {
                add_runs(values, numbers.values().chunks_exact(1));
            } else {
                *seen = None;
                continue;
            }
            if values.len() > MOST_VALUES {
                *seen = None;
            }
        }
    }

    pub fn finish(self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for (name, values) in self.seen {
            let Some(values) = values else { continue };
            let whole = values.iter().map(|v| v.len() + 2).sum::<usize>();
            let (kind, payload) = match whole <= SET_BYTES {
                true => (SET, set(&values)),
                false if values.iter().all(|v| !v.contains(&ESC)) => (BLOOM, bloom(&values)),
                false => continue,
            };
            if out.len() + name.len() + 4 + payload.len() > MOST_BYTES {
                continue;
            }
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
            out.push(kind);
            out.extend_from_slice(&(payload.len() as u16).to_le_bytes());
            out.extend_from_slice(&payload);
        }
        out
    }
}

/// Values repeat from row to row, so each run is looked at once. Stops when they are too many.
fn add_runs<'a>(values: &mut BTreeSet<Vec<u8>>, all: impl Iterator<Item = &'a [u8]>) {
    let mut last = None;
    for value in all {
        if last == Some(value) {
            continue;
        }
        last = Some(value);
        if !values.contains(value) {
            values.insert(value.to_vec());
            if values.len() > MOST_VALUES {
                return;
            }
        }
    }
}

fn set(values: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
        out.extend_from_slice(value);
    }
    out
}

fn bloom(values: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let mut out = vec![0; (values.len() * BLOOM_BITS).div_ceil(8)];
    for value in values {
        for (byte, bit) in probes(value, out.len()) {
            if let Some(byte) = out.get_mut(byte) {
                *byte |= bit;
            }
        }
    }
    out
}

/// Byte and bit of each probe.
fn probes(value: &[u8], bytes: usize) -> impl Iterator<Item = (usize, u8)> + use<> {
    let hash = xxh3_128(value);
    let (first, step) = (hash as u64, (hash >> 64) as u64 | 1);
    let bits = (bytes as u64 * 8).max(1);
    (0..BLOOM_PROBES).map(move |n| {
        let at = first.wrapping_add(step.wrapping_mul(u64::from(n))) % bits;
        ((at / 8) as usize, 1 << (at % 8))
    })
}

/// What is known of one column.
#[derive(Debug)]
enum Known {
    /// Its values, as rows with that column alone.
    Values(RecordBatch),
    Bloom(Vec<u8>),
}

/// A summary that was read.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    columns: BTreeMap<String, Known>,
}

impl Summary {
    /// What cannot be read is not known.
    pub fn read(signal: Signal, bytes: &[u8]) -> Self {
        let mut columns = BTreeMap::new();
        let Some((&VERSION, mut rest)) = bytes.split_first() else { return Self::default() };
        while !rest.is_empty() {
            let Some((name, known)) = next_column(signal, &mut rest) else { return Self::default() };
            columns.insert(name, known);
        }
        Self { columns }
    }

    /// Whether a row may pass.
    pub fn may_hold(&self, asked: &Asked) -> bool {
        self.may(&asked.node).0
    }

    /// Whether some row may pass, and whether some row may not.
    fn may(&self, node: &Node) -> (bool, bool) {
        match node {
            Node::All => (true, false),
            Node::Unknown => (true, true),
            Node::Not(part) => {
                let (pass, fail) = self.may(part);
                (fail, pass)
            }
            Node::And(parts) => {
                parts.iter().map(|p| self.may(p)).fold((true, false), |a, b| (a.0 && b.0, a.1 || b.1))
            }
            Node::Or(parts) => {
                parts.iter().map(|p| self.may(p)).fold((false, true), |a, b| (a.0 || b.0, a.1 && b.1))
            }
            Node::Column { signal, name, filter, equal } => match (self.columns.get(*name), equal) {
                (Some(Known::Values(batch)), _) => {
                    let mut found = (false, false);
                    for row in 0..batch.num_rows() {
                        let passes = filter.matches(&RowView { signal: *signal, batch, row });
                        found = (found.0 || passes, found.1 || !passes);
                    }
                    found
                }
                (Some(Known::Bloom(bits)), Some(equal)) => {
                    let has = |value: &String| {
                        probes(value.as_bytes(), bits.len())
                            .all(|(b, bit)| bits.get(b).is_some_and(|b| b & bit != 0))
                    };
                    (equal.iter().any(has), true)
                }
                _ => (true, true),
            },
        }
    }
}

fn next_column(signal: Signal, rest: &mut &[u8]) -> Option<(String, Known)> {
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at_checked(n)?;
        *rest = tail;
        Some(head)
    };
    let length = *take(1)?.first()?;
    let name = std::str::from_utf8(take(usize::from(length))?).ok()?.to_owned();
    let kind = *take(1)?.first()?;
    let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
    let payload = take(usize::from(length))?;
    let known = match kind {
        SET => Known::Values(values(signal, &name, payload)?),
        BLOOM if !payload.is_empty() => Known::Bloom(payload.to_vec()),
        _ => return None,
    };
    Some((name, known))
}

/// The values of a column as rows that have that column alone.
fn values(signal: Signal, name: &str, mut payload: &[u8]) -> Option<RecordBatch> {
    let mut all: Vec<&[u8]> = Vec::new();
    while let Some((length, tail)) = payload.split_first_chunk::<2>() {
        let (value, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        all.push(value);
        payload = tail;
    }
    let known = schema(signal);
    let kind = known.field_with_name(name).ok()?.data_type();
    let column: ArrayRef = match kind {
        DataType::Utf8 => {
            let texts: Result<Vec<&str>, _> = all.into_iter().map(std::str::from_utf8).collect();
            Arc::new(StringArray::from(texts.ok()?))
        }
        DataType::UInt8 => {
            let numbers: Option<Vec<u8>> = all.into_iter().map(|v| v.first().copied()).collect();
            Arc::new(UInt8Array::from(numbers?))
        }
        _ => return None,
    };
    RecordBatch::try_new(Arc::new(Schema::new(vec![Field::new(name, kind.clone(), false)])), vec![column])
        .ok()
}

/// A question as far as summaries can answer it.
#[derive(Debug)]
pub(crate) struct Asked {
    node: Node,
}

#[derive(Debug)]
enum Node {
    All,
    Unknown,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// It looks at one column alone; `equal` when it asks for one of these texts.
    Column {
        signal: Signal,
        name: &'static str,
        filter: Box<Compiled>,
        equal: Option<Vec<String>>,
    },
}

impl Asked {
    pub fn new(signal: Signal, filter: &Filter) -> Self {
        Self { node: node(signal, filter) }
    }
}

fn node(signal: Signal, filter: &Filter) -> Node {
    let mut needed = Columns::default();
    columns_for(signal, filter, &mut needed);
    let one = needed.only().filter(|name| columns(signal).contains(name));
    if let Some(name) = one
        && let Ok(compiled) = Compiled::new(filter)
    {
        let mut equal = Vec::new();
        let equal = texts(filter, &mut equal).map(|()| equal);
        return Node::Column { signal, name, filter: Box::new(compiled), equal };
    }
    let all = |parts: &[Filter]| parts.iter().map(|part| node(signal, part)).collect();
    match filter {
        Filter::All => Node::All,
        Filter::And(parts) => Node::And(all(parts)),
        Filter::Or(parts) => Node::Or(all(parts)),
        Filter::Not(part) => Node::Not(Box::new(node(signal, part))),
        _ => Node::Unknown,
    }
}

/// The texts of which a filter asks one; `None` when it asks for something else.
fn texts(filter: &Filter, into: &mut Vec<String>) -> Option<()> {
    match filter {
        Filter::Equal { value, .. } => {
            into.push(value.clone());
            Some(())
        }
        Filter::Or(parts) => parts.iter().try_for_each(|part| texts(part, into)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
