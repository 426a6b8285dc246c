//! Faults are all reported at once; good queries compile.

use ph_access::LogBudget;
use ph_api::LogFilter;

use super::*;

fn page(q: &LogQuery) -> Result<Ask, Vec<Fault>> {
    Ask::new(q, (Shape::Page, LogBudget::PERSON))
}

#[test]
fn every_fault_is_named() {
    let q = LogQuery {
        mode: Some("middle".into()),
        from: Some("yesterday-ish".into()),
        limit: Some(5_000),
        origin: Some("moon".into()),
        after: Some("x".into()),
        filter: LogFilter { level: Some("loud".into()), ..LogFilter::default() },
        ..LogQuery::default()
    };
    let paths: Vec<_> = page(&q).unwrap_err().into_iter().map(|f| f.path).collect();
    assert_eq!(paths, ["mode", "origin", "from", "limit", "after", "filter.level"]);
}

#[test]
fn times_filters_and_paging() {
    let q = LogQuery {
        from: Some("2026-11-21T10:00:00Z".into()),
        to: Some("1795345200000".into()),
        filter: LogFilter {
            contains: Some("boom".into()),
            level: Some("warn".into()),
            ..LogFilter::default()
        },
        ..LogQuery::default()
    };
    let ask = page(&q).unwrap();
    assert_eq!((ask.mode, ask.limit, ask.is_back()), (Mode::Tail, 300, true));
    assert_eq!(ask.from_ns, 1_795_255_200_000_000_000);
    assert!(matches!(ask.filter, Filter::And(ref parts) if parts.len() == 2));
    let token = PageToken::new(ask.digest, false).to_text();
    let next = LogQuery { after: Some(token), limit: Some(10), ..q };
    assert!(!page(&next).unwrap().is_back());
}

#[test]
fn an_expression_is_read_and_its_faults_have_a_place() {
    let with = |expr: &str| LogQuery {
        filter: LogFilter { expr: Some(expr.into()), contains: Some("x".into()), ..LogFilter::default() },
        ..LogQuery::default()
    };
    let ask = page(&with("status>=500 and not path:\"/healthz\"")).unwrap();
    assert!(matches!(ask.filter, Filter::And(ref parts) if parts.len() == 2), "{:?}", ask.filter);
    let faults = page(&with("status>=500 and (x")).unwrap_err();
    assert_eq!(faults[0].path, "filter.expr");
    let (from, to) = (faults[0].from.unwrap(), faults[0].to.unwrap());
    assert!(from >= 12 && to <= 18 && from <= to, "{from}..{to}");
    let faults = page(&with("a=~\"(\"")).unwrap_err();
    assert_eq!(faults[0].path, "filter.expr", "{faults:?}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let check = |q: LogQuery, shape: Shape| -> Vec<String> {
        Ask::new(&q, (shape, LogBudget::PERSON))
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|f| f.path)
            .collect()
    };
    let q = LogQuery {
        order: Some("merge".into()),
        on_lag: Some("skip".into()),
        with: vec!["rollouts".into()],
        previous: Some(1),
        all_runs: true,
        follow: true,
        at: Some("pc1_x".into()),
        context: ph_api::LogContext { before: 2_000, after: 0 },
        ..LogQuery::default()
    };
    assert_eq!(
        check(q, Shape::Page),
        ["order", "with", "previous", "previous", "follow", "context", "at", "on_lag"]
    );
    let q = LogQuery { origin: Some("store".into()), ..LogQuery::default() };
    assert_eq!(check(q.clone(), Shape::Stream), ["origin"]);
    assert!(check(q, Shape::Page).is_empty());
    let bot = Ask::new(&LogQuery { limit: Some(500), ..LogQuery::default() }, (Shape::Page, LogBudget::BOT));
    assert_eq!(bot.unwrap_err()[0].message, "500 is not between 1 and 200");
}
