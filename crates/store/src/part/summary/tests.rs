//! Summaries are small, and never deny what a row holds.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use ph_filter::{Case, Compiled, Filter, LevelTest};
use ph_model::{Level, LogRow, Signal, SpanRow};
use proptest::prelude::*;

use super::{Asked, Gathering, Known, MOST_BYTES, Summary};
use crate::rows::{RowView, logs_batch, spans_batch};

fn summed(signal: Signal, batch: &RecordBatch) -> Summary {
    let mut gathering = Gathering::new(signal);
    gathering.add(batch);
    let bytes = gathering.finish();
    assert!(bytes.len() <= MOST_BYTES, "{}", bytes.len());
    Summary::read(signal, &bytes)
}

fn kinds(summary: &Summary) -> BTreeMap<&str, &str> {
    let kind = |known: &Known| match known {
        Known::Values(_) => "values",
        Known::Bloom(_) => "bloom",
    };
    summary.columns.iter().map(|(name, known)| (name.as_str(), kind(known))).collect()
}

#[test]
fn few_values_are_kept_whole_more_as_bits_and_too_many_not_at_all() {
    let row = |n: usize| LogRow {
        cluster: "c1".into(),
        pod: format!("a-pod-with-a-long-name-{}", n % 60),
        node: format!("node-{n}"),
        level: (n % 24) as u8,
        ..LogRow::default()
    };
    let rows: Vec<LogRow> = (0..2_000).map(row).collect();
    let summary = summed(Signal::Logs, &logs_batch(&rows).unwrap());
    let kinds = kinds(&summary);
    assert_eq!((kinds["cluster"], kinds["level"], kinds["pod"]), ("values", "values", "bloom"));
    assert_eq!(kinds.get("node"), None, "two thousand nodes");
    let may = |filter| summary.may_hold(&Asked::new(Signal::Logs, &filter));
    assert!(may(Filter::equal("cluster", "c1")) && !may(Filter::equal("cluster", "c2")));
    assert!(may(Filter::equal("pod", "a-pod-with-a-long-name-59")));
    let absent = (0..1_000).filter(|n| !may(Filter::equal("pod", format!("other-{n}")))).count();
    assert!(absent > 950, "{absent} of 1000");
    assert!(may(Filter::equal("node", "anything")) && may(Filter::equal("attr", "anything")));
}

#[test]
fn bytes_that_are_not_a_summary_deny_nothing() {
    let rows = [LogRow { cluster: "c1".into(), ..LogRow::default() }];
    let mut gathering = Gathering::new(Signal::Logs);
    gathering.add(&logs_batch(&rows).unwrap());
    let bytes = gathering.finish();
    let asked = Asked::new(Signal::Logs, &Filter::equal("cluster", "c2"));
    assert!(!Summary::read(Signal::Logs, &bytes).may_hold(&asked));
    for cut in 0..bytes.len() {
        // Cut between two columns it only knows less.
        let read = Summary::read(Signal::Logs, &bytes[..cut]);
        assert!(read.may_hold(&asked) || read.columns.contains_key("cluster"), "{cut}");
    }
    assert!(Summary::read(Signal::Logs, &[2, 1]).may_hold(&asked));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]{1,2}", "[A-C]-[0-9]", Just("\u{1b}[1mb\u{1b}[0m".to_owned())]
}

fn leaf() -> impl Strategy<Value = Filter> {
    let field = prop_oneof![
        Just("cluster"),
        Just("namespace"),
        Just("service"),
        Just("pod"),
        Just("stream"),
        Just("status"),
        Just("name"),
        Just("message"),
        Just("level"),
        Just("other"),
    ];
    let some = |text: String| if text.is_empty() { "a".to_owned() } else { text };
    prop_oneof![
        (field.clone(), word()).prop_map(|(f, v)| Filter::equal(f, v)),
        (field.clone(), word()).prop_map(move |(f, v)| Filter::Contains {
            field: Some(f.into()),
            text: some(v),
            case: Case::Smart
        }),
        (field.clone(), prop::sample::select(vec!["[ab]", "[A-C]-", "^$", ".", "^b"])).prop_map(
            |(f, pattern)| Filter::Regex {
                field: Some(f.into()),
                pattern: pattern.into(),
                case: Case::Sensitive
            }
        ),
        field.prop_map(|f| Filter::Has { field: f.into() }),
        Just(Filter::Level(LevelTest::AtLeast(Level::Warn))),
        Just(Filter::Level(LevelTest::AnyOf(vec![Level::Unknown, Level::Info]))),
        Just(Filter::All),
        Just(Filter::Time { from: Some(5), to: None }),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

fn agrees(signal: Signal, batch: &RecordBatch, filter: &Filter) {
    let Ok(compiled) = Compiled::new(filter) else { return };
    let brute = (0..batch.num_rows()).any(|row| compiled.matches(&RowView { signal, batch, row }));
    let summary = summed(signal, batch);
    assert!(!brute || summary.may_hold(&Asked::new(signal, filter)), "{filter:?} is in {batch:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_a_row_holds_is_never_denied(
        values in prop::collection::vec((word(), word(), word(), 0_u8..25), 1..12),
        filter in filter(),
    ) {
        let logs: Vec<LogRow> = values.iter().map(|(a, b, c, n)| LogRow {
            cluster: a.clone(),
            namespace: b.clone(),
            service: c.clone(),
            pod: format!("{a}{b}"),
            iostream: c.clone(),
            level: *n,
            message: b.clone().into_bytes(),
            ..LogRow::default()
        }).collect();
        agrees(Signal::Logs, &logs_batch(&logs).unwrap(), &filter);
        let spans: Vec<SpanRow> = values.iter().map(|(a, b, c, _)| SpanRow {
            cluster: a.clone(),
            service: b.clone(),
            name: c.clone(),
            ..SpanRow::default()
        }).collect();
        agrees(Signal::Spans, &spans_batch(&spans).unwrap(), &filter);
    }
}
