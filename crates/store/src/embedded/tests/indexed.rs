//! Searches with indexes give what a scan gives, and read little.

use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_filter::{Case, Ends, Filter};
use ph_model::{LogRow, RangeNs, Signal, SpanRow};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::bed::{NOW_NS, ask, logs, org, page, put};
use super::{Bed, line, lines};
use crate::contract::{Order, Rows, SearchAsk, Store};
use crate::embedded::Embedded;

const WORDS: [&str; 14] = [
    "api",
    "Timeout",
    "err",
    "error",
    "user_7",
    "Größe",
    "ſtraße",
    "KELVIN",
    "\u{212a}elvin",
    "x",
    "42",
    "\u{1b}[31mred\u{1b}[0m",
    "path\\u00e9",
    "日本",
];
const GLUE: [&str; 8] = [" ", "/", "-", "=", ": ", "", "\"", "\\"];

fn text() -> impl Strategy<Value = String> {
    let piece = (proptest::sample::select(&WORDS[..]), proptest::sample::select(&GLUE[..]));
    proptest::collection::vec(piece, 1..4).prop_map(|p| p.into_iter().flat_map(|(w, g)| [w, g]).collect())
}

/// A part of a text of the corpus, or of none.
fn literal() -> impl Strategy<Value = String> {
    (text(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(text, from, len, whole)| {
            if whole {
                return text;
            }
            let chars: Vec<char> = text.chars().collect();
            let from = from.index(chars.len());
            let len = len.index(chars.len() - from) + 1;
            chars.iter().skip(from).take(len).collect()
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    let field = prop_oneof![
        3 => Just(None),
        1 => Just(Some("k".to_owned())),
        1 => Just(Some("attr.k".to_owned())),
        1 => Just(Some("resource.host".to_owned())),
        1 => Just(Some("pod".to_owned())),
        1 => Just(Some("body.k".to_owned())),
    ];
    let case = prop_oneof![Just(Case::Smart), Just(Case::Sensitive), Just(Case::Insensitive)];
    let ends = prop_oneof![Just(Ends::Closed), Just(Ends::OpenEnd), Just(Ends::OpenStart)];
    let leaf =
        prop_oneof![
            (field.clone(), literal(), case.clone()).prop_map(|(field, text, case)| Filter::Contains {
                field,
                text,
                case
            }),
            (field.clone(), literal(), ends, case.clone())
                .prop_map(|(field, text, ends, case)| Filter::Words { field, text, ends, case }),
            (field.clone(), literal(), case).prop_map(|(field, text, case)| {
                let pattern = text.replace(['\\', '[', '\u{1b}'], ".");
                Filter::Regex { field, pattern, case }
            }),
            (field, literal()).prop_map(|(field, value)| match field {
                Some(field) => Filter::Equal { field, value },
                None => Filter::Equal { field: "k".into(), value },
            }),
            (0..400_u64).prop_map(|n| Filter::equal("pod", format!("web-{n}"))),
            (0..8_u8).prop_map(|n| Filter::equal("trace_id", format!("{n:02x}").repeat(16))),
        ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

fn corpus(runner: &mut TestRunner, count: u64) -> Vec<LogRow> {
    let texts: Vec<String> = (0..400).map(|_| text().new_tree(runner).unwrap().current()).collect();
    (0..count)
        .map(|n| {
            let mut row = line(n);
            // Streams are sorted together, so a text stands in few blocks.
            let pod = n % 400;
            let text = &texts[(pod as usize + (n / 4_000) as usize) % texts.len()];
            row.pod = format!("web-{pod}");
            row.message = match n % 3 {
                0 => text.clone().into_bytes(),
                1 => format!("{{\"k\":{:?},\"n\":{n}}}", text.replace('\u{1b}', "")).into_bytes(),
                _ => format!("k={text} n={n}").into_bytes(),
            };
            if n % 5 == 0 {
                row.attributes.set("k", text.as_str());
            }
            row.resource.set("host", texts[pod as usize % 40].as_str());
            row.trace_id = (n % 1_000 == 0).then_some([(n / 1_000) as u8; 16]);
            row
        })
        .collect()
}

async fn found(store: &Embedded, ctx: &TenantCtx, filter: &Filter) -> Vec<u64> {
    let page = page(store, ctx, ask(Signal::Logs, filter.clone())).await;
    assert_eq!(page.incomplete, Vec::<String>::new());
    let mut out: Vec<u64> = logs(&page).iter().map(|r| r.offset).collect();
    out.push(u64::from(page.next.is_some()));
    out
}

/// Rows in memory have no index: their answer is that of a plain scan.
#[tokio::test(flavor = "multi_thread")]
async fn indexes_leave_nothing_out() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut runner = TestRunner::deterministic();
    let rows = corpus(&mut runner, 18_000);
    put(&store, &ctx, Rows::Logs(rows)).await;
    let filters: Vec<Filter> = (0..150).map(|_| filter().new_tree(&mut runner).unwrap().current()).collect();
    let mut scanned = Vec::new();
    for filter in &filters {
        scanned.push(found(&store, &ctx, filter).await);
    }
    assert!(scanned.iter().filter(|s| s.len() > 1).count() > 60, "most filters find something");
    store.flush().await.unwrap();
    for (filter, scanned) in filters.iter().zip(&scanned) {
        assert_eq!(&found(&store, &ctx, filter).await, scanned, "{filter:?}");
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_tokens_and_traces_read_one_block() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut rows = lines(0, 40_000);
    // One stream, so that its blocks follow each other in time.
    rows.iter_mut().for_each(|r| (r.pod, r.namespace) = ("web-1".into(), "shop".into()));
    rows[30_123].message = b"the only needle of this haystack".to_vec();
    rows[30_124].trace_id = Some([0xab; 16]);
    put(&store, &ctx, Rows::Logs(rows)).await;
    store.flush().await.unwrap();
    let whole = store.stats(&ctx).await.unwrap().bytes[1];
    let all = page(&store, &ctx, ask(Signal::Logs, Filter::contains("xyzzy"))).await;
    assert_eq!(all.scanned_rows, 40_000, "a word inside a word may stand anywhere");
    for (filter, offset) in [
        (Filter::contains(" needle "), 3_012_300),
        (Filter::words("needle"), 3_012_300),
        (Filter::equal("trace_id", "ab".repeat(16)), 3_012_400),
    ] {
        let one = page(&store, &ctx, ask(Signal::Logs, filter.clone())).await;
        assert_eq!(logs(&one).iter().map(|r| r.offset).collect::<Vec<_>>(), [offset]);
        assert!(one.scanned_rows <= 8_192, "{filter:?}: {} rows", one.scanned_rows);
        assert!(one.scanned_bytes < whole / 2, "{filter:?}: {} of {whole} bytes", one.scanned_bytes);
    }
    let none = page(&store, &ctx, ask(Signal::Logs, Filter::words("nowhere"))).await;
    assert_eq!((none.scanned_rows, none.scanned_bytes), (0, 0));
    let narrow = SearchAsk {
        range: RangeNs::new(NOW_NS, NOW_NS + 1_000_000),
        ..ask(Signal::Logs, Filter::contains("zz"))
    };
    let narrow = page(&store, &ctx, narrow).await;
    assert!(narrow.scanned_rows < 40_000, "{} rows", narrow.scanned_rows);
    store.shutdown().await;
}

/// Ten thousand lines of one time page through both ways while parts are written and merged.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_a_month_are_in_one_part() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    bed.clock_ms.store(super::bed::NOW_MS, Ordering::Relaxed);
    for day in 0..6 {
        let mut rows = lines(0, 2_000);
        rows.iter_mut().for_each(|r| r.ts -= day * 86_400_000_000_000);
        put(&store, &ctx, Rows::Logs(rows)).await;
        store.flush().await.unwrap();
    }
    let whole = store.stats(&ctx).await.unwrap().bytes[1];
    let newest = SearchAsk { order: Order::Descending, limit: 10, ..ask(Signal::Logs, Filter::All) };
    let page = page(&store, &ctx, newest).await;
    assert_eq!(logs(&page).len(), 10);
    assert!(page.scanned_bytes < whole / 5, "{} of {whole} bytes", page.scanned_bytes);
    store.shutdown().await;
}

/// A damaged index is named; the answer is that of a scan.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_indexes_are_named_and_not_needed() {
    for ending in ["tix", "tid"] {
        let bed = Bed::new();
        let ctx = org(1);
        let store = bed.open().await;
        let spans: Vec<SpanRow> = (0..100).map(super::bed::span).collect();
        put(&store, &ctx, Rows::Spans(spans)).await;
        store.flush().await.unwrap();
        let file = bed.fs.walk(&bed.dir.join("t")).unwrap();
        let file = file.iter().find(|f| f.path.extension().is_some_and(|e| e == ending)).unwrap();
        let mut bytes = std::fs::read(&file.path).unwrap();
        let middle = bytes.len() / 3;
        bytes[middle] ^= 4;
        std::fs::write(&file.path, bytes).unwrap();
        let filter = Filter::And(vec![Filter::equal("trace_id", "07".repeat(16)), Filter::words("GET")]);
        let one = page(&store, &ctx, ask(Signal::Spans, filter)).await;
        assert_eq!(one.incomplete, Vec::<String>::new());
        let crate::contract::SearchRows::Spans(found) = &one.rows else { panic!() };
        assert_eq!(found.len(), 1);
        let troubles = store.health().not_ready;
        assert!(troubles.iter().any(|(_, why)| why.contains(ending)), "{troubles:?}");
        let trace = store.trace(&ctx, [7; 16], None).await.unwrap();
        assert_eq!(trace.spans.len(), 1);
        store.shutdown().await;
    }
}

/// Two words with one fingerprint: the index names blocks of the other word, and no row of it is given.
#[tokio::test(flavor = "multi_thread")]
async fn words_with_one_fingerprint_are_told_apart() {
    // Fingerprints have 32 bits, so among some hundred thousand words two have the same.
    let mut seen = std::collections::HashMap::new();
    let of = |word: &str| xxhash_rust::xxh3::xxh3_64(word.as_bytes()) as u32;
    let twins = (0..u64::MAX).find_map(|n| {
        let word = format!("w{n}x");
        let before = seen.insert(of(&word), word.clone())?;
        Some((before, word))
    });
    let (first, second) = twins.unwrap();
    assert!(first != second && of(&first) == of(&second));
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let rows = |word: &str, from: u64| -> Vec<LogRow> {
        let text = |n: u64| format!("{} {word} said", n).into_bytes();
        (from..from + 5).map(|n| LogRow { message: text(n), ..line(n) }).collect()
    };
    put(&store, &ctx, Rows::Logs(rows(&first, 0))).await;
    store.flush().await.unwrap();
    let find = async |word: &str| page(&store, &ctx, ask(Signal::Logs, Filter::words(word))).await;
    let found = find(&second).await;
    assert_eq!(logs(&found), [], "a row of its twin");
    assert_eq!(found.scanned_rows, 5, "the twin's block was looked at");
    assert_eq!(find("nobody").await.scanned_rows, 0, "others are not");
    put(&store, &ctx, Rows::Logs(rows(&second, 100))).await;
    store.flush().await.unwrap();
    for _ in 0..2 {
        assert_eq!(logs(&find(&first).await), rows(&first, 0));
        assert_eq!(logs(&find(&second).await), rows(&second, 100));
        let either = Filter::Or(vec![Filter::words(&first), Filter::words(&second)]);
        assert_eq!(logs(&page(&store, &ctx, ask(Signal::Logs, either)).await).len(), 10);
        let not = Filter::Not(Box::new(Filter::words(&first)));
        assert_eq!(logs(&page(&store, &ctx, ask(Signal::Logs, not)).await), rows(&second, 100));
        store.compact().await.unwrap();
    }
    store.shutdown().await;
}
