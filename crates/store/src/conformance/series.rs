//! Questions about metrics.

use std::collections::BTreeSet;

use futures::StreamExt;
use ph_model::{Labels, MatchOp, Matcher, RangeMs, Sample};

use super::Asker;
use super::rows::{BASE_MS, SAMPLES, SERIES, labels, sample};
use crate::contract::{LabelPage, SeriesAsk, SeriesSamples, Store};

type Test = fn(&Labels) -> bool;

fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.value(name).unwrap_or_default()
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher { name: name.into(), op, value: value.into() }
}

/// Selectors, and which series they choose.
fn selectors() -> Vec<(Vec<Matcher>, Test)> {
    let eq = |n: &str, v: &str| matcher(n, MatchOp::Equal, v);
    let ne = |n: &str, v: &str| matcher(n, MatchOp::NotEqual, v);
    let re = |n: &str, v: &str| matcher(n, MatchOp::Regex, v);
    let nre = |n: &str, v: &str| matcher(n, MatchOp::NotRegex, v);
    vec![
        (vec![], |_| true),
        (vec![eq("__name__", "mem")], |l| l.metric() == "mem"),
        (vec![eq("__name__", "nothing")], |_| false),
        (vec![ne("__name__", "mem")], |l| l.metric() != "mem"),
        (vec![re("__name__", "mem|cpu")], |l| l.metric() != "net"),
        (vec![re("__name__", "m.*")], |l| l.metric() == "mem"),
        (vec![re("__name__", "e")], |_| false),
        (vec![nre("__name__", ".*e.*")], |l| l.metric() == "cpu"),
        (vec![eq("ns", "a")], |l| value(l, "ns") == "a"),
        (vec![eq("ns", "")], |l| l.value("ns").is_none()),
        (vec![ne("ns", "")], |l| l.value("ns").is_some()),
        (vec![ne("ns", "a")], |l| value(l, "ns") != "a"),
        (vec![re("ns", "a|")], |l| value(l, "ns") != "b"),
        (vec![re("ns", ".*")], |_| true),
        (vec![re("ns", ".+")], |l| l.value("ns").is_some()),
        (vec![nre("ns", ".+")], |l| l.value("ns").is_none()),
        (vec![nre("ns", "b")], |l| value(l, "ns") != "b"),
        (vec![re("pod", "(?i)P[12]")], |l| matches!(value(l, "pod"), "p1" | "p2")),
        (vec![eq("__name__", "cpu"), eq("pod", "p2")], |l| l.metric() == "cpu" && value(l, "pod") == "p2"),
        (vec![eq("__name__", "cpu"), ne("ns", "a"), re("pod", "p.")], |l| {
            l.metric() == "cpu" && value(l, "ns") != "a"
        }),
        (vec![eq("unknown", "")], |_| true),
        (vec![eq("unknown", "x")], |_| false),
    ]
}

fn ranges() -> Vec<RangeMs> {
    let at = |n: i64| BASE_MS + n * 15_000;
    vec![RangeMs::new(at(0), at(SAMPLES)), RangeMs::new(at(3) + 1, at(9)), RangeMs::new(at(7), at(7))]
}

fn samples(s: usize, range: RangeMs) -> Vec<Sample> {
    (0..SAMPLES).map(|n| sample(s, n)).filter(|x| range.contains(x.at_ms)).collect()
}

pub(super) async fn check<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    for (matchers, test) in selectors() {
        for range in ranges() {
            let ask = SeriesAsk { matchers: matchers.clone(), range, max_series: 1_000 };
            one(asker, ask, test).await;
        }
    }
    limits(asker).await;
    facts(asker).await;
}

async fn one<S: Store + ?Sized>(asker: &mut Asker<'_, S>, ask: SeriesAsk, test: Test) {
    let what = format!("{:?} {:?}", ask.matchers, ask.range);
    let mut expected: Vec<(Labels, Vec<Sample>)> = (0..SERIES)
        .filter(|s| test(&labels(*s)))
        .map(|s| (labels(s), samples(s, ask.range)))
        .filter(|(_, samples)| !samples.is_empty())
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let batches: Vec<Result<Vec<SeriesSamples>, _>> =
        asker.store.select_series(&asker.ctx, ask.clone()).await.unwrap().collect().await;
    let found: Vec<(Labels, Vec<Sample>)> =
        batches.into_iter().flat_map(Result::unwrap).map(|s| (s.labels, s.samples)).collect();
    asker.right(&format!("select {what}"), &found, &expected);
    let batches: Vec<Result<Vec<SeriesSamples>, _>> =
        asker.store.select_newest(&asker.ctx, ask.clone()).await.unwrap().collect().await;
    let found: Vec<(Labels, Vec<Sample>)> =
        batches.into_iter().flat_map(Result::unwrap).map(|s| (s.labels, s.samples)).collect();
    let last = |samples: &[Sample]| samples.last().copied().into_iter().collect::<Vec<_>>();
    let newest: Vec<(Labels, Vec<Sample>)> =
        expected.iter().map(|(labels, samples)| (labels.clone(), last(samples))).collect();
    asker.right(&format!("newest of {what}"), &found, &newest);
    let series = asker.store.series(&asker.ctx, ask.clone()).await.unwrap();
    let right: Vec<Labels> = expected.iter().map(|(l, _)| l.clone()).collect();
    asker.right(&format!("series {what}"), &series, &(right.clone(), false));
    let pods: BTreeSet<String> = right.iter().map(|l| value(l, "pod").to_owned()).collect();
    let page = asker.store.label_values(&asker.ctx, "pod", ask.clone()).await.unwrap();
    let right_page = LabelPage { values: pods.into_iter().collect(), truncated: false };
    asker.right(&format!("values of pod {what}"), &page, &right_page);
    let names: BTreeSet<String> =
        right.iter().flat_map(Labels::iter).map(|(name, _)| name.to_owned()).collect();
    let range = ask.range;
    let page = asker.store.label_names(&asker.ctx, ask).await.unwrap();
    let right_page = LabelPage { values: names.into_iter().collect(), truncated: false };
    asker.right(&format!("names {what}"), &page, &right_page);
    let known = asker.store.known_names(&asker.ctx, range, 1_000).await.unwrap();
    let knows = |page: &LabelPage, name: &str| page.values.iter().any(|known| known == name);
    let all = right.iter().all(|l| knows(&known.metrics, l.metric()))
        && right_page.values.iter().all(|name| knows(&known.labels, name));
    asker.right(&format!("known names {what}"), &all, &true);
}

async fn limits<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    let ask = SeriesAsk { matchers: Vec::new(), range: RangeMs::ALL, max_series: 3 };
    let (found, truncated) = asker.store.series(&asker.ctx, ask.clone()).await.unwrap();
    asker.right("a listing says that it was cut", &(found.len(), truncated), &(3, true));
    let page = asker.store.label_values(&asker.ctx, "pod", ask.clone()).await.unwrap();
    asker.right("values say that they were cut", &(page.values.len(), page.truncated), &(3, true));
    let known = asker.store.known_names(&asker.ctx, RangeMs::ALL, 1).await.unwrap();
    let cut = |page: &LabelPage| (page.values.len(), page.truncated);
    asker.right(
        "known names say that they were cut",
        &(cut(&known.labels), cut(&known.metrics)),
        &((1, true), (1, true)),
    );
    let batches: Vec<_> = asker.store.select_series(&asker.ctx, ask).await.unwrap().collect().await;
    let refused = batches.iter().any(|b| b.as_ref().is_err_and(|e| e.kind == ph_model::ErrorKind::Exhausted));
    asker.right("a selection refuses instead of cutting", &refused, &true);
}

async fn facts<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    let all = asker.store.metadata(&asker.ctx, None).await.unwrap();
    let found: Vec<(String, String, Option<i64>)> =
        all.into_iter().map(|m| (m.name, m.unit, m.last_ms)).collect();
    let last = Some(BASE_MS + (SAMPLES - 1) * 15_000);
    let right: Vec<_> = ["cpu", "mem", "net"].map(|n| (n.to_owned(), "By".to_owned(), last)).to_vec();
    asker.right("metadata", &found, &right);
    let one = asker.store.metadata(&asker.ctx, Some("net")).await.unwrap();
    asker.right("metadata of one metric", &one.len(), &1);
}
