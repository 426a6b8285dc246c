//! Rows of the series file and strings of the symbols file, front-coded within their pages.

use ph_model::SeriesKind;

use crate::series::StartRun;
use crate::varint::{Reader, put, put_signed, put_str};

/// Raw size at which a page of rows or strings is closed.
pub(super) const PAGE_BYTES: usize = 32 << 10;

/// One series: its labels as symbols, what it measures, and where its samples are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// (name, value) symbols in the order of names.
    pub pairs: Vec<(u32, u32)>,
    pub kind: SeriesKind,
    pub unit: u32,
    pub starts: Vec<StartRun>,
    pub first_ms: i64,
    pub last_ms: i64,
    /// Samples; at least one.
    pub count: u64,
    /// Page of samples, and the offset in it.
    pub page: u32,
    pub offset: u32,
}

/// Appends a row; labels that it shares with the row before it on the page are left out.
pub(super) fn put_row(out: &mut Vec<u8>, row: &Row, before: Option<&Row>) {
    let shared = before.map_or(0, |b| b.pairs.iter().zip(&row.pairs).take_while(|(a, b)| a == b).count());
    put(out, shared as u64);
    put(out, (row.pairs.len() - shared) as u64);
    for (name, value) in row.pairs.iter().skip(shared) {
        put(out, u64::from(*name));
        put(out, u64::from(*value));
    }
    out.push(row.kind as u8);
    put(out, u64::from(row.unit));
    put(out, row.starts.len() as u64);
    for run in &row.starts {
        put_signed(out, run.from_ms);
        put_signed(out, run.start_ms);
    }
    let base = before.map_or(0, |b| b.first_ms);
    put_signed(out, row.first_ms.wrapping_sub(base));
    put(out, row.last_ms.wrapping_sub(row.first_ms) as u64);
    put(out, row.count);
    put(out, u64::from(row.page.wrapping_sub(before.map_or(0, |b| b.page))));
    put(out, u64::from(row.offset));
}

/// Reads all rows of a page.
pub(super) fn rows(page: &[u8]) -> Option<Vec<Row>> {
    let mut from = Reader::new(page);
    let mut rows: Vec<Row> = Vec::new();
    while from.left() > 0 {
        let row = take_row(&mut from, rows.last())?;
        rows.push(row);
    }
    Some(rows)
}

fn take_row(from: &mut Reader<'_>, before: Option<&Row>) -> Option<Row> {
    let shared = usize::try_from(from.varint()?).ok()?;
    let mut pairs = match before {
        Some(row) => row.pairs.get(..shared)?.to_vec(),
        None if shared == 0 => Vec::new(),
        None => return None,
    };
    for _ in 0..from.count()? {
        pairs.push((symbol(from)?, symbol(from)?));
    }
    let kind = SeriesKind::from_u8(from.byte()?)?;
    let unit = symbol(from)?;
    let mut starts = Vec::new();
    for _ in 0..from.count()? {
        starts.push(StartRun { from_ms: from.signed()?, start_ms: from.signed()? });
    }
    let first_ms = before.map_or(0, |b| b.first_ms).wrapping_add(from.signed()?);
    let last_ms = first_ms.wrapping_add(from.varint()? as i64);
    let count = from.varint().filter(|n| *n > 0)?;
    let page = before.map_or(0, |b| b.page).wrapping_add(symbol(from)?);
    Some(Row { pairs, kind, unit, starts, first_ms, last_ms, count, page, offset: symbol(from)? })
}

fn symbol(from: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(from.varint()?).ok()
}

/// Appends a string; the prefix that it shares with the string before it on the page is left out.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str, before: Option<&str>) {
    let same = before.unwrap_or("").bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let shared = (0..=same).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    put(out, shared as u64);
    put_str(out, text.get(shared..).unwrap_or(""));
}

/// Reads all strings of a page.
pub(super) fn texts(page: &[u8]) -> Option<Vec<Box<str>>> {
    let mut from = Reader::new(page);
    let mut texts: Vec<Box<str>> = Vec::new();
    while from.left() > 0 {
        let shared = usize::try_from(from.varint()?).ok()?;
        let prefix = texts.last().map_or("", |t| t).get(..shared)?;
        let text = [prefix, from.str()?].concat();
        texts.push(text.into());
    }
    Some(texts)
}
