//! `--retention`: how long telemetry is kept.
//!
//! In:     `logs=14d,metrics=90d`: names and whole days; what is not named keeps its default.
//! Out:    the store's settings.

use ph_store::{Retention, RollupDays};

/// What the flag holds unless told otherwise.
pub const DEFAULT: &str = "metrics=30d,logs=7d,spans=7d,events=30d,5m=180d,1h=400d";

/// Longer than this is a slip of the pen.
const MOST_DAYS: u32 = 36_500;

/// Whole days by signal, and by roll-up of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub retention: Retention,
    pub rollups: RollupDays,
}

impl std::str::FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut kept = Self::default();
        let mut named = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, span) =
                item.split_once('=').ok_or_else(|| format!("{item}: give NAME=DAYS, such as logs=14d"))?;
            let slot = match name {
                "metrics" => &mut kept.retention.metrics_days,
                "logs" => &mut kept.retention.logs_days,
                "spans" => &mut kept.retention.spans_days,
                "events" => &mut kept.retention.events_days,
                "5m" => &mut kept.rollups.five_minutes,
                "1h" => &mut kept.rollups.hour,
                _ => {
                    return Err(format!(
                        "{name} is not kept: give metrics, logs, spans, events, or 5m or 1h for roll-ups of metrics"
                    ));
                }
            };
            if named.contains(&name) {
                return Err(format!("{name} is given twice"));
            }
            named.push(name);
            let days =
                span.strip_suffix('d').and_then(|d| d.parse().ok()).filter(|d| (1..=MOST_DAYS).contains(d));
            *slot = days.ok_or_else(|| format!("{item}: give whole days from 1d to {MOST_DAYS}d"))?;
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_keeps_its_default() {
        assert_eq!(DEFAULT.parse(), Ok(Kept::default()));
        let kept: Kept = "logs=14d, 1h=800d".parse().unwrap();
        assert_eq!((kept.retention.logs_days, kept.rollups.hour), (14, 800));
        assert_eq!(kept.retention.metrics_days, Retention::default().metrics_days);
    }

    #[test]
    fn an_error_names_the_item_and_what_to_give() {
        let error = |text: &str| text.parse::<Kept>().unwrap_err();
        assert!(error("logs").contains("logs: give NAME=DAYS"));
        assert!(error("traces=3d").contains("traces is not kept: give metrics"));
        for bad in ["logs=0d", "logs=7", "logs=-1d", "logs=1h", "logs=99999d"] {
            assert!(error(bad).contains("whole days"), "{bad}");
        }
        assert!(error("logs=7d,logs=8d").contains("logs is given twice"));
    }
}
