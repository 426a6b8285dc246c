//! What the pages of an attribute's own column say without being read: in which of them no row can pass, by the least and the
//! largest value of each, and whether all rows have it.

use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::{ByteArrayColumnIndex, ColumnIndexMetaData};
use ph_filter::Filter;
use ph_model::Signal;

use super::attributes::Attributes;
use crate::rows::{ATTRS, OWN, column_name, schema};

/// What every row that passes has in one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    key: String,
    /// One of these texts; `None`: any.
    values: Option<Vec<String>>,
    /// In rows without the attribute the name means something else.
    elsewhere: bool,
}

impl Pin {
    /// All that a filter says of attributes.
    pub fn all(signal: Signal, filter: &Filter) -> Vec<Pin> {
        let on = |field: &str, values| pin(signal, field, values).into_iter().collect();
        match filter {
            Filter::And(parts) => parts.iter().flat_map(|part| Self::all(signal, part)).collect(),
            Filter::Or(parts) => either(parts.iter().map(|part| Self::all(signal, part))),
            Filter::Equal { field, value } => on(field, Some(vec![value.clone()])),
            Filter::Contains { field: Some(field), .. }
            | Filter::Words { field: Some(field), .. }
            | Filter::Regex { field: Some(field), .. }
            | Filter::Compare { field, .. }
            | Filter::Between { field, .. }
            | Filter::Has { field } => on(field, None),
            _ => Vec::new(),
        }
    }

    fn may(&self, index: &ByteArrayColumnIndex, page: usize) -> bool {
        if index.is_null_page(page) {
            return self.elsewhere;
        }
        if self.elsewhere && index.null_count(page) != Some(0) {
            return true;
        }
        match (&self.values, index.min_value(page), index.max_value(page)) {
            (Some(values), Some(least), Some(most)) => {
                values.iter().any(|value| least <= value.as_bytes() && value.as_bytes() <= most)
            }
            _ => true,
        }
    }
}

fn pin(signal: Signal, field: &str, values: Option<Vec<String>>) -> Option<Pin> {
    let is_column = ["message", "level", "ts"].contains(&field) || column_name(signal, field).is_some();
    let is_other = field.starts_with("resource.") || field.starts_with("body.");
    if is_column || is_other || schema(signal).column_with_name(ATTRS).is_none() {
        return None;
    }
    let key = field.strip_prefix(OWN);
    Some(Pin { key: key.unwrap_or(field).to_owned(), values, elsewhere: key.is_none() })
}

/// What is said of an attribute by one and by each of the others.
fn either(mut parts: impl Iterator<Item = Vec<Pin>>) -> Vec<Pin> {
    let mut out = parts.next().unwrap_or_default();
    for pins in parts {
        out.retain_mut(|one| {
            let same = pins.iter().find(|p| (&p.key, p.elsewhere) == (&one.key, one.elsewhere));
            if let Some(same) = same {
                one.values = one
                    .values
                    .take()
                    .zip(same.values.as_ref())
                    .map(|(a, b)| [a.as_slice(), b.as_slice()].concat());
            }
            same.is_some()
        });
    }
    out
}

/// The number of an attribute's own column.
fn own_column(meta: &ParquetMetaData, key: &str) -> Option<usize> {
    let columns = meta.file_metadata().schema_descr().columns();
    let is_own = |parts: &[String]| matches!(parts, [name] if name.strip_prefix(OWN) == Some(key));
    columns.iter().position(|c| is_own(c.path().parts()))
}

/// Whether all rows of a group have an attribute.
pub(super) fn is_in_all(meta: &ParquetMetaData, group: usize, key: &str) -> bool {
    let counted = own_column(meta, key)
        .and_then(|column| meta.page_index()?.column_index(group, column)?.null_counts());
    counted.is_some_and(|counts| counts.iter().all(|nulls| *nulls == 0))
}

/// First row and length of each run of rows.
pub(super) type Runs = Vec<(u64, u64)>;

/// Pins that a file has columns for.
pub(super) struct Pinned<'a> {
    meta: &'a ParquetMetaData,
    /// With the number of the column.
    pins: Vec<(usize, &'a Pin)>,
}

impl<'a> Pinned<'a> {
    pub fn new(meta: &'a ParquetMetaData, pins: &'a [Pin]) -> Self {
        let known = if pins.is_empty() { None } else { Attributes::read(meta.file_metadata()) };
        let of = |pin: &'a Pin| {
            // Questions compare text without escapes of terminals, pages with them.
            let is_ordered = pin.values.is_none() || known.as_ref()?.is_plain(&pin.key);
            own_column(meta, &pin.key).filter(|_| is_ordered).map(|at| (at, pin))
        };
        Self { meta, pins: pins.iter().filter_map(of).collect() }
    }

    /// The runs of a group of rows without pages in which no row can pass.
    pub fn left(&self, group: usize, (first_row, rows): (u64, u64), mut runs: Runs) -> Runs {
        for (column, pin) in &self.pins {
            if runs.is_empty() {
                break;
            }
            let pages = self.meta.page_index().and_then(|index| {
                let places = index.offset_index(group, *column)?.page_locations();
                match index.column_index(group, *column)? {
                    ColumnIndexMetaData::BYTE_ARRAY(values) if values.num_pages() == places.len() as u64 => {
                        Some((places, values))
                    }
                    _ => None,
                }
            });
            let Some((places, values)) = pages else { continue };
            let mut left = Runs::new();
            for (page, place) in places.iter().enumerate().filter(|(page, _)| pin.may(values, *page)) {
                let from = u64::try_from(place.first_row_index).unwrap_or(0);
                let next = places.get(page + 1).and_then(|next| u64::try_from(next.first_row_index).ok());
                let to = next.unwrap_or(rows).max(from);
                match left.last_mut() {
                    Some(last) if last.0 + last.1 == first_row + from => last.1 += to - from,
                    _ => left.push((first_row + from, to - from)),
                }
            }
            runs = common(&runs, &left);
        }
        runs
    }
}

/// Rows that are in both; both ascend.
fn common(a: &[(u64, u64)], b: &[(u64, u64)]) -> Runs {
    let mut out = Runs::new();
    for (from, count) in a {
        let behind = b.partition_point(|(other, length)| other + length <= *from);
        for (other, length) in b.iter().skip(behind).take_while(|(other, _)| *other < from + count) {
            let (start, end) = ((*from).max(*other), (from + count).min(other + length));
            if start < end {
                out.push((start, end - start));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ph_filter::query::parse_filter;

    use super::*;

    #[test]
    fn what_filters_pin() {
        let check = |text: &str, want: &str| {
            let pins = Pin::all(Signal::Logs, &parse_filter(text).unwrap());
            let said = pins.iter().map(|pin| {
                let name = if pin.elsewhere { pin.key.clone() } else { format!("{OWN}{}", pin.key) };
                pin.values.as_ref().map_or(format!("{name} any"), |v| format!("{name} {}", v.join("|")))
            });
            assert_eq!(said.collect::<Vec<_>>().join(", "), want, "{text}");
        };
        check("attr.k=v pod=x timeout", "attr.k v");
        check("attr.k=v attr.l>5 m:w", "attr.k v, attr.l any, m any");
        check("attr.k=v or attr.k=w", "attr.k v|w");
        check("attr.k=v or attr.k=~w", "attr.k any");
        check("attr.k=v or attr.l=v", "");
        check("attr.k=v or k=v", "");
        check("(attr.k=v attr.l=1) or (attr.l=2 attr.m=3)", "attr.l 1|2");
        check("not attr.k=v", "");
        check("attr.k!=v", "");
        check("resource.k=v body.k=v level=warn ts>=2026-01-31T14:05:00Z", "");
        assert_eq!(Pin::all(Signal::Events, &parse_filter("attr.k=v").unwrap()), []);
        assert_eq!(Pin::all(Signal::Logs, &Filter::Or(Vec::new())), []);
    }

    #[test]
    fn rows_in_both() {
        let runs = [(0, 10), (20, 10), (40, 5)];
        assert_eq!(common(&runs, &[(5, 20), (42, 100)]), [(5, 5), (20, 5), (42, 3)]);
        assert_eq!(common(&runs, &[(10, 10)]), []);
        assert_eq!(common(&runs, &[(0, 100)]), runs);
    }
}
