//! Times as people write them, and ages as people read them.
//!
//! In:     `3h`, `1d2h`, `-3h`, `PT30M`, RFC 3339, `2026-11-21`, `2026-11-21 14:03`, `14:03`, `yesterday`, `today`, `monday`; the time of
//!         day and the time zone are arguments.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// The instant that `text` means, seen from `now`. Spans lie in the past; times without a zone are in `now`'s.
pub fn instant(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let bad = || {
        format!(
            "`{text}` is no time; write a span (`3h`, `1d2h`, `PT30M`), a date (`2026-11-21`), a time of day (`14:03`) or RFC 3339"
        )
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = |at: DateTime| at.to_zoned(now.time_zone().clone()).map(|z| z.timestamp()).map_err(|_| bad());
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return local(now.date().to_datetime(Time::midnight())),
        "yesterday" => {
            return local(now.date().yesterday().map_err(|_| bad())?.to_datetime(Time::midnight()));
        }
        _ => {}
    }
    if let Some(day) = weekday(text) {
        let back = (i64::from(now.date().weekday().to_monday_zero_offset()) - i64::from(day)).rem_euclid(7);
        let date = now.date().checked_sub(Span::new().days(back)).map_err(|_| bad())?;
        return local(date.to_datetime(Time::midnight()));
    }
    // A time of day before a date: `14:03` would also be read as a part of one.
    if text.contains(':')
        && !text.contains('-')
        && let Ok(time) = text.parse::<Time>()
    {
        let today = now.date().to_datetime(time);
        let date =
            if today > now.datetime() { now.date().yesterday().map_err(|_| bad())? } else { now.date() };
        return local(date.to_datetime(time));
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return local(at);
    }
    if let Ok(date) = text.parse::<Date>() {
        return local(date.to_datetime(Time::midnight()));
    }
    let span: Span = text.trim_start_matches('-').parse().map_err(|_| bad())?;
    now.checked_sub(span).map(|z| z.timestamp()).map_err(|_| bad())
}

/// Days since Monday of a weekday's name or its first three letters.
fn weekday(text: &str) -> Option<i8> {
    let word = text.to_ascii_lowercase();
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let at = names.iter().position(|n| *n == word || n.get(..3) == Some(word.as_str()))?;
    i8::try_from(at).ok()
}

/// A length of time: `500ms`, `90s`, `1h30m`, `PT30M`.
pub fn span(text: &str) -> Result<std::time::Duration, String> {
    let bad = || format!("`{text}` is no length of time; write `500ms`, `90s`, `1h30m` or `PT30M`");
    let span: jiff::SignedDuration = text.trim().parse().map_err(|_| bad())?;
    span.try_into().map_err(|_| bad())
}

/// The zone of that name; `local` is this machine's.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    match text {
        "local" => Ok(system()),
        "utc" | "UTC" | "Z" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| {
            format!("`{name}` is no time zone; write local, utc or a name such as Europe/Moscow")
        }),
    }
}

/// Now, in the zone of this machine.
pub fn now() -> Zoned {
    Timestamp::now().to_zoned(system())
}

/// This machine's zone. Its own file is read where one is linked: looking its name up would list all zones there are, which
/// takes longer than most commands.
fn system() -> TimeZone {
    const FILE: &str = "/etc/localtime";
    let read = || {
        let link = std::fs::read_link(FILE).ok().filter(|_| std::env::var_os("TZ").is_none())?;
        let (_, name) = link.to_str()?.split_once("zoneinfo/")?;
        TimeZone::tzif(name, &std::fs::read(FILE).ok()?).ok()
    };
    read().unwrap_or_else(TimeZone::system)
}

/// How long ago, in at most two units: `12s`, `5m3s`, `4h12m`, `3d`.
pub fn age(then_ms: i64, now_ms: i64) -> String {
    let s = (now_ms - then_ms).max(0) / 1000;
    match s {
        0..120 => format!("{s}s"),
        120..600 => two(s / 60, 'm', s % 60, 's'),
        600..10_800 => format!("{}m", s / 60),
        10_800..86_400 => two(s / 3600, 'h', s % 3600 / 60, 'm'),
        86_400..864_000 => two(s / 86_400, 'd', s % 86_400 / 3600, 'h'),
        _ => format!("{}d", s / 86_400),
    }
}

fn two(big: i64, unit: char, small: i64, small_unit: char) -> String {
    if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
}

/// A time in UTC to the second, for tables.
pub fn stamp(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let now: Zoned = "2026-11-21T12:00:00+01:00[+01:00]".parse().unwrap();
        let got = instant(text, &now).map_or_else(|e| format!("error: {e}"), |t| t.to_string());
        assert!(got.starts_with(expected), "{text}: {got}");
    }

    #[test]
    fn times_as_people_write_them() {
        check("3h", "2026-11-21T08:00:00Z");
        check("-3h", "2026-11-21T08:00:00Z");
        check("1d2h", "2026-11-20T09:00:00Z");
        check("PT30M", "2026-11-21T10:30:00Z");
        check("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z");
        check("2026-11-20", "2026-11-19T23:00:00Z");
        check("2026-11-20 14:03", "2026-11-20T13:03:00Z");
        check("11:30", "2026-11-21T10:30:00Z");
        check("14:03", "2026-11-20T13:03:00Z");
        check("yesterday", "2026-11-19T23:00:00Z");
        check("saturday", "2026-11-20T23:00:00Z");
        check("Fri", "2026-11-19T23:00:00Z");
        check("sunday", "2026-11-14T23:00:00Z");
        check("soon", "error: `soon` is no time");
    }

    #[test]
    fn ages_have_at_most_two_units() {
        let ages = [0, 90, 303, 1200, 15_120, 90_000, 1_000_000].map(|s| age(0, s * 1000));
        assert_eq!(ages, ["0s", "90s", "5m3s", "20m", "4h12m", "1d1h", "11d"]);
    }
}
