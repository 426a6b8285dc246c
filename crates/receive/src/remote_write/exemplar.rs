//! Exemplars as senders label them.

use ph_model::{ExemplarRow, Labels};

/// An exemplar of a series still to be named. Ids stand in labels, under the names that clients give them.
pub fn exemplar(pairs: &[(&str, &str)], (at_ms, value): (i64, f64)) -> ExemplarRow {
    let mut row = ExemplarRow { ts: at_ms.saturating_mul(1_000_000), value, ..ExemplarRow::default() };
    let mut rest = Vec::new();
    for (name, text) in pairs {
        match *name {
            "trace_id" | "traceID" | "traceid" if row.trace_id.is_none() => match id(text) {
                Some(id) => row.trace_id = Some(id),
                None => rest.push((*name, *text)),
            },
            "span_id" | "spanID" | "spanid" if row.span_id.is_none() => match id(text) {
                Some(id) => row.span_id = Some(id),
                None => rest.push((*name, *text)),
            },
            _ => rest.push((*name, *text)),
        }
    }
    row.labels = Labels::of(rest);
    row
}

/// An id of `N` bytes in hex digits; leading zeros may be left out.
fn id<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.is_empty() || hex.len() > 2 * N {
        return None;
    }
    let bytes = u128::from_str_radix(hex, 16).ok().filter(|n| *n != 0)?.to_be_bytes();
    bytes.get(16 - N..)?.try_into().ok()
}
