//! Range queries with kept steps answer as those without, byte for byte, whatever is written and deleted in between.

use axum::extract::FromRequestParts;
use ph_access::{Target, TelemetryErase, TenantCtx};
use ph_model::{Labels, Matcher, RangeMs, Sample, Series, SeriesKind};
use ph_store::{Batch, DeleteAsk, Rows};

use super::Bed;
use crate::app::AppState;
use crate::app::tests::client;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as i64 % n
    }
}

const EXPRESSIONS: &[&str] = &[
    "temp",
    "sum by (job) (rate(jobs_total[5m]))",
    "sum(rate(jobs_total[5m])) / sum(rate(jobs_total{job=\"a\"}[10m]))",
    "histogram_quantile(0.9, sum by (le) (rate(lat_bucket[5m])))",
    "histogram_quantile(0.9, lat_bucket)",
    "topk(2, temp)",
    "max_over_time(sum by (job) (temp)[20m:1m])",
    "avg_over_time(temp[1h]) or absent(temp{job=\"zz\"})",
    "temp offset 30m",
    "temp offset -5m",
    "k8s_pod_network_io_bytes_total",
    "rate({\"k8s.pod.network.io\"}[5m])",
    "count(late)",
    "node_cpu_seconds_total",
    "rate(temp[5m])",
    "quantile(1.5, temp)",
    "sum(sum by (job) (temp))",
    "topk(1, sum by (job) (temp))",
    "max(sum by (job) (jobs_total))",
    "temp @ end()",
    "sort(temp)",
    "temp * on (job) group_left () count by (job) (late)",
    "{job=\"a\"}",
    "time() - timestamp(temp)",
    "scalar(sum(temp)) > bool 5",
    "rate(jobs_total[$range])",
    "temp +",
];

fn series(pairs: &[(&str, &str)], (unit, kind): (&str, SeriesKind), samples: Vec<Sample>) -> Series {
    let labels = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Series { labels: Labels::new(labels), kind, unit: unit.to_owned(), start_ms: None, samples }
}

/// What all series have at some times.
fn batch(times: &[i64], dice: &mut Dice) -> Vec<Series> {
    let mut of = |pairs: &[(&str, &str)], meaning: (&str, SeriesKind), counts: bool| {
        let value =
            |at: i64, noise: i64| if counts { (at / 1000 % 1_000_000) as f64 } else { noise as f64 * 0.1 };
        let samples =
            times.iter().map(|at| Sample { at_ms: *at, value: value(*at, dice.below(500)) }).collect();
        series(pairs, meaning, samples)
    };
    let (gauge, counter) = (("", SeriesKind::Gauge), ("", SeriesKind::Counter));
    let mut out = Vec::new();
    for job in ["a", "b", "c"] {
        out.push(of(&[("__name__", "temp"), ("job", job)], gauge, false));
        out.push(of(&[("__name__", "jobs_total"), ("job", job)], counter, true));
        let pod = [("__name__", "k8s.pod.network.io"), ("k8s.pod.name", job)];
        out.push(of(&pod, ("By", SeriesKind::Counter), true));
    }
    for le in ["0.5", "1", "+Inf"] {
        out.push(of(&[("__name__", "lat_bucket"), ("le", le)], counter, le != "1"));
    }
    let cpu = [("__name__", "system.cpu.time"), ("state", "user"), ("cpu", "cpu0"), ("k8s.node.name", "n")];
    out.push(of(&cpu, ("s", SeriesKind::Counter), true));
    out
}

struct World {
    bed: Bed,
    ctx: TenantCtx,
    dice: Dice,
    asked: usize,
}

impl World {
    async fn start() -> Self {
        let bed = Bed::start().await;
        let app = bed.stack.running.app.clone();
        let (mut parts, ()) =
            http::Request::builder().header("cookie", &bed.cookie).body(()).unwrap().into_parts();
        let ctx =
            <TenantCtx as FromRequestParts<AppState>>::from_request_parts(&mut parts, &app).await.unwrap();
        let mut world = Self { bed, ctx, dice: Dice(0x2545_f491_4f6c_dd1d), asked: 0 };
        let now = world.now();
        let times: Vec<i64> = (0..12 * 60).map(|n| now - 6 * HOUR_MS + n * MINUTE_MS / 2).collect();
        let rows = batch(&times, &mut world.dice);
        world.write(rows).await;
        world
    }

    fn now(&self) -> i64 {
        self.bed.stack.clock.now_ms()
    }

    async fn write(&self, rows: Vec<Series>) {
        let telemetry = &self.bed.stack.running.app.telemetry;
        telemetry.append(&self.ctx, Batch { id: None, rows: Rows::Metrics(rows) }).await.unwrap();
    }

    /// Late samples of a series that is known, or of one that was never seen.
    async fn write_late(&mut self) {
        let now = self.now();
        let rows = if self.dice.below(2) == 0 {
            let at = now - self.dice.below(50) * MINUTE_MS - 7;
            let value = self.dice.below(90) as f64;
            vec![series(
                &[("__name__", "temp"), ("job", "b")],
                ("", SeriesKind::Gauge),
                vec![Sample { at_ms: at, value }],
            )]
        } else {
            let (n, at) = (self.asked.to_string(), now - self.dice.below(300) * MINUTE_MS);
            let samples = (0..20).map(|i| Sample { at_ms: at + i * 15_000, value: i as f64 }).collect();
            vec![series(&[("__name__", "late"), ("job", "a"), ("n", &n)], ("", SeriesKind::Gauge), samples)]
        };
        self.write(rows).await;
    }

    async fn delete(&mut self) {
        let app = &self.bed.stack.running.app;
        let grant = app.auditor.decide::<TelemetryErase>(&self.ctx, Target::default()).await.unwrap();
        let from = self.now() - self.dice.below(300) * MINUTE_MS;
        let name = ["temp", "jobs_total", "late", "k8s.pod.network.io"][self.dice.below(4) as usize];
        let ask = DeleteAsk::Samples {
            matchers: vec![Matcher::equal("__name__", name)],
            range: RangeMs::new(from, from + self.dice.below(20) * MINUTE_MS),
        };
        app.telemetry.delete(&self.ctx, grant, ask).await.unwrap();
    }

    async fn answer(&self, pairs: &[(&str, &str)]) -> (u16, String) {
        let mut url = url::Url::parse(&self.bed.stack.url("/prometheus/api/v1/query_range")).unwrap();
        url.query_pairs_mut().extend_pairs(pairs);
        let answer = client().get(url).header("cookie", &self.bed.cookie).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Asks with and without what is kept.
    async fn compare(&mut self, expression: &str) {
        let step = [15, 60, 300, 17][self.dice.below(4) as usize];
        let end = match self.dice.below(3) {
            0 => self.now() / 1000 - self.dice.below(5 * 3600),
            1 => self.now() / 1000,
            _ => self.now() / 1000 / step * step,
        };
        let start = end - self.dice.below(90) * 60;
        let start = if self.dice.below(3) == 0 { start } else { start / step * step };
        let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
        let mut pairs = vec![
            ("query", expression),
            ("start", start.as_str()),
            ("end", end.as_str()),
            ("step", step.as_str()),
        ];
        if self.dice.below(8) == 0 {
            pairs.push(("lookback_delta", "2m"));
        }
        let kept = self.answer(&pairs).await;
        let again = self.answer(&pairs).await;
        pairs.push(("nocache", "1"));
        let fresh = self.answer(&pairs).await;
        assert_eq!(kept, fresh, "{pairs:?}");
        assert_eq!(again, fresh, "{pairs:?}");
        self.asked += 1;
    }

    fn count(&self, result: &str) -> u64 {
        let text = self.bed.stack.running.app.watch.exposition();
        let name = format!("pilothouse_prometheus_range_cache_queries_total{{result=\"{result}\"}} ");
        text.lines().find_map(|l| l.strip_prefix(&name)).map_or(0, |n| n.parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_steps_change_no_answer() {
    let mut world = World::start().await;
    for round in 0..320 {
        match world.dice.below(16) {
            0 => world.write_late().await,
            1 if round % 4 == 0 => world.delete().await,
            2 | 3 => {
                world.bed.stack.clock.advance_ms(20_000);
                let now = world.now();
                let rows = batch(&[now - 10_000, now], &mut world.dice);
                world.write(rows).await;
            }
            4 if round % 8 == 0 => world.bed.stack.running.telemetry.flush().await.unwrap(),
            _ => {
                let n = world.dice.below(EXPRESSIONS.len() as i64) as usize;
                world.compare(EXPRESSIONS[n]).await;
            }
        }
    }
    let counts = ["hit", "part", "miss", "passed"].map(|result| world.count(result));
    assert!(counts.iter().all(|n| *n > 20), "hit, part, miss, passed: {counts:?}");
    world.bed.stack.stop().await;
}

/// What a board that is drawn again costs, and who gets none of it.
#[tokio::test(flavor = "multi_thread")]
async fn steps_are_kept_until_something_touches_them() {
    let world = World::start().await;
    let now = world.now() / MINUTE_MS * 60;
    let (start, end) = ((now - 3 * 3600).to_string(), (now - 3600).to_string());
    let query = "sum by (job) (rate(jobs_total[5m]))";
    let asked = [("query", query), ("start", &start), ("end", &end), ("step", "60")];
    let first = world.answer(&asked).await;
    assert_eq!((first.0, world.count("miss")), (200, 1));
    // Written otherwise, it is the same question.
    let written = [("query", "sum by(job)( rate(jobs_total[300s]) )"), asked[1], asked[2], asked[3]];
    assert_eq!(world.answer(&written).await, first);
    assert_eq!(world.count("hit"), 1);
    // A later window takes over what it shares.
    let later = (now - 3000).to_string();
    world.answer(&[asked[0], asked[1], ("end", &later), asked[3]]).await;
    assert_eq!((world.count("part"), world.count("miss")), (1, 1));
    // Other steps, and another phase, are other questions.
    world.answer(&[asked[0], asked[1], asked[2], ("step", "61")]).await;
    let moved = (now - 3 * 3600 + 1).to_string();
    world.answer(&[asked[0], ("start", &moved), asked[2], asked[3]]).await;
    assert_eq!((world.count("part"), world.count("miss")), (1, 3));
    // Neither of those who refuse it looks.
    let refusing = [&asked[..], &[("nocache", "1")]].concat();
    assert_eq!(world.answer(&refusing).await, first);
    let mut url = url::Url::parse(&world.bed.stack.url("/prometheus/api/v1/query_range")).unwrap();
    url.query_pairs_mut().extend_pairs(asked);
    let ask =
        client().get(url).header("cookie", &world.bed.cookie).header("cache-control", "max-age=0, no-store");
    assert_eq!(ask.send().await.unwrap().text().await.unwrap(), first.1);
    assert_eq!((world.count("hit"), world.count("part"), world.count("miss")), (1, 1, 3));
    // Statistics are those of the work that was done.
    let with_statistics = [&asked[..], &[("stats", "all")]].concat();
    let told = world.answer(&with_statistics).await.1;
    assert!(told.contains("\"totalQueryableSamples\":0,") && told.contains("\"keptSteps\":121}"), "{told}");
    let told = world.answer(&[&with_statistics[..], &[("nocache", "1")]].concat()).await.1;
    assert!(!told.contains("\"totalQueryableSamples\":0,") && told.contains("\"keptSteps\":0}"), "{told}");
    // A late sample is seen at once, and only the steps from its hour on are worked out anew.
    let at_ms = now * 1000 - 2 * HOUR_MS + 1;
    let late = series(
        &[("__name__", "jobs_total"), ("job", "late")],
        ("", SeriesKind::Counter),
        vec![Sample { at_ms, value: 1.0 }, Sample { at_ms: at_ms + 30_000, value: 5.0 }],
    );
    world.write(vec![late]).await;
    let changed = world.answer(&asked).await;
    assert!(changed.1.contains("\"job\":\"late\"") && !first.1.contains("\"job\":\"late\""));
    assert_eq!((world.count("part"), world.count("miss")), (2, 3));
    // What was kept of it is used again.
    assert_eq!(world.answer(&asked).await, changed);
    assert_eq!(world.count("hit"), 3);
    // So is a deletion.
    let grant =
        world.bed.stack.running.app.auditor.decide::<TelemetryErase>(&world.ctx, Target::default()).await;
    let matchers = vec![Matcher::equal("job", "late")];
    let ask = DeleteAsk::Samples { matchers, range: RangeMs::new(at_ms, at_ms + MINUTE_MS) };
    world.bed.stack.running.app.telemetry.delete(&world.ctx, grant.unwrap(), ask).await.unwrap();
    assert_eq!(world.answer(&asked).await, first);
    assert!(world.bed.stack.running.app.prometheus.kept.bytes() > 1_000);
    world.bed.stack.stop().await;
}
