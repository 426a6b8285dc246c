//! Between the contract's words and the store's values.

use ph_api::{
    RetentionDays, RetentionRule, RowSignal, RowsErase, SamplesErase, TelemetryDeletion, TelemetryErase,
};
use ph_api::{TelemetryRetain, TelemetryRetention};
use ph_filter::Filter;
use ph_model::{ErrorKind, RangeMs, RangeNs, Signal};
use ph_store::{DeleteAsk, Deletion, Keep, Kept, Retention};

use crate::gateway::problem::Problem;

const NS: i64 = 1_000_000;
const MOST_DAYS: u32 = 36_500;

fn signal(of: RowSignal) -> Signal {
    match of {
        RowSignal::Logs => Signal::Logs,
        RowSignal::Spans => Signal::Spans,
        RowSignal::Events => Signal::Events,
    }
}

fn invalid(place: &str, why: String) -> Problem {
    Problem::new(ErrorKind::Invalid, format!("{}: {why}", place.trim_start_matches('/'))).fault(place, why)
}

fn filter(text: &str, place: &str) -> Result<Filter, Problem> {
    ph_filter::query::parse_filter(text).map_err(|e| invalid(place, e.to_string()))
}

fn days(count: u32, place: &str) -> Result<u32, Problem> {
    if (1..=MOST_DAYS).contains(&count) {
        return Ok(count);
    }
    Err(invalid(place, format!("1 to {MOST_DAYS} days, not {count}")))
}

/// Errors: `Invalid`, with the place of each field.
pub(super) fn keep(ask: &TelemetryRetain) -> Result<Keep, Problem> {
    let own = |of: &RetentionDays| {
        Ok::<_, Problem>(Retention {
            metrics_days: days(of.metrics, "/days/metrics")?,
            logs_days: days(of.logs, "/days/logs")?,
            spans_days: days(of.spans, "/days/spans")?,
            events_days: days(of.events, "/days/events")?,
        })
    };
    let rules = ask.rules.iter().enumerate().map(|(n, rule)| {
        Ok::<_, Problem>(ph_store::RetentionRule {
            signal: signal(rule.signal),
            filter: filter(&rule.filter, &format!("/rules/{n}/filter"))?,
            days: days(rule.days, &format!("/rules/{n}/days"))?,
        })
    });
    Ok(Keep { retention: ask.days.as_ref().map(own).transpose()?, rules: rules.collect::<Result<_, _>>()? })
}

pub(super) fn kept(of: Kept) -> TelemetryRetention {
    let rules = of.rules.iter().filter_map(|rule| {
        let signal = match rule.signal {
            Signal::Logs => RowSignal::Logs,
            Signal::Spans => RowSignal::Spans,
            Signal::Events => RowSignal::Events,
            // The store takes no rules about these.
            Signal::Metrics | Signal::Exemplars => return None,
        };
        Some(RetentionRule { signal, filter: rule.filter.to_string(), days: rule.days })
    });
    TelemetryRetention {
        days: RetentionDays {
            metrics: of.retention.metrics_days,
            logs: of.retention.logs_days,
            spans: of.retention.spans_days,
            events: of.retention.events_days,
        },
        own: of.own,
        rules: rules.collect(),
        rollup_5m_days: of.rollups.five_minutes,
        rollup_1h_days: of.rollups.hour,
    }
}

fn range(from_ms: Option<i64>, to_ms: Option<i64>) -> Result<RangeMs, Problem> {
    let (from, to) = (from_ms.unwrap_or(0), to_ms.unwrap_or(i64::MAX / NS));
    if from < to {
        return Ok(RangeMs { from, to: to.min(i64::MAX / NS) });
    }
    Err(invalid("/to_ms", format!("the range is empty: {to} is not after from_ms, {from}")))
}

fn rows(of: &RowsErase, signal: Signal) -> Result<DeleteAsk, Problem> {
    let range = range(of.from_ms, of.to_ms)?;
    let range = RangeNs { from: range.from.saturating_mul(NS), to: range.to.saturating_mul(NS) };
    Ok(DeleteAsk::Rows { signal, filter: filter(&of.filter, "/filter")?, range })
}

/// Errors: `Invalid` for what cannot be read.
pub(super) fn erase(ask: &TelemetryErase) -> Result<DeleteAsk, Problem> {
    match ask {
        TelemetryErase::Logs(of) => rows(of, Signal::Logs),
        TelemetryErase::Spans(of) => rows(of, Signal::Spans),
        TelemetryErase::Events(of) => rows(of, Signal::Events),
        TelemetryErase::Metrics(of) => {
            let matchers =
                ph_promql::parse_selector(&of.selector).map_err(|e| invalid("/selector", e.to_string()))?;
            Ok(DeleteAsk::Samples { matchers, range: range(of.from_ms, of.to_ms)? })
        }
    }
}

/// `None` for what only the store itself deletes.
pub(super) fn deletion(of: Deletion) -> Option<TelemetryDeletion> {
    let bound = |ms: i64| (ms > 0).then_some(ms);
    let what = match of.ask {
        DeleteAsk::Rows { signal, filter, range } => {
            let rows = RowsErase {
                filter: filter.to_string(),
                from_ms: bound(range.from / NS),
                to_ms: Some(range.to / NS),
            };
            match signal {
                Signal::Logs => TelemetryErase::Logs(rows),
                Signal::Spans => TelemetryErase::Spans(rows),
                Signal::Events => TelemetryErase::Events(rows),
                Signal::Metrics | Signal::Exemplars => return None,
            }
        }
        DeleteAsk::Samples { matchers, range } => TelemetryErase::Metrics(SamplesErase {
            selector: ph_promql::selector_text(&matchers),
            from_ms: bound(range.from),
            to_ms: Some(range.to),
        }),
    };
    Some(TelemetryDeletion { number: of.seq, made_ms: of.made_ms, what })
}
