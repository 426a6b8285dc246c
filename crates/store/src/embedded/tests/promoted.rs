//! Attributes that have columns of their own are found as those in the map, and what lies beside them is not read.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use ph_access::TenantCtx;
use ph_filter::{Case, Compiled, Filter, Order as Side, Record};
use ph_model::{LogRow, RangeNs, Signal, SpanRow, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::Bed;
use super::bed::{NOW_NS, all_lines, ask, line, logs, org, page, put, span};
use crate::contract::{CountAsk, FieldsAsk, Rows, SearchPage, SpanSet, Store, TracesAsk};
use crate::embedded::Embedded;
use crate::rows::{RowView, logs_batch};

const KEYS: [&str; 6] = ["k", "http.status", "odd key", "user", "n", "rare"];
const TEXTS: [&str; 9] = ["", "a", "b", "-", "+", "\u{1b}[1mb\u{1b}[0m", "zz top", "7", "250ms"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => proptest::sample::select(&TEXTS[..]).prop_map(|text| Value::Str(text.to_owned())),
        2 => (-3..12_i64).prop_map(Value::Int),
        1 => (0..4_i8).prop_map(|n| Value::Double(f64::from(n) / 2.0)),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Bytes(vec![7, 0xff])),
        1 => Just(Value::Array(vec![Value::Int(7), Value::Str("b".to_owned())])),
        1 => Just(Value::Map(vec![("a".to_owned(), Value::Bool(true))])),
    ]
}

/// A row whose message and resource have fields of the same names. One key in few rows, the others in more and more.
fn row(n: u64) -> impl Strategy<Value = LogRow> {
    let has = (0..KEYS.len()).map(|at| prop::bool::weighted([0.9, 0.6, 0.4, 0.2, 0.5, 0.01][at]));
    let attributes = (has.collect::<Vec<_>>(), proptest::collection::vec(value(), KEYS.len()));
    let beside = (prop::option::of(proptest::sample::select(&TEXTS[..])), any::<bool>());
    (attributes, beside).prop_map(move |((has, values), (beside, in_body))| {
        let mut row = LogRow { attributes: Default::default(), ..line(n) };
        for ((key, value), _) in KEYS.iter().zip(values).zip(has).filter(|(_, has)| *has) {
            row.attributes.set(*key, value);
        }
        if let Some(text) = beside {
            if in_body {
                row.message = format!("{{\"k\":{text:?},\"user\":7}}").into_bytes();
            } else {
                row.resource.set("k", text);
                row.resource.set("resource.n", text);
            }
        }
        row
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let name = (
        proptest::sample::select(&KEYS[..]),
        proptest::sample::select(&["", "attr.", "attr.", "resource."][..]),
    )
        .prop_map(|(key, prefix)| format!("{prefix}{key}"));
    let text = proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned);
    let leaf = (name, text, 0..6_u8).prop_map(|(field, text, kind)| {
        let shown = if text.is_empty() { "b".to_owned() } else { text.clone() };
        match kind {
            0 | 1 => Filter::Equal { field, value: text },
            2 => Filter::Contains { field: Some(field), text: shown, case: Case::Smart },
            3 => Filter::Has { field },
            4 => Filter::Compare { field, op: Side::More, value: "2".into() },
            _ => Filter::Regex { field: Some(field), pattern: "^[a-c7]".into(), case: Case::Smart },
        }
    });
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

/// Metadata of all Parquet files below a directory.
fn files(dir: &Path) -> Vec<ParquetMetaData> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => files(&path),
        Some(e) if e == "parquet" => {
            let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
            vec![file.metadata().clone()]
        }
        _ => Vec::new(),
    };
    paths.flat_map(read).collect()
}

/// Names of attributes that have columns, file by file.
fn own_columns(bed: &Bed) -> Vec<Vec<String>> {
    let own = |meta: &ParquetMetaData| {
        let fields = meta.file_metadata().schema_descr().root_schema().get_fields().iter();
        fields.filter_map(|f| f.name().strip_prefix("attr.").map(str::to_owned)).collect()
    };
    files(&bed.dir.join("t")).iter().map(own).collect()
}

/// Every question finds what a look at each row finds.
async fn compared(store: &Embedded, ctx: &TenantCtx, (all, filters): (&[LogRow], &[Filter])) {
    assert_eq!(all_lines(store, ctx).await, all, "whole rows, with the types of their attributes");
    let batch = logs_batch(all).unwrap();
    let view = |row| RowView { signal: Signal::Logs, batch: &batch, row };
    let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000_000);
    for filter in filters {
        let compiled = Compiled::new(filter).unwrap();
        let passing: Vec<usize> = (0..all.len()).filter(|row| compiled.matches(&view(*row))).collect();
        let found = logs(&page(store, ctx, ask(Signal::Logs, filter.clone())).await);
        let want: Vec<LogRow> = passing.iter().map(|row| all[*row].clone()).collect();
        assert_eq!(found, want, "{filter:?}");
        let by = Some("k".to_owned());
        let count =
            CountAsk { signal: Signal::Logs, filter: filter.clone(), range, step_ns: 1_000_000_000, by };
        let buckets = store.count(ctx, count).await.unwrap();
        assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), passing.len() as u64, "{filter:?}");
        for bucket in buckets {
            let of_group = passing.iter().filter(|row| view(**row).group("k") == bucket.group).count();
            assert_eq!(bucket.count, of_group as u64, "{filter:?} {bucket:?}");
        }
        for field in ["http.status", "attr.user"] {
            let fields = FieldsAsk {
                signal: Signal::Logs,
                filter: filter.clone(),
                range,
                field: Some(field.into()),
                limit: 1_000,
            };
            for item in store.fields(ctx, fields).await.unwrap().items {
                let with =
                    passing.iter().filter(|row| view(**row).field(field).as_deref() == Some(&*item.name));
                assert_eq!(item.rows, with.count() as u64, "{filter:?} {field} {item:?}");
            }
        }
    }
    let names = FieldsAsk { signal: Signal::Logs, filter: Filter::All, range, field: None, limit: 1_000 };
    let names = store.fields(ctx, names).await.unwrap().items;
    for key in KEYS {
        let rows = all.iter().filter(|row| row.attributes.value(key).is_some()).count() as u64;
        let told = names.iter().find(|item| item.name == key).map_or(0, |item| item.rows);
        assert_eq!(told, rows, "{key}");
    }
}

/// The rows in memory, where no attribute has a column, say what is right: before flushing, in parts, merged, and merged again
/// with parts that have other columns.
#[tokio::test(flavor = "multi_thread")]
async fn answers_do_not_tell_where_an_attribute_lies() {
    let mut runner = TestRunner::deterministic();
    for round in 0..3 {
        let bed = Bed::new();
        let ctx = org(1);
        let store = bed.open().await;
        let filters: Vec<Filter> =
            (0..40).map(|_| filter().new_tree(&mut runner).unwrap().current()).collect();
        let mut all = Vec::new();
        for stage in 0..2 {
            for part in 0..2 {
                let from = (stage * 2 + part) * 150;
                let rows: Vec<LogRow> =
                    (from..from + 150).map(|n| row(n).new_tree(&mut runner).unwrap().current()).collect();
                put(&store, &ctx, Rows::Logs(rows.clone())).await;
                all.extend(rows);
                if part == 0 {
                    compared(&store, &ctx, (&all[..], &filters[..])).await;
                }
                store.flush().await.unwrap();
            }
            compared(&store, &ctx, (&all[..], &filters[..])).await;
            store.compact().await.unwrap();
            let mut want = ["k", "http.status", "odd key", "user", "n"].map(str::to_owned).to_vec();
            want.sort();
            assert_eq!(own_columns(&bed), [want], "{round}: merged, with all but the rare one");
            compared(&store, &ctx, (&all[..], &filters[..])).await;
        }
        store.shutdown().await;
        drop(store);
        let store = bed.open().await;
        compared(&store, &ctx, (&all[..], &filters[..])).await;
        store.shutdown().await;
        drop(store);
        let report = crate::check(&bed.dir).await.unwrap();
        assert!(report.faults.is_empty() && report.garbage.is_empty(), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_found_by_such_attributes() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for part in 0..3_u64 {
        let of = |n: u64| {
            let mut one = span(n);
            one.attributes.set("size", n as i64 % 7);
            one.attributes.set("user.id", format!("u{}", n % 5));
            one
        };
        let spans: Vec<SpanRow> = (part * 20..part * 20 + 20).map(of).collect();
        put(&store, &ctx, Rows::Spans(spans)).await;
        store.flush().await.unwrap();
    }
    let told = async || {
        let mut out = Vec::new();
        for text in
            ["attr.user.id=u3", "user.id=u3 attr.size>4", "has(attr.ok) not attr.size=2", "attr.nobody=1"]
        {
            let ask = TracesAsk {
                spans: SpanSet::Where(ph_filter::query::parse_filter(text).unwrap()),
                range: RangeNs::ALL,
                limit: 100,
                cursor: None,
                select: vec!["attr.size".into(), "user.id".into()],
            };
            out.push(format!("{text}: {:?}", store.search_traces(&ctx, ask).await.unwrap().traces));
        }
        out.push(format!("{:?}", store.trace(&ctx, [13; 16], None).await.unwrap()));
        out
    };
    let before = told().await;
    assert!(before[0].matches("TraceSummary").count() == 12 && before[3].ends_with("[]"), "{before:?}");
    store.compact().await.unwrap();
    assert_eq!(own_columns(&bed), [["ok", "size", "user.id"]]);
    assert_eq!(told().await, before);
    store.shutdown().await;
}

/// Rows of five pods, a page of a part each; of one pod the attribute says `+`, which no index of words knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_by_such_an_attribute_reads_its_pages_alone() {
    const PAGE: u64 = 8_192;
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for part in 0..2 {
        let of = |n: u64| {
            let (pod, namespace) = (format!("web-{}", n % 5), "shop".to_owned());
            let mut row = LogRow { pod, namespace, message: b"ok".to_vec(), ..line(n) };
            row.attributes.set("state", if n % 5 == 3 { "+" } else { "-" });
            let noise = |odd: u64| format!("{:016x}", (n + 1).wrapping_mul(odd));
            row.attributes.set(
                "noise",
                [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9].map(noise).concat(),
            );
            row
        };
        let rows: Vec<LogRow> = (part * PAGE * 5 / 2..(part + 1) * PAGE * 5 / 2).map(of).collect();
        for piece in rows.chunks(4_096) {
            put(&store, &ctx, Rows::Logs(piece.to_vec())).await;
        }
        store.flush().await.unwrap();
    }
    let search = async |text: &str| -> SearchPage {
        page(&store, &ctx, ask(Signal::Logs, ph_filter::query::parse_filter(text).unwrap())).await
    };
    let by_state = "attr.state=\"+\"";
    let before = search(by_state).await;
    assert_eq!((logs(&before).len() as u64, before.scanned_rows), (PAGE, PAGE * 5));
    store.compact().await.unwrap();
    let after = search(by_state).await;
    assert_eq!(logs(&after), logs(&before));
    assert_eq!(after.scanned_rows, PAGE, "one page of five");
    // A name that may lie elsewhere as well: all of these rows have the attribute.
    let anywhere = search("state=\"+\"").await;
    assert_eq!(anywhere.scanned_rows, PAGE);
    assert_eq!(
        (logs(&anywhere), anywhere.scanned_bytes),
        (logs(&after), after.scanned_bytes),
        "no message was read"
    );
    assert_eq!(search("attr.state=\"+\" or attr.state=\".\"").await.scanned_rows, PAGE);
    let nothing = search("attr.state=\".\"").await;
    assert_eq!((logs(&nothing).len(), nothing.scanned_rows), (0, 0));
    assert_eq!(search("not attr.state=\"-\"").await.scanned_rows, PAGE * 5, "nothing is said of pages");
    // What is counted is in the column; the map with the noise stays on the disk.
    let bytes = |page: &SearchPage| page.scanned_bytes;
    let counted = search("attr.state=~\"^[.]\"").await;
    assert!(bytes(&counted) * 4 < bytes(&search("attr.noise=~\"^[.]\"").await), "{} bytes", bytes(&counted));
    // Least and largest values are told where somebody asks for them.
    let [meta] = &files(&bed.dir.join("t"))[..] else { panic!("one part") };
    let told = meta.row_group(0).columns().iter().filter(|c| c.statistics().is_some());
    let told: Vec<String> = told.map(|c| c.column_path().parts().join("/")).collect();
    assert_eq!(told, ["ts", "attr.n", "attr.noise", "attr.ratio", "attr.state"]);
    store.shutdown().await;
}
