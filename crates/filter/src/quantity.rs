//! Numbers, durations and sizes as people write them, and how they compare with a field's text.

use std::cmp::Ordering;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A bare number.
    None,
    /// Nanoseconds, however they were written.
    Nanoseconds,
    /// Bytes, however they were written.
    Bytes,
}

/// A parsed number in its base unit. Whole numbers compare exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    unit: Unit,
    whole: Option<i128>,
    float: f64,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.unit == other.unit && self.number_cmp(other) == Some(Ordering::Equal)
    }
}

const UNITS: &[(&str, Unit, f64)] = &[
    ("ns", Unit::Nanoseconds, 1.0),
    ("us", Unit::Nanoseconds, 1e3),
    ("µs", Unit::Nanoseconds, 1e3),
    ("μs", Unit::Nanoseconds, 1e3),
    ("ms", Unit::Nanoseconds, 1e6),
    ("s", Unit::Nanoseconds, 1e9),
    ("m", Unit::Nanoseconds, 60e9),
    ("h", Unit::Nanoseconds, 3600e9),
    ("d", Unit::Nanoseconds, 86_400e9),
    ("w", Unit::Nanoseconds, 604_800e9),
    ("B", Unit::Bytes, 1.0),
    ("kB", Unit::Bytes, 1e3),
    ("KB", Unit::Bytes, 1e3),
    ("MB", Unit::Bytes, 1e6),
    ("GB", Unit::Bytes, 1e9),
    ("TB", Unit::Bytes, 1e12),
    ("KiB", Unit::Bytes, 1024.0),
    ("MiB", Unit::Bytes, 1_048_576.0),
    ("GiB", Unit::Bytes, 1_073_741_824.0),
    ("TiB", Unit::Bytes, 1_099_511_627_776.0),
    ("Ki", Unit::Bytes, 1024.0),
    ("Mi", Unit::Bytes, 1_048_576.0),
    ("Gi", Unit::Bytes, 1_073_741_824.0),
    ("Ti", Unit::Bytes, 1_099_511_627_776.0),
];

/// What the end of a field's name says about a bare number in it.
const NAMED: &[(&str, &str)] = &[
    ("ns", "ns"),
    ("nanos", "ns"),
    ("nanoseconds", "ns"),
    ("us", "us"),
    ("micros", "us"),
    ("microseconds", "us"),
    ("ms", "ms"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("minutes", "m"),
    ("hours", "h"),
];

/// A number of few digits and nothing else, as most fields are.
fn digits(text: &str) -> Option<u64> {
    let few = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    few.then(|| text.bytes().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

impl Quantity {
    /// Reads `500`, `-1.5e3`, `250ms`, `1h30m`, `4KiB`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(whole) = digits(text) {
            return Some(Self { unit: Unit::None, whole: Some(whole.into()), float: whole as f64 });
        }
        let (number, unit) = split(text)?;
        if unit.is_empty() {
            let float = number.parse::<f64>().ok().filter(|f| f.is_finite())?;
            return Some(Self { unit: Unit::None, whole: number.parse().ok(), float });
        }
        let (_, kind, _) = UNITS.iter().find(|(name, ..)| unit.starts_with(name) && is_unit(unit, name))?;
        let mut total = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, tail) = split(rest)?;
            let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (name, next) = tail.split_at(end);
            let (_, found, factor) = UNITS.iter().find(|(known, ..)| *known == name.trim())?;
            if found != kind || (*kind == Unit::Bytes && !next.is_empty()) {
                return None;
            }
            let value = number.parse::<f64>().ok()? * factor;
            // In `-1h30m` the minutes count down as well.
            total += if total < 0.0 { -value } else { value };
            rest = next;
        }
        total.is_finite().then(|| Self::based(*kind, total))
    }

    pub fn is(&self, unit: Unit) -> bool {
        self.unit == unit
    }

    /// Of a duration.
    pub fn nanoseconds(&self) -> Option<i64> {
        (self.unit == Unit::Nanoseconds && self.float.abs() < 9e18).then_some(self.float as i64)
    }

    /// As a bare number, seconds or bytes.
    pub fn base_number(&self) -> f64 {
        if self.unit == Unit::Nanoseconds { self.float / 1e9 } else { self.float }
    }

    pub fn is_positive(&self) -> bool {
        self.float > 0.0
    }

    fn based(unit: Unit, float: f64) -> Self {
        let whole = (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i128);
        Self { unit, whole, float }
    }

    /// A field's text in the unit of `self`; a bare number takes the unit that the record or the field's name gives it.
    fn of_field(&self, name: &str, text: &str, stored: Unit) -> Option<Self> {
        let found = Self::parse(text)?;
        if found.unit == self.unit {
            return Some(found);
        }
        if found.unit != Unit::None {
            return None;
        }
        match self.unit {
            Unit::Bytes => Some(Self { unit: Unit::Bytes, ..found }),
            Unit::Nanoseconds if stored == Unit::Nanoseconds => Some(Self { unit: stored, ..found }),
            Unit::Nanoseconds => {
                let (_, last) = name.rsplit_once(['_', '.', '-'])?;
                let (_, unit) = NAMED.iter().find(|(end, _)| *end == last)?;
                let (_, _, factor) = UNITS.iter().find(|(known, ..)| known == unit)?;
                Some(Self::based(Unit::Nanoseconds, found.float * factor))
            }
            Unit::None => None,
        }
    }

    fn number_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.whole, other.whole) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.float.partial_cmp(&other.float),
        }
    }

    /// How a field's text stands to this value; `None` where they cannot be compared.
    pub fn compare(&self, name: &str, text: &str, stored: Unit) -> Option<Ordering> {
        self.of_field(name, text, stored)?.number_cmp(self)
    }
}

/// A number as people write it, in its base unit (ns, bytes or none), and that unit. `None` for anything else.
pub fn quantity(text: &str) -> Option<(f64, Unit)> {
    Quantity::parse(text).map(|q| (q.float, q.unit))
}

/// A field's text as a number of the wanted unit. A bare number takes the unit that the record or the field's name
/// gives it; `None` where they do not go together.
pub fn quantity_of_field(field: &str, text: &str, (stored, wanted): (Unit, Unit)) -> Option<f64> {
    Quantity::based(wanted, 0.0).of_field(field, text, stored).map(|q| q.float)
}

/// The number at the start and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut end = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = end;
    while bytes.get(end).is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
        end += 1;
    }
    if end == digits {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let from = end + 1 + sign;
        let count = bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        end = if count > 0 { from + count } else { end };
    }
    Some((text.get(..end)?, text.get(end..)?.trim_start()))
}

fn is_unit(text: &str, name: &str) -> bool {
    text.get(name.len()..)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
}
