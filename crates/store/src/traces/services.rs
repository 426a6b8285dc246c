//! Services with their operations.

use std::collections::BTreeMap;

use arrow::array::{Int64Array, RecordBatch, StringArray, UInt8Array};
use ph_model::{RangeNs, SpanKind, SpanStatus};

use crate::contract::{Operation, Service, ServicePage};
use crate::rows::{Columns, TS};
use crate::scan::{self, Scanned};
use crate::snapshot::Table;

/// Most pairs of service and operation that are told apart.
const MAX_OPERATIONS: usize = 10_000;

/// Everything of a service: (name, kind) → (spans, errors).
type Operations = BTreeMap<(String, u8), (u64, u64)>;

pub(crate) fn services(table: Option<&Table>, range: RangeNs) -> ServicePage {
    let mut tally = Tally { range, services: BTreeMap::new(), operations: 0, truncated: false };
    let mut scanned = Scanned::default();
    if let Some(table) = table {
        let columns = Columns::from([TS, "service", "name", "kind", "status"]);
        scan::batches(table, (&columns, range), &mut scanned, &mut |batch| tally.add(batch));
    }
    let services = tally.services.into_iter().map(|(name, operations)| Service {
        name,
        operations: operations
            .into_iter()
            .map(|((name, kind), (spans, errors))| Operation {
                name,
                kind: SpanKind::from_u8(kind),
                spans,
                errors,
            })
            .collect(),
    });
    ServicePage { services: services.collect(), truncated: tally.truncated, incomplete: scanned.incomplete }
}

struct Tally {
    range: RangeNs,
    services: BTreeMap<String, Operations>,
    operations: usize,
    truncated: bool,
}

impl Tally {
    fn add(&mut self, batch: &RecordBatch) -> Option<()> {
        let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
        let service: &StringArray = batch.column_by_name("service")?.as_any().downcast_ref()?;
        let name: &StringArray = batch.column_by_name("name")?.as_any().downcast_ref()?;
        let kind: &UInt8Array = batch.column_by_name("kind")?.as_any().downcast_ref()?;
        let status: &UInt8Array = batch.column_by_name("status")?.as_any().downcast_ref()?;
        let range = self.range;
        for row in (0..batch.num_rows()).filter(|row| range.contains(ts.value(*row))) {
            let error = SpanStatus::from_u8(status.value(row)) == SpanStatus::Error;
            self.count((service.value(row), name.value(row)), kind.value(row), error);
        }
        Some(())
    }

    fn count(&mut self, (service, name): (&str, &str), kind: u8, error: bool) {
        let full = self.operations >= MAX_OPERATIONS;
        if !self.services.contains_key(service) {
            if full {
                self.truncated = true;
                return;
            }
            self.services.insert(service.to_owned(), Operations::new());
        }
        let Some(operations) = self.services.get_mut(service) else { return };
        let key = (name.to_owned(), kind);
        if let Some((spans, errors)) = operations.get_mut(&key) {
            *spans += 1;
            *errors += u64::from(error);
        } else if full {
            self.truncated = true;
        } else {
            operations.insert(key, (1, u64::from(error)));
            self.operations += 1;
        }
    }
}
