//! Start times in a `load`: a line `metric{…}@st -1m _ 0s+10sx3` in front of the one with the samples.
//!
//! Out:    for each place of the samples' line the offset of its start to its own time, in ms; none where `_` stands.

use ph_model::Labels;

use super::series::parse_series;

/// Most places that one notation may stand for.
const MOST_PLACES: usize = 1_000_000;

/// Start times that wait for the line with their samples.
pub struct Starts {
    pub labels: Labels,
    pub offsets: Vec<Option<i64>>,
}

/// Reads a line of start times; `None` when it is none.
///
/// Errors: what is wrong, in words.
pub fn starts(line: &str) -> Option<Result<Starts, String>> {
    let (series, places) = line.split_once(char::is_whitespace)?;
    let series = series.strip_suffix("@st")?;
    Some(read(series, places).map_err(|why| format!("start times: {why}")))
}

fn read(series: &str, places: &str) -> Result<Starts, String> {
    let (labels, _) = parse_series(series)?;
    let mut offsets = Vec::new();
    for item in places.split_whitespace() {
        let wrong = || format!("{item:?} is none; write durations, a+bxn, axn, _ or _xn");
        let (first, step, count) = place(item).ok_or_else(wrong)?;
        if count > MOST_PLACES - offsets.len().min(MOST_PLACES) {
            return Err(format!("{item:?} stands for more than {MOST_PLACES} places"));
        }
        let mut at = first;
        for _ in 0..count {
            offsets.push(at);
            at = at.map(|ms| ms.saturating_add(step));
        }
    }
    Ok(Starts { labels, offsets })
}

/// First offset, step and number of places of one item.
fn place(item: &str) -> Option<(Option<i64>, i64, usize)> {
    if item == "_" {
        return Some((None, 0, 1));
    }
    if let Some(count) = item.strip_prefix("_x") {
        return Some((None, 0, count.parse().ok().filter(|n| *n > 0)?));
    }
    let (first, rest) = duration(item)?;
    if rest.is_empty() {
        return Some((Some(first), 0, 1));
    }
    let (step, rest) = if rest.starts_with(['+', '-']) { duration(rest)? } else { (0, rest) };
    let repeats: usize = rest.strip_prefix('x')?.parse().ok()?;
    Some((Some(first), step, repeats.checked_add(1)?))
}

/// A duration with its sign at the start of a text, in ms, and what follows; it ends at an `x`.
fn duration(text: &str) -> Option<(i64, &str)> {
    let digits = text.trim_start_matches(['+', '-']);
    if text.len() - digits.len() > 1 {
        return None;
    }
    let end = digits.find(|c: char| c == 'x' || !c.is_ascii_alphanumeric()).unwrap_or(digits.len());
    let (size, rest) = digits.split_at(end);
    let ms = i64::try_from(crate::number::parse_duration(size)?).ok()?;
    Some((if text.starts_with('-') { -ms } else { ms }, rest))
}
