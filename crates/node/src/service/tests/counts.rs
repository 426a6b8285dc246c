//! Counts over the link.

use ph_filter::Filter;
use ph_link::v1::{CountBucket, CountBy as By, CountResult, count_event};

use super::reads::{json, secrets, ways, write_lines};
use super::*;

async fn count(host: &Host, ask: CountAsk) -> Result<CountResult, Status> {
    let mut stream = LogsClient::new(host.channel.clone()).count(ask).await?.into_inner();
    let mut told = 0;
    while let Some(event) = stream.message().await? {
        match event.m.unwrap() {
            count_event::M::Progress(progress) => told = progress.scanned_bytes,
            count_event::M::Gap(gap) => panic!("{gap:?}"),
            count_event::M::Result(result) => {
                assert_eq!(told, result.summary.as_ref().unwrap().scanned_bytes);
                return Ok(result);
            }
        }
    }
    panic!("no result")
}

fn ask(by: By) -> CountAsk {
    CountAsk { open: Some(open(ReadMode::Head, 3)), by: by.into(), ..CountAsk::default() }
}

fn short(result: &CountResult) -> Vec<(&str, u64)> {
    result.buckets.iter().map(|b| (b.key.as_str(), b.count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_counting_says_what_it_counted() {
    let host = Host::start().await;
    write_lines(&host, &secrets());
    let levels = count(&host, ask(By::Level)).await.unwrap();
    assert_eq!(short(&levels), [("warn", 20), ("info", 20), ("unknown", 13)]);
    assert!(levels.exact && levels.other == 0);
    let summary = levels.summary.unwrap();
    assert_eq!(
        (summary.matches, summary.stopped.as_str(), summary.completeness.as_str()),
        (53, "done", "proven")
    );
    let begin = 1_795_176_000_000_000_000;
    let mut time = ask(By::Time);
    time.buckets = 2;
    let range = time.open.as_mut().unwrap();
    (range.from_ns, range.to_ns) = (begin, begin + 40);
    let time = count(&host, time).await.unwrap();
    let found: Vec<(i64, i64, &str, u64)> =
        time.buckets.iter().map(|b| (b.from_ns - begin, b.to_ns - begin, b.key.as_str(), b.count)).collect();
    assert_eq!(found, [(0, 20, "info", 10), (0, 20, "warn", 10), (20, 40, "info", 10), (20, 40, "warn", 10)]);
    let field = CountAsk { field: "user".into(), buckets: 3, ..ask(By::Field) };
    let field = count(&host, field).await.unwrap();
    assert_eq!((field.buckets.len(), field.other, field.exact), (3, 50, true));
    let patterns = count(&host, ask(By::Pattern)).await.unwrap();
    let first: &CountBucket = patterns.buckets.iter().find(|b| b.key.contains("request")).unwrap();
    assert_eq!((first.count, first.key.as_str()), (20, "level=info request <n> done"));
    assert_eq!(first.example, "level=info request 0 done");
    assert_eq!(first.position.as_ref().unwrap().offset, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_count_tells_of_what_is_masked() {
    let host = Host::start().await;
    write_lines(&host, &secrets());
    for by in [By::Level, By::Pattern, By::Field] {
        let asked = |filter: &Filter| {
            let mut ask = CountAsk { field: "password".into(), ..ask(by) };
            let open = ask.open.as_mut().unwrap();
            (open.mask_key, open.filter_json) = (vec![7; 32].into(), json(filter));
            ask
        };
        let all = count(&host, asked(&Filter::All)).await.unwrap();
        let text = format!("{all:?}");
        assert!(!text.contains("hunter") && !text.contains("MII"), "{text}");
        for (right, wrong) in ways("hunter7secret").iter().zip(ways("huntex7secret")) {
            let (hit, missed) =
                (count(&host, asked(right)).await.unwrap(), count(&host, asked(&wrong)).await.unwrap());
            assert_eq!(hit, missed, "{right:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_stops_at_its_budget_and_refuses_what_it_cannot_count() {
    let host = Host::start().await;
    host.write(0..200_000);
    let mut small = ask(By::Level);
    small.open.as_mut().unwrap().budget_bytes = 1_000_000;
    let result = count(&host, small).await.unwrap();
    let summary = result.summary.unwrap();
    assert_eq!(summary.stopped, "bytes");
    assert!(summary.matches > 0 && summary.matches < 200_000);
    for (bad, word) in [
        (ask(By::Unspecified), "by"),
        (ask(By::Time), "from_ns"),
        (ask(By::Field), "field"),
        (CountAsk { buckets: 101, field: "x".into(), ..ask(By::Field) }, "buckets"),
    ] {
        let status = count(&host, bad).await.unwrap_err();
        assert!(
            status.code() == tonic::Code::InvalidArgument && status.message().contains(word),
            "{status:?}"
        );
    }
}
