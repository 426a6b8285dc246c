//! A dozen questions over a week of samples, by their times; answers of two servers have to be the same.

use std::sync::Barrier;

use serde_json::Value;

use super::{Bench, Fault, Plan, SENDERS, counted, in_step, load, post};
use crate::subject::{Kind, Subject};

const ROUNDS: usize = 5;
/// Answers differ at most by this much of their size: sums are added up in another order.
const NEAR: f64 = 1e-9;

/// What VictoriaMetrics has to agree in. Prometheus agrees in everything.
#[derive(Clone, Copy)]
enum Alike {
    Values,
    /// Its rates and increases do not reach beyond samples, so that values are others by design.
    SeriesCount,
}
use Alike::{SeriesCount, Values};

/// Expression, hours back, step in seconds.
const QUERIES: [(&str, u64, u64, Alike); 12] = [
    ("sum by (job) (rate(http_requests_total[15m]))", 1, 15, SeriesCount),
    ("sum by (code) (rate(http_requests_total[15m]))", 24, 300, SeriesCount),
    ("topk(5, sum by (instance) (rate(http_requests_total[15m])))", 6, 60, SeriesCount),
    ("histogram_quantile(0.99, sum by (le) (rate(http_request_seconds_bucket[15m])))", 24, 300, SeriesCount),
    (
        "sum(rate(http_requests_total{code=~\"5..\"}[15m])) / sum(rate(http_requests_total[15m]))",
        24,
        300,
        SeriesCount,
    ),
    ("max by (instance) (memory_bytes)", 168, 3600, Values),
    ("avg_over_time(memory_bytes[1h])", 6, 300, Values),
    (
        "sum by (instance) (memory_bytes) / on (instance) sum by (instance) (memory_limit_bytes)",
        24,
        300,
        Values,
    ),
    ("max_over_time(sum(rate(http_requests_total[15m]))[6h:30m])", 24, 3600, SeriesCount),
    ("count by (code) (http_requests_total{instance=~\"host-1.*\"})", 168, 3600, Values),
    ("increase(http_requests_total{code=\"200\"}[1h])", 24, 3600, SeriesCount),
    ("quantile(0.9, rate(http_requests_total[30m]))", 168, 3600, SeriesCount),
];

/// Series of the questions: requests by code, a histogram, two gauges an instance.
fn labels(n: u64) -> Vec<u8> {
    let instance = format!("host-{}", n / 20);
    let of = |name: &str, label: &'static str, value: &str| {
        load::encode(&[
            ("__name__", name.to_owned()),
            if label < "instance" { (label, value.to_owned()) } else { ("instance", instance.clone()) },
            if label < "instance" { ("instance", instance.clone()) } else { ("job", "bench".to_owned()) },
            if label < "instance" { ("job", "bench".to_owned()) } else { (label, value.to_owned()) },
        ])
    };
    let place = n % 20;
    match place {
        0..=7 => of(
            "http_requests_total",
            "code",
            ["200", "201", "204", "301", "404", "429", "500", "503"][place as usize],
        ),
        8..=17 => {
            let le = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
            of("http_request_seconds_bucket", "le", le[place as usize - 8])
        }
        18 => of("memory_bytes", "kind", "rss"),
        _ => of("memory_limit_bytes", "kind", "rss"),
    }
}

fn value(n: u64, step: u64) -> f64 {
    match n % 20 {
        // Counters start again now and then.
        place @ 0..=7 => ((step % 700) * (place + 3) * (n / 20 % 7 + 1)) as f64,
        place @ 8..=17 => ((step % 900) * (place - 7) * 10) as f64,
        18 => (100_000_000 + (step * 7_919 + n * 104_729) % 50_000_000) as f64,
        _ => 200_000_000.0,
    }
}

impl Bench {
    /// Geometric mean of the best times. A query that a peer answers otherwise than it has to is void for that peer.
    pub fn m4(&self) -> Result<(), Fault> {
        let plan = Plan::new(self.size(1_000), 2_016, 300_000);
        let mut ours: Vec<(Value, f64)> = Vec::new();
        for program in &self.programs {
            let subject = self.start(program)?;
            fill(&subject, &plan)?;
            // Also those that show samples only after a while answer about all of them.
            counted(&subject, &plan)?;
            let mut times = Vec::new();
            for (number, (query, hours, step, alike)) in QUERIES.iter().enumerate() {
                let (answer, best) = ask(&subject, &plan, (query, *hours, *step))?;
                let known = ours.get(number).map_or(&answer, |known| &known.0);
                let name = program.name();
                match (compared(known, &answer, (program.kind, *alike)), program.kind) {
                    (Ok(what), _) => {
                        println!("M4  {name}: {best:8.2} ms  {query}  ({what})");
                        times.push((number, best));
                    }
                    (Err(why), Kind::Victoria) => {
                        println!("M4  {name}: {best:8.2} ms  {query}  is void: {why}");
                    }
                    (Err(why), _) => return Err(format!("{name}: {query}: {why}").into()),
                }
                if ours.len() == number {
                    ours.push((answer, best));
                }
            }
            told(program.name(), &times, &ours);
        }
        Ok(())
    }
}

/// Tells the mean of a program's times, and of ours for the same queries.
fn told(name: &str, times: &[(usize, f64)], ours: &[(Value, f64)]) {
    let mean = |all: &mut dyn Iterator<Item = f64>| {
        let logs: Vec<f64> = all.map(f64::ln).collect();
        (logs.iter().sum::<f64>() / logs.len() as f64).exp()
    };
    let theirs = mean(&mut times.iter().map(|(_, ms)| *ms));
    let same = mean(&mut times.iter().filter_map(|(number, _)| Some(ours.get(*number)?.1)));
    let (count, all) = (times.len(), QUERIES.len());
    println!(
        "M4  {name}: geometric mean {theirs:.2} ms over {count} of {all} queries, ours {same:.2} ms: {:.2} x {name}",
        same / theirs
    );
}

/// What two answers agree in, or why they do not.
fn compared(known: &Value, answer: &Value, (kind, alike): (Kind, Alike)) -> Result<String, String> {
    // Series without a point are none.
    let filled = |v: &Value| {
        let points = |s: &Value| s.get("values").and_then(Value::as_array).map_or(0, Vec::len);
        v.as_array().into_iter().flatten().filter(|s| points(s) > 0).count()
    };
    let (a, b) = (filled(known), filled(answer));
    if a == 0 || a != b {
        return Err(format!("{b} series, {a} were expected"));
    }
    match (kind, alike) {
        (Kind::Victoria, SeriesCount) => Ok(format!("{b} series; its values are others by design")),
        _ => same(known, answer).map(|()| format!("{b} series, equal values")),
    }
}

fn fill(subject: &Subject, plan: &Plan) -> Result<(), Fault> {
    let together = &Barrier::new(SENDERS as usize);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                scope.spawn(move || {
                    let mut client = subject.writer();
                    let mine: Vec<(u64, Vec<u8>)> =
                        (0..plan.series).filter(|n| n % SENDERS == sender).map(|n| (n, labels(n))).collect();
                    in_step(0..plan.steps, together, &mut |step| {
                        let all = mine.iter().map(|(n, l)| (l.as_slice(), value(*n, step)));
                        post(subject, &mut client, &load::body(all, plan.at(step)))
                    })
                })
            })
            .collect();
        senders.into_iter().try_for_each(|s| s.join().unwrap_or_else(|_| Err("a sender panicked".into())))
    })
}

/// The answer, and the best time in ms.
fn ask(
    subject: &Subject,
    plan: &Plan,
    (query, hours, step): (&str, u64, u64),
) -> Result<(Value, f64), Fault> {
    let end = plan.at(plan.steps - 1) / 1000 / 3600 * 3600;
    let start = end - hours as i64 * 3600;
    let encoded: String = query
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    // Nobody answers from what was worked out before: VictoriaMetrics runs without its cache, too.
    let path = format!("query_range?query={encoded}&start={start}&end={end}&step={step}&nocache=1");
    let mut client = subject.asker();
    let mut best = f64::MAX;
    let mut last = Value::Null;
    for _ in 0..ROUNDS {
        let (answer, took) = subject.query(&mut client, &path)?;
        best = best.min(took.as_secs_f64() * 1000.0);
        last = answer;
    }
    Ok((last, best))
}

/// Whether two answers have the same series, times and, nearly, values.
fn same(a: &Value, b: &Value) -> Result<(), String> {
    let flat = |v: &Value| -> Vec<(String, i64, f64)> {
        let mut out = Vec::new();
        for series in v.as_array().into_iter().flatten() {
            let labels = series.get("metric").map(Value::to_string).unwrap_or_default();
            for point in series.get("values").and_then(Value::as_array).into_iter().flatten() {
                let at = point.get(0).and_then(Value::as_f64).unwrap_or(0.0) as i64;
                let value =
                    point.get(1).and_then(Value::as_str).and_then(|v| v.parse().ok()).unwrap_or(f64::NAN);
                out.push((labels.clone(), at, value));
            }
        }
        out.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        out
    };
    let (a, b) = (flat(a), flat(b));
    if a.len() != b.len() {
        return Err(format!("{} points and {}", a.len(), b.len()));
    }
    for (x, y) in a.iter().zip(&b) {
        let near = x.2 == y.2
            || (x.2.is_nan() && y.2.is_nan())
            || (x.2 - y.2).abs() <= NEAR * x.2.abs().max(y.2.abs());
        if (&x.0, x.1) != (&y.0, y.1) || !near {
            return Err(format!("{x:?} and {y:?}"));
        }
    }
    Ok(())
}
