//! Names that metrics have, without a look at any series.
//!
//! In:     indexes of the head, of blocks and of roll-ups that touch a range.
//! Out:    names of labels and of metrics; some may have no sample in the range, none that has one is missing.

use ph_model::{OrgId, RangeMs};

use crate::contract::{Error, KnownNames, LabelPage};
use crate::shard::Shared;
use crate::{rolled, series};

/// The label that holds the name of a metric.
const NAME: &str = "__name__";

/// At most `most` of each kind. Errors: those of the disk, and damage, which is noted at its block.
pub(crate) fn names(shared: &Shared, org: OrgId, range: RangeMs, most: usize) -> Result<KnownNames, Error> {
    let (mut labels, mut metrics) = (Vec::new(), Vec::new());
    if let Some(head) = shared.head(org) {
        labels.extend(head.known_names());
        metrics.extend(head.known_values(NAME));
    }
    let mut truncated = (false, false);
    for block in series::blocks(shared, org, range).into_iter().chain(rolled::listed(shared, org, range)) {
        let of = |block: &ph_tsdb::Block| {
            let names = block.label_names(&[], RangeMs::ALL, most)?;
            Ok((names, block.label_values(NAME, &[], RangeMs::ALL, most)?))
        };
        let found = series::open(&block).and_then(|b| of(b).map_err(series::lift));
        let found = found.inspect_err(|e| drop(block.note_damage(e.kind, e.text.clone())))?;
        truncated = (truncated.0 || found.0.truncated, truncated.1 || found.1.truncated);
        labels.extend(found.0.items);
        metrics.extend(found.1.items);
    }
    let page = |names: Vec<String>, truncated: bool| {
        let found = ph_tsdb::Listing::cut(names, most);
        LabelPage { values: found.items, truncated: truncated || found.truncated }
    };
    Ok(KnownNames { labels: page(labels, truncated.0), metrics: page(metrics, truncated.1) })
}
