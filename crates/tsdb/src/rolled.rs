//! Roll-ups of a day as samples, so that blocks hold them like any other series.
//!
//! A series of a roll-up keeps its labels. Its samples are columns, one behind the other: sample `c * windows + w` ms
//! after the day's begin is column `c` of window `w`; what is zero or not there has none. So values of one kind stand
//! together, and the block's codec packs them well.
//!
//! In decoding: samples of a block; what [`pack`] does not write gives `None`.

use ph_model::{Rolled, Sample};

const DAY_MS: i64 = 86_400_000;
const COUNT: i64 = 0;
const SUM: i64 = 1;
const MIN: i64 = 2;
const MAX: i64 = 3;
const FIRST: i64 = 4;
const LAST: i64 = 5;
/// How long before the window's end the first and the last sample lie, and when the series ended, plus one.
const FIRST_BEFORE: i64 = 6;
const LAST_BEFORE: i64 = 7;
const LOST: i64 = 8;
const STALE_BEFORE: i64 = 9;
const COLUMNS: i64 = 10;

/// Windows that samples of one day can lie in: the first one ends where the day begins.
fn windows(resolution_ms: i64) -> i64 {
    DAY_MS / resolution_ms + 1
}

/// Windows of one series and day, ascending, as samples. The day is a whole number of windows.
pub fn pack(day_ms: i64, resolution_ms: i64, rolled: &[Rolled]) -> Vec<Sample> {
    let mut out = Vec::with_capacity(rolled.len() * COLUMNS as usize);
    for column in 0..COLUMNS {
        for window in rolled {
            let Some(value) = value(window, column) else { continue };
            let number = (window.end_ms - day_ms) / resolution_ms;
            out.push(Sample { at_ms: day_ms + column * windows(resolution_ms) + number, value });
        }
    }
    out
}

fn value(window: &Rolled, column: i64) -> Option<f64> {
    let before = |at_ms: i64| (window.end_ms - at_ms) as f64;
    if column == STALE_BEFORE {
        return window.stale_ms.map(|at_ms| before(at_ms) + 1.0);
    }
    if window.count == 0 {
        return None;
    }
    Some(match column {
        COUNT => window.count as f64,
        SUM => window.sum,
        MIN => window.min,
        MAX => window.max,
        FIRST => window.first.value,
        LAST => window.last.value,
        FIRST_BEFORE => before(window.first.at_ms),
        LAST_BEFORE => before(window.last.at_ms),
        _ => return (window.lost != 0.0).then_some(window.lost),
    })
}

/// The windows that [`pack`] made samples of, ascending; `None` when these are none of its.
pub fn unpack(day_ms: i64, resolution_ms: i64, samples: &[Sample]) -> Option<Vec<Rolled>> {
    let windows = windows(resolution_ms);
    let nothing = Sample { at_ms: 0, value: 0.0 };
    let mut found: Vec<Option<Rolled>> = vec![None; usize::try_from(windows).ok()?];
    for sample in samples {
        let at = sample.at_ms.checked_sub(day_ms).filter(|at| *at >= 0)?;
        let (column, number) = (at / windows, at % windows);
        let end_ms = day_ms + number * resolution_ms;
        let window = found.get_mut(usize::try_from(number).ok()?)?.get_or_insert(Rolled {
            end_ms,
            count: 0,
            sum: 0.0,
            min: 0.0,
            max: 0.0,
            first: nothing,
            last: nothing,
            lost: 0.0,
            stale_ms: None,
        });
        let value = sample.value;
        match column {
            COUNT => window.count = value as u64,
            SUM => window.sum = value,
            MIN => window.min = value,
            MAX => window.max = value,
            FIRST => window.first.value = value,
            LAST => window.last.value = value,
            FIRST_BEFORE => window.first.at_ms = end_ms - value as i64,
            LAST_BEFORE => window.last.at_ms = end_ms - value as i64,
            LOST => window.lost = value,
            STALE_BEFORE => window.stale_ms = Some(end_ms - value as i64 + 1),
            _ => return None,
        }
    }
    Some(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    //! What was packed comes back bit by bit.

    use ph_model::stale_marker;
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 20_000 * DAY_MS;

    proptest! {
        #[test]
        fn windows_round_trip(
            steps in prop::collection::vec((1_i64..900_000, any::<f64>(), 0_u8..10), 0..300),
            hour in any::<bool>(),
        ) {
            let resolution = if hour { 3_600_000 } else { 300_000 };
            let mut at_ms = DAY - 1;
            let samples: Vec<Sample> = steps
                .iter()
                .map(|(step, value, dice)| {
                    at_ms += step;
                    Sample { at_ms, value: if *dice == 0 { stale_marker() } else { *value } }
                })
                .take_while(|s| s.at_ms < DAY + DAY_MS)
                .collect();
            let rolled = Rolled::roll(&samples, resolution);
            let packed = pack(DAY, resolution, &rolled);
            prop_assert!(packed.is_sorted_by(|a, b| a.at_ms < b.at_ms));
            let read = unpack(DAY, resolution, &packed).unwrap();
            prop_assert_eq!(read.len(), rolled.len());
            for (a, b) in read.iter().zip(&rolled) {
                prop_assert_eq!((a.end_ms, a.count, a.stale_ms), (b.end_ms, b.count, b.stale_ms));
                if b.count > 0 {
                    let bits = |r: &Rolled| {
                        [r.sum, r.min, r.max, r.first.value, r.last.value, r.lost + 0.0].map(f64::to_bits)
                    };
                    prop_assert_eq!(bits(a), bits(b));
                    prop_assert_eq!((a.first.at_ms, a.last.at_ms), (b.first.at_ms, b.last.at_ms));
                }
            }
        }
    }

    #[test]
    fn other_samples_are_refused() {
        let of = |at_ms| [Sample { at_ms, value: 1.0 }];
        assert!(unpack(DAY, 300_000, &of(DAY - 1)).is_none());
        assert!(unpack(DAY, 300_000, &of(DAY + 289 * 10)).is_none());
        assert!(unpack(DAY, 300_000, &of(DAY + 289 * 10 - 1)).is_some());
    }
}
