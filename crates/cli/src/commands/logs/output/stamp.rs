//! Times of lines as text, quickly: the offset of the zone is looked up once a minute of log.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::failure::Failure;
use crate::when;

/// How a time is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Stamp {
    None,
    /// RFC 3339 with nine digits.
    Default,
    /// `14:03:22`
    Short,
    /// RFC 3339 with three digits.
    Ms,
    /// `5m3s ago`
    Relative,
    /// Seconds since 1970 with nine digits.
    Unix,
    Strftime(String),
}

impl Stamp {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        Ok(match text {
            "none" => Stamp::None,
            "default" => Stamp::Default,
            "short" => Stamp::Short,
            "ms" => Stamp::Ms,
            "relative" => Stamp::Relative,
            "unix" => Stamp::Unix,
            pattern if pattern.contains('%') => {
                jiff::fmt::strtime::format(pattern, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
                    .map_err(|e| Failure::usage(format!("--timestamps={pattern}: {e}")))?;
                Stamp::Strftime(pattern.to_owned())
            }
            other => {
                return Err(Failure::usage(format!("--timestamps={other}: no such format")).next(
                    "one of default, short, ms, relative, unix, none, or a strftime pattern: -t='%H:%M'",
                ));
            }
        })
    }

    /// Characters that it takes at most, for columns; 0 when it varies.
    pub fn width(&self) -> usize {
        match self {
            Stamp::None | Stamp::Strftime(_) => 0,
            Stamp::Default => 35,
            Stamp::Short | Stamp::Relative => 8,
            Stamp::Ms => 29,
            Stamp::Unix => 20,
        }
    }
}

/// Writes times in one zone.
#[derive(Debug)]
pub struct Clock {
    zone: TimeZone,
    /// Minute since 1970, and the offset in it, s.
    known: Option<(i64, i32)>,
}

const SECOND: i64 = 1_000_000_000;
/// Offsets of zones change at full minutes.
const MINUTE: i64 = 60;

impl Clock {
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, known: None }
    }

    /// Appends the time; `now_ns` counts for relative ones.
    pub fn write(&mut self, stamp: &Stamp, ts_ns: i64, now_ns: i64, out: &mut Vec<u8>) {
        match stamp {
            Stamp::None => {}
            Stamp::Default => self.rfc3339(ts_ns, 9, out),
            Stamp::Ms => self.rfc3339(ts_ns, 3, out),
            Stamp::Short => {
                let (_, seconds, _) = self.local(ts_ns);
                time(seconds, out);
            }
            Stamp::Relative => {
                let age = when::age(ts_ns / 1_000_000, now_ns / 1_000_000);
                out.extend_from_slice(age.as_bytes());
            }
            Stamp::Unix => {
                out.extend_from_slice(ts_ns.div_euclid(SECOND).to_string().as_bytes());
                out.push(b'.');
                digits(ts_ns.rem_euclid(SECOND) as u64, 9, out);
            }
            Stamp::Strftime(pattern) => {
                let at = Timestamp::from_nanosecond(i128::from(ts_ns)).unwrap_or_default();
                let text = jiff::fmt::strtime::format(pattern, &at.to_zoned(self.zone.clone()));
                out.extend_from_slice(text.unwrap_or_default().as_bytes());
            }
        }
    }

    /// Days since 1970 and seconds of the day in the zone, and the zone's offset.
    fn local(&mut self, ts_ns: i64) -> (i64, i64, i32) {
        let seconds = ts_ns.div_euclid(SECOND);
        let minute = seconds.div_euclid(MINUTE);
        let offset = match self.known {
            Some((known, offset)) if known == minute => offset,
            _ => {
                let at = Timestamp::from_second(seconds).unwrap_or_default();
                let offset = self.zone.to_offset(at).seconds();
                self.known = Some((minute, offset));
                offset
            }
        };
        let local = seconds + i64::from(offset);
        (local.div_euclid(86_400), local.rem_euclid(86_400), offset)
    }

    fn rfc3339(&mut self, ts_ns: i64, fraction: usize, out: &mut Vec<u8>) {
        let (days, seconds, offset) = self.local(ts_ns);
        date(days, out);
        out.push(b'T');
        time(seconds, out);
        out.push(b'.');
        let ns = ts_ns.rem_euclid(SECOND) as u64;
        digits(if fraction == 3 { ns / 1_000_000 } else { ns }, fraction, out);
        if offset == 0 {
            out.push(b'Z');
        } else {
            out.push(if offset < 0 { b'-' } else { b'+' });
            let minutes = u64::from(offset.unsigned_abs()) / 60;
            digits(minutes / 60, 2, out);
            out.push(b':');
            digits(minutes % 60, 2, out);
        }
    }
}

/// RFC 3339 with nine digits in UTC: what JSON has.
pub fn utc(ts_ns: i64, out: &mut Vec<u8>) {
    let seconds = ts_ns.div_euclid(SECOND);
    date(seconds.div_euclid(86_400), out);
    out.push(b'T');
    time(seconds.rem_euclid(86_400), out);
    out.push(b'.');
    digits(ts_ns.rem_euclid(SECOND) as u64, 9, out);
    out.push(b'Z');
}

fn time(seconds: i64, out: &mut Vec<u8>) {
    let seconds = seconds.unsigned_abs();
    digits(seconds / 3600, 2, out);
    out.push(b':');
    digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    digits(seconds % 60, 2, out);
}

/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
fn date(days: i64, out: &mut Vec<u8>) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    digits(year.unsigned_abs(), 4, out);
    out.push(b'-');
    digits(month.unsigned_abs(), 2, out);
    out.push(b'-');
    digits(day.unsigned_abs(), 2, out);
}

fn digits(value: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut value = value;
    for place in out.iter_mut().skip(start).rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stamp: &str, zone: &str, expected: &str) {
        let mut clock = Clock::new(when::zone(zone).unwrap());
        let ts: Timestamp = "2026-11-21T12:03:22.000100200Z".parse().unwrap();
        let now: Timestamp = "2026-11-21T12:08:25Z".parse().unwrap();
        let (ts, now) = (ts.as_nanosecond() as i64, now.as_nanosecond() as i64);
        let mut out = Vec::new();
        clock.write(&Stamp::parse(stamp).unwrap(), ts, now, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn times_as_asked_for() {
        check("default", "utc", "2026-11-21T12:03:22.000100200Z");
        check("default", "Europe/Moscow", "2026-11-21T15:03:22.000100200+03:00");
        check("ms", "Asia/Kolkata", "2026-11-21T17:33:22.000+05:30");
        check("short", "America/New_York", "07:03:22");
        check("relative", "utc", "5m3s");
        check("unix", "utc", "1795262602.000100200");
        check("%d.%m. %H:%M", "Europe/Moscow", "21.11. 15:03");
        check("none", "utc", "");
        assert_eq!(Stamp::parse("fancy").unwrap_err().exit_code(), 2);
    }

    proptest::proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(s in -2_000_000_000i64..9_000_000_000) {
            let mut out = Vec::new();
            utc(s * SECOND + 7, &mut out);
            let parsed: Timestamp = String::from_utf8(out).unwrap().parse().unwrap();
            proptest::prop_assert_eq!(parsed.as_nanosecond(), i128::from(s * SECOND + 7));
        }

        #[test]
        fn offsets_are_those_of_the_zone(s in 0i64..2_000_000_000) {
            for zone in ["Europe/London", "Australia/Lord_Howe", "America/St_Johns"] {
                let mut clock = Clock::new(when::zone(zone).unwrap());
                let mut out = Vec::new();
                clock.write(&Stamp::Default, s * SECOND, 0, &mut out);
                let parsed: Timestamp = String::from_utf8(out).unwrap().parse().unwrap();
                proptest::prop_assert_eq!(parsed.as_second(), s);
            }
        }
    }
}
