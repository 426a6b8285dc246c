//! Questions about lines and events: searches in both orders, pages, counts, fields.

use std::collections::BTreeMap;

use ph_filter::{Case, Ends, Filter, LevelTest, Order as Side};
use ph_model::{Level, LogRow, RangeNs, Signal};

use super::Asker;
use super::rows::{BASE_NS, LINES, event, line};
use crate::contract::{Bucket, CountAsk, FieldsAsk, Order, SearchAsk, SearchRows, Store};

type Test = fn(usize) -> bool;

fn field_contains(field: &str, text: &str) -> Filter {
    Filter::Contains { field: Some(field.into()), text: text.into(), case: Case::Smart }
}

fn compare(op: Side, value: &str) -> Filter {
    Filter::Compare { field: "n".into(), op, value: value.into() }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Filters, and which of the lines pass.
fn filters() -> Vec<(Filter, Test)> {
    [of_messages(), of_fields(), of_trees()].concat()
}

fn of_messages() -> Vec<(Filter, Test)> {
    let words = |text: &str, ends| Filter::Words { field: None, text: text.into(), ends, case: Case::Smart };
    vec![
        (Filter::All, |_| true),
        (Filter::contains("GET"), |i| i % 4 == 0),
        (Filter::contains("get"), |i| i % 4 == 0),
        (Filter::contains("Get"), |_| false),
        (Filter::contains("/api/v1/us"), |i| i % 4 == 0),
        (Filter::contains("users/4"), |i| i % 4 == 0 && i.to_string().starts_with('4')),
        (Filter::words("users"), |i| i % 4 == 0),
        (Filter::words("user"), |i| i % 4 == 2),
        (Filter::words("timeout after"), |i| i % 4 == 2),
        (words("tim", Ends::OpenEnd), |i| i % 4 == 2),
        (words("meout", Ends::OpenStart), |i| i % 4 == 2),
        (Filter::words("tim"), |_| false),
        (Filter::words("err"), |i| i % 4 == 2),
        (Filter::contains("größe"), |i| i % 4 == 3),
        (Filter::contains("error"), |i| i % 4 == 3),
        (Filter::contains("ERROR"), |i| i % 4 == 3),
        (Filter::contains("Error"), |_| false),
        (Filter::contains("\", "), |_| false),
        (Filter::contains("\":\""), |i| i % 4 == 1),
        (Filter::contains("nowhere"), |_| false),
        (Filter::regex(r"code e\d+"), |i| i % 4 == 3),
        (Filter::regex(r"E1\d\b"), |i| i % 4 == 3 && (10..20).contains(&i)),
        (Filter::regex("failed|timeout"), |i| i % 4 == 1 || i % 4 == 2),
        (Filter::regex("^GET"), |i| i % 4 == 0),
        (Filter::regex("zzz|yyy"), |_| false),
    ]
}

fn of_fields() -> Vec<(Filter, Test)> {
    let level = |levels: &[Level]| Filter::Level(LevelTest::AnyOf(levels.to_vec()));
    vec![
        (Filter::equal("pod", "web-3"), |i| i % 7 == 3),
        (Filter::equal("namespace", "shop"), |i| i % 3 == 0),
        (not(Filter::equal("namespace", "shop")), |i| i % 3 != 0),
        (Filter::equal("kind", "even"), |i| i % 2 == 0),
        (Filter::equal("attr.kind", "odd"), |i| i % 2 == 1),
        (Filter::equal("kind", "other"), |_| false),
        (Filter::equal("note", "hello world"), |i| i % 10 == 0),
        (Filter::equal("note", "hello"), |_| false),
        (field_contains("note", "lo wo"), |i| i % 10 == 0),
        (Filter::Has { field: "note".into() }, |i| i % 10 == 0),
        (not(Filter::Has { field: "note".into() }), |i| i % 10 != 0),
        (Filter::equal("n", "37"), |i| i == 37),
        (compare(Side::More, "390"), |i| i > 390),
        (compare(Side::AtMost, "3"), |i| i <= 3),
        (Filter::Between { field: "n".into(), low: "10".into(), high: "20".into() }, |i| {
            (10..=20).contains(&i)
        }),
        (Filter::equal("body.code", "41"), |i| i == 41),
        (Filter::equal("code", "45"), |i| i == 45),
        (Filter::equal("nested.k", "v2"), |i| i % 4 == 1 && i % 5 == 2),
        (Filter::equal("user", "u3"), |i| i % 4 == 2 && i % 11 == 3),
        (field_contains("err", "timeout"), |i| i % 4 == 2),
        (Filter::Level(LevelTest::AtLeast(Level::Warn)), |i| i % 5 >= 3),
        (level(&[Level::Error]), |i| i % 5 == 4),
        (level(&[Level::Unknown, Level::Debug]), |i| i % 5 <= 1),
        (Filter::equal("level", "info"), |i| i % 5 == 2),
        (Filter::equal("stream", "stderr"), |i| i % 9 == 0),
        (Filter::equal("resource.host", "h2"), |i| i % 4 == 2),
        (Filter::equal("host", "h1"), |i| i % 4 == 1),
        (Filter::equal("trace_id", "03".repeat(16)), |i| i == 60),
        (Filter::Has { field: "trace_id".into() }, |i| i % 20 == 0),
        (Filter::equal("cluster", "c1"), |_| true),
        (Filter::equal("cluster", "c2"), |_| false),
    ]
}

fn of_trees() -> Vec<(Filter, Test)> {
    let time = |from, to| Filter::Time { from, to };
    vec![
        (Filter::Regex { field: Some("pod".into()), pattern: "web-[12]$".into(), case: Case::Smart }, |i| {
            matches!(i % 7, 1 | 2)
        }),
        (
            Filter::And(vec![
                Filter::equal("namespace", "ops"),
                Filter::Level(LevelTest::AtLeast(Level::Error)),
            ]),
            |i| i % 3 == 1 && i % 5 == 4,
        ),
        (Filter::Or(vec![Filter::equal("pod", "web-1"), Filter::words("payment")]), |i| {
            i % 7 == 1 || i % 4 == 1
        }),
        (not(Filter::Or(vec![Filter::words("GET"), Filter::words("payment")])), |i| i % 4 >= 2),
        (
            Filter::And(vec![
                Filter::Or(vec![Filter::words("ok"), Filter::words("nowhere")]),
                not(Filter::And(vec![Filter::equal("node", "n3"), Filter::equal("service", "svc-1")])),
            ]),
            |_| false,
        ),
        (Filter::And(Vec::new()), |_| true),
        (Filter::Or(Vec::new()), |_| false),
        (time(Some(BASE_NS + 100_000_000), None), |i| i / 2 >= 100),
        (time(None, Some(BASE_NS + 100_000_000)), |i| i / 2 < 100),
        (time(Some(BASE_NS + 20_000_000), Some(BASE_NS + 21_000_000)), |i| i / 2 == 20),
    ]
}

fn range() -> RangeNs {
    RangeNs::new(BASE_NS, BASE_NS + 1_000_000_000)
}

/// Lines that pass, in the order of answers.
fn right(test: Test) -> Vec<u64> {
    let mut out: Vec<LogRow> = (0..LINES).filter(|i| test(*i)).map(line).collect();
    out.sort_by_key(|r| (r.ts, r.stream(), r.offset));
    out.iter().map(|r| r.offset).collect()
}

/// What a search gives, page by page.
async fn searched<S: Store + ?Sized>(asker: &Asker<'_, S>, mut ask: SearchAsk) -> Vec<u64> {
    let mut out = Vec::new();
    loop {
        let page = asker.store.search(&asker.ctx, ask.clone()).await.unwrap();
        assert_eq!(page.incomplete, Vec::<String>::new());
        match page.rows {
            SearchRows::Logs(rows) => {
                // Whole rows come back, not only what was asked about.
                assert!(rows.iter().all(|r| *r == line(r.offset as usize)));
                out.extend(rows.iter().map(|r| r.offset));
            }
            SearchRows::Events(rows) => out.extend(rows.iter().map(|r| u64::from(r.count))),
            SearchRows::Spans(_) => panic!("spans were not asked for"),
        }
        let Some(cursor) = page.next else { return out };
        ask.cursor = Some(cursor);
    }
}

fn ask(signal: Signal, filter: &Filter) -> SearchAsk {
    SearchAsk {
        signal,
        filter: filter.clone(),
        range: range(),
        order: Order::Ascending,
        limit: 10_000,
        cursor: None,
        within: None,
    }
}

pub(super) async fn check<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    for (n, (filter, test)) in filters().into_iter().enumerate() {
        let mut expected = right(test);
        let up = searched(asker, ask(Signal::Logs, &filter)).await;
        asker.right(&format!("lines up, {filter:?}"), &up, &expected);
        expected.reverse();
        // Some of them page by page.
        let limit = if n % 8 == 0 { 37 } else { 10_000 };
        let down = SearchAsk { order: Order::Descending, limit, ..ask(Signal::Logs, &filter) };
        let down = searched(asker, down).await;
        asker.right(&format!("lines down, {filter:?}"), &down, &expected);
        if n % 4 == 0 {
            counts(asker, (&filter, test)).await;
        }
        if n % 9 == 0 {
            fields(asker, (&filter, test)).await;
        }
    }
    narrow(asker).await;
    events(asker).await;
}

async fn narrow<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    for (from, to) in [(0, 0), (0, 1), (5, 6), (10, 60), (199, 300), (-50, 3)] {
        let range = RangeNs::new(BASE_NS + from * 1_000_000, BASE_NS + to * 1_000_000);
        let found = searched(asker, SearchAsk { range, ..ask(Signal::Logs, &Filter::All) }).await;
        let mut expected: Vec<LogRow> = (0..LINES).map(line).filter(|r| range.contains(r.ts)).collect();
        expected.sort_by_key(|r| (r.ts, r.stream(), r.offset));
        let expected: Vec<u64> = expected.iter().map(|r| r.offset).collect();
        asker.right(&format!("lines of {from} to {to} ms"), &found, &expected);
    }
}

async fn counts<S: Store + ?Sized>(asker: &mut Asker<'_, S>, (filter, test): (&Filter, Test)) {
    let step_ns = 30_000_000;
    let group = |by: Option<&str>, row: &LogRow| match by {
        None => String::new(),
        Some("namespace") => row.namespace.clone(),
        Some("level") => Level::from_number(row.level).as_str().to_owned(),
        _ => row.attributes.text("kind").unwrap_or_default().to_owned(),
    };
    for by in [None, Some("namespace"), Some("level"), Some("kind")] {
        let ask = CountAsk {
            signal: Signal::Logs,
            filter: filter.clone(),
            range: range(),
            step_ns,
            by: by.map(str::to_owned),
        };
        let buckets = asker.store.count(&asker.ctx, ask).await.unwrap();
        let mut expected: BTreeMap<(i64, String), u64> = BTreeMap::new();
        for row in (0..LINES).filter(|i| test(*i)).map(line) {
            *expected.entry((row.ts.div_euclid(step_ns) * step_ns, group(by, &row))).or_default() += 1;
        }
        let expected: Vec<Bucket> = expected
            .into_iter()
            .map(|((start_ns, group), count)| Bucket { start_ns, group, count })
            .collect();
        asker.right(&format!("count by {by:?}, {filter:?}"), &buckets, &expected);
    }
}

async fn fields<S: Store + ?Sized>(asker: &mut Asker<'_, S>, (filter, test): (&Filter, Test)) {
    for field in ["pod", "kind", "note"] {
        let ask = FieldsAsk {
            signal: Signal::Logs,
            filter: filter.clone(),
            range: range(),
            field: Some(field.to_owned()),
            limit: 100,
        };
        let page = asker.store.fields(&asker.ctx, ask).await.unwrap();
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for row in (0..LINES).filter(|i| test(*i)).map(line) {
            let value = if field == "pod" { Some(row.pod.as_str()) } else { row.attributes.text(field) };
            value.into_iter().for_each(|v| *expected.entry(v.to_owned()).or_default() += 1);
        }
        let found: BTreeMap<String, u64> = page.items.into_iter().map(|i| (i.name, i.rows)).collect();
        asker.right(&format!("values of {field}, {filter:?}"), &found, &expected);
    }
}

async fn events<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    let cases: Vec<(Filter, Test)> = vec![
        (Filter::All, |_| true),
        (Filter::equal("type", "Warning"), |i| i % 3 == 0),
        (Filter::Level(LevelTest::AtLeast(Level::Warn)), |i| i % 3 == 0),
        (Filter::equal("reason", "BackOff"), |i| i % 2 == 0),
        (Filter::equal("object_name", "web-2"), |i| i % 4 == 2),
        (Filter::equal("namespace", "shop"), |_| true),
        (Filter::words("7"), |i| i == 7),
        (not(Filter::words("container")), |_| false),
    ];
    for (filter, test) in cases {
        let found = searched(asker, ask(Signal::Events, &filter)).await;
        let expected: Vec<u64> = (0..30).filter(|i| test(*i)).map(|i| u64::from(event(i).count)).collect();
        asker.right(&format!("events, {filter:?}"), &found, &expected);
    }
}
