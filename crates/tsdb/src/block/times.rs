//! Times of one series: a constant step, or second differences as varints. The first time stands in the series row.

use ph_model::Sample;

use crate::varint::{Reader, put, put_signed};

pub(super) const STEP: u8 = 0;
pub(super) const CHANGES: u8 = 1;

/// Appends the times after the first; gives the form. Differences wrap, so any ascending times survive.
pub(super) fn encode(times: &[i64], out: &mut Vec<u8>) -> u8 {
    let step = |w: &[i64]| w[1].wrapping_sub(w[0]);
    let first = times.get(..2).map_or(0, step);
    if times.windows(2).all(|w| step(w) == first) {
        put(out, first as u64);
        return STEP;
    }
    put(out, first as u64);
    let mut before = first;
    for pair in times.windows(2).skip(1) {
        let now = step(pair);
        put_signed(out, now.wrapping_sub(before));
        before = now;
    }
    CHANGES
}

/// Reads `count` times into samples whose values are still zero.
pub(super) fn decode(form: u8, first_ms: i64, count: usize, from: &mut Reader<'_>) -> Option<Vec<Sample>> {
    let mut samples = Vec::with_capacity(count.min(1 << 16));
    let mut step = from.varint()? as i64;
    let mut at_ms = first_ms;
    for i in 0..count {
        if form == CHANGES && i > 1 {
            step = step.wrapping_add(from.signed()?);
        }
        if i > 0 {
            at_ms = at_ms.wrapping_add(step);
        }
        samples.push(Sample { at_ms, value: 0.0 });
    }
    (form <= CHANGES).then_some(samples)
}
