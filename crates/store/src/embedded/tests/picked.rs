//! However rows are found (in memory, in the pages of a file, by some columns first, by threads side by side), they are those
//! that a look at each row finds.

use arrow::array::RecordBatch;
use ph_access::TenantCtx;
use ph_filter::{Case, Compiled, Ends, Filter, LevelTest, Order as Side};
use ph_model::{Level, LogRow, RangeNs, Signal};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::bed::{NOW_NS, ask, line, logs, org, page, put};
use super::{Bed, lines};
use crate::contract::{CountAsk, Order, Rows, SearchAsk, Store};
use crate::embedded::Embedded;
use crate::rows::{RowView, logs_batch};

/// More than one group of rows.
const ROWS: u64 = 67_000;
/// Few rows are read one by one, many with their blocks.
const RARE: u64 = 9_000;

const WORDS: [&[u8]; 24] = [
    b"kind=mail",
    b"KIND=MAIL",
    b"Kind=bill",
    "\u{212a}ind=mail".as_bytes(),
    b"kind=\x1b[31mmail\x1b[0m",
    b"kind=",
    b"mail",
    b"task",
    "ta\u{17f}k".as_bytes(),
    "TAS\u{212a}".as_bytes(),
    "Größe".as_bytes(),
    "GRÖSSE".as_bytes(),
    b"\0",
    b"a\0b",
    b"\xff\xfe",
    b"kind\xff=mail",
    b"ERROR",
    b"errors",
    b"",
    b" ",
    b"{\"code\":7,\"kind\":\"mail\"}",
    b"\x1b",
    b"42",
    b"x9",
];

fn message() -> impl Strategy<Value = Vec<u8>> {
    const GLUE: [&[u8]; 3] = [b" ", b"", b"-"];
    let words = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..5);
    (words, proptest::sample::select(&GLUE[..])).prop_map(|(words, glue)| words.join(glue))
}

fn text() -> impl Strategy<Value = String> {
    let texts = [
        "kind=mail",
        "ind=m",
        "IND=M",
        "k",
        "s",
        "task",
        "TASK",
        "ask",
        "größe",
        "ö",
        "\0",
        "a\0b",
        "error",
        "ERROR",
        "=",
        "mailkind",
        "code",
        "rare",
        " ",
    ];
    proptest::sample::select(texts.to_vec()).prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = Filter> {
    let case = || prop_oneof![Just(Case::Smart), Just(Case::Sensitive), Just(Case::Insensitive)];
    let ends = prop_oneof![Just(Ends::Closed), Just(Ends::OpenEnd), Just(Ends::OpenStart)];
    let patterns = [
        "kind=(mail|bill)",
        "(k|t)as?k",
        "mail$",
        "^kind",
        "[kK]ind.mail",
        "gr.?ße",
        "err(or)?s",
        "(?i)TASK",
        "a.b",
        "\\bmail\\b",
    ];
    let pattern = proptest::sample::select(patterns.to_vec());
    let leaf = prop_oneof![
        3 => (text(), case()).prop_map(|(text, case)| Filter::Contains { field: None, text, case }),
        2 => (text(), ends, case()).prop_map(|(text, ends, case)| Filter::Words { field: None, text, ends, case }),
        3 => (pattern, case())
            .prop_map(|(pattern, case)| Filter::Regex { field: None, pattern: pattern.to_owned(), case }),
        1 => (0..6_u64).prop_map(|n| Filter::equal("pod", format!("web-{n}"))),
        1 => Just(Filter::equal("code", "7")),
        1 => Just(Filter::equal("k", "task")),
        1 => Just(Filter::Has { field: "attr.k".into() }),
        1 => Just(Filter::Level(LevelTest::AtLeast(Level::Error))),
        1 => Just(Filter::Compare { field: "code".into(), op: Side::More, value: "3".into() }),
        1 => (0..ROWS as i64).prop_map(|n| Filter::Time { from: Some(NOW_NS + n * 1_000), to: None }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

struct Corpus {
    rows: Vec<LogRow>,
    batch: RecordBatch,
}

fn corpus(runner: &mut TestRunner) -> Corpus {
    let messages: Vec<Vec<u8>> = (0..600).map(|_| message().new_tree(runner).unwrap().current()).collect();
    let row = |n: u64| {
        let mut row = line(n);
        row.message = messages[(n * 7 + n / 977) as usize % messages.len()].clone();
        if n % RARE == 17 {
            row.message.extend_from_slice(b" Rare");
        }
        if n.is_multiple_of(3) {
            row.attributes.set("k", ["task", "", "TASK"][(n / 3 % 3) as usize]);
        }
        row
    };
    let rows: Vec<LogRow> = (0..ROWS).map(row).collect();
    Corpus { batch: logs_batch(&rows).unwrap(), rows }
}

/// Rows that pass, by a look at each.
fn brute(Corpus { rows, batch }: &Corpus, filter: &Filter) -> Vec<usize> {
    let compiled = Compiled::new(filter).unwrap();
    (0..rows.len())
        .filter(|row| compiled.matches(&RowView { signal: Signal::Logs, batch, row: *row }))
        .collect()
}

async fn compared(store: &Embedded, ctx: &TenantCtx, (all, filter, want): (&Corpus, &Filter, &[usize])) {
    for order in [Order::Ascending, Order::Descending] {
        let ask = SearchAsk { order, limit: 700, ..ask(Signal::Logs, filter.clone()) };
        let page = page(store, ctx, ask).await;
        assert_eq!(page.incomplete, Vec::<String>::new());
        let of = |row: &usize| all.rows[*row].clone();
        let want: Vec<LogRow> = match order {
            Order::Ascending => want.iter().take(700).map(of).collect(),
            Order::Descending => want.iter().rev().take(700).map(of).collect(),
        };
        assert!(logs(&page) == want, "{filter:?} {order:?}");
    }
    let range = RangeNs::new(NOW_NS + 5_000_500, NOW_NS + 60_000_000);
    for by in [None, Some("level"), Some("pod"), Some("k")] {
        let step_ns = 7_000_000;
        let count = CountAsk {
            signal: Signal::Logs,
            filter: filter.clone(),
            range,
            step_ns,
            by: by.map(str::to_owned),
        };
        let buckets = store.count(ctx, count).await.unwrap();
        let mut expected = std::collections::BTreeMap::<(i64, String), u64>::new();
        for row in want.iter().filter(|row| range.contains(all.rows[**row].ts)) {
            let view = RowView { signal: Signal::Logs, batch: &all.batch, row: *row };
            let start = all.rows[*row].ts.div_euclid(step_ns) * step_ns;
            *expected.entry((start, by.map_or_else(String::new, |by| view.group(by)))).or_default() += 1;
        }
        let got = buckets.into_iter().map(|b| ((b.start_ns, b.group), b.count));
        assert_eq!(got.collect::<std::collections::BTreeMap<_, _>>(), expected, "{filter:?} {by:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_picked_is_what_a_look_at_each_row_finds() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut runner = TestRunner::deterministic();
    let all = corpus(&mut runner);
    let mut filters: Vec<Filter> =
        (0..12).map(|_| filter().new_tree(&mut runner).unwrap().current()).collect();
    let regex = Filter::Regex { field: None, pattern: "Kind=(mail|bill)".into(), case: Case::Insensitive };
    filters.extend([
        Filter::contains("rare"),
        Filter::words("Rare"),
        Filter::And(vec![Filter::contains("rare"), Filter::equal("pod", "web-2")]),
        Filter::And(vec![regex.clone(), Filter::equal("k", "task")]),
        Filter::And(vec![regex.clone(), Filter::contains("mail").negated()]),
        regex.clone().negated(),
        regex,
    ]);
    let brute: Vec<Vec<usize>> = filters.iter().map(|filter| brute(&all, filter)).collect();
    assert!(brute.iter().filter(|found| !found.is_empty()).count() > 10, "most filters find something");
    for rows in all.rows.chunks(10_000) {
        put(&store, &ctx, Rows::Logs(rows.to_vec())).await;
    }
    for round in 0..3 {
        for (filter, want) in filters.iter().zip(&brute) {
            compared(&store, &ctx, (&all, filter, want)).await;
        }
        match round {
            0 => store.flush().await.unwrap(),
            _ => store.compact().await.unwrap(),
        }
    }
    store.shutdown().await;
}

/// A part of which nothing passes costs its messages alone, one of which a row passes that and little more.
#[tokio::test(flavor = "multi_thread")]
async fn columns_are_read_where_rows_passed() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut rows = lines(0, 30_000);
    rows.iter_mut().for_each(|row| (row.pod, row.namespace) = ("web-1".into(), "shop".into()));
    rows[20_000].message = b"an xyzzy of another kind".to_vec();
    put(&store, &ctx, Rows::Logs(rows)).await;
    store.flush().await.unwrap();
    let count = |text: &'static str| {
        let by = Some("attr.n".to_owned());
        let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000_000);
        CountAsk { signal: Signal::Logs, filter: Filter::contains(text), range, step_ns: 1_000_000_000, by }
    };
    let read = |text| {
        let (store, ctx, ask) = (&store, &ctx, count(text));
        async move {
            let filter = ask.filter.clone();
            let found = page(store, ctx, super::bed::ask(Signal::Logs, filter)).await;
            (store.count(ctx, ask).await.unwrap().iter().map(|b| b.count).sum::<u64>(), found.scanned_bytes)
        }
    };
    let (none, least) = read("plugh").await;
    let (one, some) = read("xyzz").await;
    let (all, most) = read("ine").await;
    assert_eq!((none, one, all), (0, 1, 29_999));
    assert!(least < some && some < most, "{least} {some} {most}");
    store.shutdown().await;
}
