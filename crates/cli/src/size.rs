//! Sizes as people write them and read them.

/// Bytes of `512`, `64KiB`, `10MB`, `1.5GiB`, `2G` (powers of 1024, as one letter means to most tools).
pub fn parse(text: &str) -> Result<u64, String> {
    let bad = || {
        format!(
            "`{text}` is no size; write bytes, or a number with KiB, MiB, GiB (1024) or kB, MB, GB (1000)"
        )
    };
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let factor: f64 = match unit.trim() {
        "" | "B" | "b" => 1.0,
        "k" | "K" | "Ki" | "KiB" => 1024.0,
        "m" | "M" | "Mi" | "MiB" => 1024.0 * 1024.0,
        "g" | "G" | "Gi" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        "t" | "T" | "Ti" | "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return Err(bad()),
    };
    let bytes = number * factor;
    if (0.0..9e18).contains(&bytes) { Ok(bytes as u64) } else { Err(bad()) }
}

/// `812 B`, `3.1 GiB`.
pub fn shown(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `412,380`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_and_read_them() {
        assert_eq!(parse("512"), Ok(512));
        assert_eq!(parse("64KiB"), Ok(65_536));
        assert_eq!(parse("10MB"), Ok(10_000_000));
        assert_eq!(parse("1.5G"), Ok(1_610_612_736));
        assert!(parse("many").is_err() && parse("3 parsecs").is_err() && parse("").is_err());
        assert_eq!((shown(812), shown(3_328_599_654)), ("812 B".into(), "3.1 GiB".into()));
        assert_eq!([count(7), count(1_204), count(412_380)], ["7", "1,204", "412,380"]);
    }
}
