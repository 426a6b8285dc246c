//! What an organisation holds.

use ph_model::{OrgId, Signal};

use crate::contract::Stats;
use crate::shard::Shared;

/// Sums over head, memory and parts. Walks over all active series.
pub(crate) fn stats(shared: &Shared, org: OrgId) -> Stats {
    let mut out = Stats::default();
    if let Some(head) = shared.head(org).map(|h| h.stats()) {
        out.active_series = head.series;
        add(&mut out, Signal::Metrics, (head.samples, head.bytes, head.first_ms));
    }
    let snapshot = shared.snapshots.load();
    for block in snapshot.blocks.get(&org).map(Vec::as_slice).unwrap_or_default() {
        out.parts += 1;
        add(&mut out, Signal::Metrics, (block.row.rows, block.row.bytes, Some(block.row.first)));
    }
    for block in snapshot.rolled(org) {
        out.parts += 1;
        // Its rows are none that anybody sent.
        add(&mut out, Signal::Metrics, (0, block.row.bytes, None));
    }
    for signal in Signal::ALL {
        let Some(table) = snapshot.table(org, signal) else { continue };
        for generation in &table.generations {
            let first = generation.bounds().map(|(first, _)| first.div_euclid(1_000_000));
            add(&mut out, signal, (generation.rows(), generation.bytes(), first));
        }
        for part in &table.parts {
            out.parts += 1;
            add(
                &mut out,
                signal,
                (part.row.rows, part.row.bytes, Some(part.row.first.div_euclid(1_000_000))),
            );
        }
    }
    out.refused = shared.usage(org).refused();
    out
}

fn add(to: &mut Stats, signal: Signal, (rows, bytes, first_ms): (u64, u64, Option<i64>)) {
    let Some(at) = Signal::ALL.iter().position(|s| *s == signal) else { return };
    if let (Some(r), Some(b), Some(oldest)) =
        (to.rows.get_mut(at), to.bytes.get_mut(at), to.oldest_ms.get_mut(at))
    {
        *r += rows;
        *b += bytes;
        *oldest = [*oldest, first_ms].into_iter().flatten().min();
    }
}
