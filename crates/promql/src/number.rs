//! Numbers and durations as text, both ways.
//!
//! Out:    numbers as Go prints them, so that labels and messages are those that users of Prometheus know.
//! Source: Go's `strconv` for the forms `'f'`, `'e'` and `%g` with the shortest digits that read back.

/// Plain decimal form without an exponent; `NaN`, `+Inf`, `-Inf`.
pub fn plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{value}")
    }
}

/// As the HTTP API writes samples: plain from 1e-6 to 1e21, else with an exponent.
pub fn sample_text(value: f64) -> String {
    let size = value.abs();
    if value.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) {
        exponent(value)
    } else {
        plain(value)
    }
}

/// Go's `%v` and `%g` of a number: with an exponent below 1e-4 and from 1e6 on.
pub fn shortest(value: f64) -> String {
    let size = value.abs();
    let plainly = !value.is_finite() || size == 0.0 || (1e-4..1e6).contains(&size);
    if plainly { plain(value) } else { exponent(value) }
}

/// Six decimals, as Go's `%f`.
pub fn fixed(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { plain(value) }
}

fn exponent(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, power)) = scientific.split_once('e') else { return scientific };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |rest| ('-', rest));
    format!("{digits}e{sign}{power:0>2}")
}

/// Units from longest to shortest, in ms.
const UNITS: &[(&str, u64)] = &[
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration: what fits nanoseconds in 64 bits, as in Prometheus.
pub const MAX_DURATION_MS: u64 = 9_223_372_036_854;

/// Reads `1h30m` into ms: units from the longest to the shortest, each once. `None` for anything else.
pub fn parse_duration(text: &str) -> Option<u64> {
    duration(text).filter(|ms| *ms <= u128::from(MAX_DURATION_MS)).and_then(|ms| u64::try_from(ms).ok())
}

/// Whether it is a duration, but longer than any may be.
pub fn is_long_duration(text: &str) -> bool {
    duration(text).is_some_and(|ms| ms > u128::from(MAX_DURATION_MS))
}

/// However long it is, as far as 128 bits hold it.
fn duration(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut next = 0;
    let mut total: u128 = 0;
    if text == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        if at < next {
            return None;
        }
        next = at + 1;
        let part = number.parse::<u128>().ok()?.checked_mul(UNITS.get(at)?.1.into())?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// The shortest text of a duration: `1h30m`, `0s`. Years, weeks and days only when nothing smaller remains.
pub fn duration_text(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut left = ms.unsigned_abs();
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    for (unit, size) in UNITS {
        let exact = matches!(*unit, "y" | "w");
        if left < *size || (exact && !left.is_multiple_of(*size)) {
            continue;
        }
        out.push_str(&format!("{}{unit}", left / size));
        left %= size;
    }
    out
}

/// Reads a number literal: decimal, hexadecimal, octal with a leading 0, `_` between digits, `Inf`, `NaN`.
pub fn parse_number(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" => return Some(f64::INFINITY),
        "-inf" => return Some(f64::NEG_INFINITY),
        "nan" | "+nan" | "-nan" => return Some(f64::NAN),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let value = unsigned(digits)?;
    Some(if negative { -value } else { value })
}

fn unsigned(text: &str) -> Option<f64> {
    if !underscores_stand_well(text) {
        return None;
    }
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(hex) = clean.strip_prefix("0x").or_else(|| clean.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|n| n as f64);
    }
    if clean.len() > 1
        && clean.starts_with('0')
        && let Ok(octal) = i64::from_str_radix(&clean, 8)
    {
        return Some(octal as f64);
    }
    if !clean.bytes().any(|b| b.is_ascii_digit())
        || clean.bytes().any(|b| !(b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')))
    {
        return None;
    }
    clean.parse().ok()
}

/// Whether each `_` stands between two digits, or after `0x`.
fn underscores_stand_well(text: &str) -> bool {
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let digit =
        |b: Option<&u8>| b.is_some_and(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() });
    let bytes = text.as_bytes();
    (0..bytes.len()).filter(|at| bytes.get(*at) == Some(&b'_')).all(|at| {
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        (digit(before) || (hex && at == 2)) && digit(bytes.get(at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_users_know_them() {
        for (value, text) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-7, "1e-07"),
            (-1.5e-10, "-1.5e-10"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (-0.0, "-0"),
        ] {
            assert_eq!(sample_text(value), text);
        }
        assert_eq!(plain(1e21), "1000000000000000000000");
        assert_eq!(shortest(1e21), "1e+21");
        assert_eq!(shortest(1_234_567.0), "1.234567e+06");
        assert_eq!(shortest(0.9), "0.9");
    }

    #[test]
    fn numbers_read_as_in_the_language() {
        for (text, value) in [
            ("010", 8.0),
            ("089", 89.0),
            ("0x1F", 31.0),
            ("1_000", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x_53_AB", 21419.0),
        ] {
            assert_eq!(parse_number(text), Some(value), "{text}");
        }
        for text in ["1__0", "_1", "1_", "0x", "", ".", "1e", "infinity"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in [
            ("1h30m", 5_400_000),
            ("1y2w3d", 31_536_000_000 + 14 * 86_400_000 + 3 * 86_400_000),
            ("54s321ms", 54_321),
        ] {
            assert_eq!(parse_duration(text), Some(ms));
        }
        for text in ["1m1h", "1h1h", "1.5h", "h", "", "1"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for (ms, text) in
            [(300_000, "5m"), (0, "0s"), (-90_000, "-1m30s"), (604_800_000, "1w"), (691_200_000, "8d")]
        {
            assert_eq!(duration_text(ms), text);
        }
    }
}
