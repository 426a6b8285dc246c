//! Which fields rows have, or which values one field has, with counts.

use std::collections::HashMap;

use arrow::array::MapArray;
use ph_filter::Record;
use ph_model::{ErrorKind, Signal};

use crate::contract::{Error, FieldCount, FieldsAsk, FieldsPage};
use crate::rows::{ATTRS, Columns, RowView, columns_of_field, entries, listed};
use crate::scan::{self, Plan, Scanned};
use crate::snapshot::Table;

/// Different names or values that are told apart.
const TOLD_APART: usize = 100_000;
const MAX_ITEMS: usize = 10_000;

/// Errors: `Invalid` for the ask; damage is told in the page.
pub(crate) fn fields(table: Option<&Table>, ask: &FieldsAsk) -> Result<FieldsPage, Error> {
    if ask.limit == 0 || ask.limit > MAX_ITEMS {
        let what = format!("limit {} is not between 1 and {MAX_ITEMS}", ask.limit);
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let mut plan = Plan::new(table, ask.signal, &ask.filter, ask.range)?;
    match &ask.field {
        Some(field) => columns_of_field(ask.signal, field, &mut plan.columns),
        None => names_columns(ask.signal, &mut plan.columns),
    }
    let mut tally = Tally::default();
    let mut scanned = Scanned::default();
    if let Some(table) = table {
        scan::all(table, &plan, &mut scanned, &mut |passed| {
            for (row, _) in passed.rows() {
                let view = RowView { signal: ask.signal, batch: passed.batch, row };
                tally.rows += 1;
                match &ask.field {
                    Some(field) => tally.value(&view, field),
                    None => tally.names(&view),
                }
            }
            Some(())
        });
    }
    let mut items: Vec<FieldCount> =
        tally.counts.into_iter().map(|(name, rows)| FieldCount { name, rows }).collect();
    items.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    let truncated = tally.full || items.len() > ask.limit;
    items.truncate(ask.limit);
    Ok(FieldsPage {
        items,
        truncated,
        rows: tally.rows,
        scanned_rows: scanned.rows,
        scanned_bytes: scanned.bytes,
        incomplete: scanned.incomplete,
    })
}

fn names_columns(signal: Signal, into: &mut Columns) {
    into.extend(listed(signal).map(|(_, column)| column));
    if signal != Signal::Events {
        into.extend([ATTRS, "resource"]);
    }
}

#[derive(Default)]
struct Tally {
    counts: HashMap<String, u64>,
    rows: u64,
    full: bool,
}

impl Tally {
    fn add(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() >= TOLD_APART {
            self.full = true;
        } else {
            self.counts.insert(name.to_owned(), 1);
        }
    }

    fn value(&mut self, row: &RowView<'_>, field: &str) {
        match field {
            "message" | "level" => self.add(&row.group(field)),
            _ => {
                if let Some(value) = row.field(field) {
                    self.add(&value);
                }
            }
        }
    }

    fn names(&mut self, row: &RowView<'_>) {
        for (name, column) in listed(row.signal) {
            if row.holds(column) {
                self.add(name);
            }
        }
        let map =
            |name: &str| -> Option<&MapArray> { row.batch.column_by_name(name)?.as_any().downcast_ref() };
        for (key, _) in map(ATTRS).and_then(|m| entries(m, row.row)).into_iter().flatten() {
            self.add(key);
        }
        for (key, _) in map("resource").and_then(|m| entries(m, row.row)).into_iter().flatten() {
            self.add(&format!("resource.{key}"));
        }
    }
}
