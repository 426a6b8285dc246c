//! Calendar dates of UTC, without a clock or a time zone.
//!
//! Source: the proleptic Gregorian calendar, counted in eras of 400 years.

/// A civil time of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// 0 is Sunday.
    pub weekday: i64,
    /// 1 to 366.
    pub day_of_year: i64,
}

impl Civil {
    /// Of seconds since 1970.
    pub fn of_seconds(seconds: i128) -> Self {
        // Both fit: days of what fits 64 bits.
        let days = i64::try_from(seconds.div_euclid(86_400)).unwrap_or_default();
        let rest = i64::try_from(seconds.rem_euclid(86_400)).unwrap_or_default();
        let (year, month, day) = of_days(days);
        let before: i64 = (1..month).map(|m| days_in_month(year, m)).sum();
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            day_of_year: before + day,
        }
    }
}

fn of_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `2026-11-21T20:33:03Z`, whole seconds.
pub fn rfc3339(ms: i64) -> String {
    let c = Civil::of_seconds(i128::from(ms.div_euclid(1000)));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_164_799_000), "2024-02-28T23:59:59Z");
        assert_eq!(rfc3339(-1000), "1969-12-31T23:59:59Z");
        let leap = Civil::of_seconds(1_709_208_000);
        assert_eq!((leap.month, leap.day, leap.weekday, leap.day_of_year), (2, 29, 4, 60));
    }
}
