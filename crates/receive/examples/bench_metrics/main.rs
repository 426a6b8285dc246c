//! How the server takes, keeps and answers metrics, beside Prometheus and VictoriaMetrics.
//!
//! In:     rows (`M1 M3 M4 M5 M6`, `S1` when it is named), the size in series (of `S1` in minutes), `pilothouse=PATH`, and `prometheus=PATH`, `victoria=PATH` for peers.
//! Out:    a line a subject and row, then the ratios; answers are compared before times, a wrong one ends the row.
//! Run:    `cargo xtask bench store M1 100000`, which finds or builds the programs.
//! Note:   peers do not sync each write; we do.

mod http;
mod load;
mod otlp;
mod queries;
mod soak;
mod subject;

use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use subject::{Kind, Program, Subject, Usage};

pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Connections that send side by side.
const SENDERS: u64 = 4;
/// Series that one question counts.
const AT_ONCE: u64 = 100_000;
const MIB: f64 = 1_048_576.0;

/// What is sent.
#[derive(Clone, Copy, Debug)]
struct Plan {
    series: u64,
    /// The first step that is sent.
    from: u64,
    steps: u64,
    step_ms: i64,
    /// After so many steps a tenth of the series is replaced; 0: never.
    churn: u64,
    first_ms: i64,
}

impl Plan {
    fn new(series: u64, steps: u64, step_ms: i64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        Self { series, from: 0, steps, step_ms, churn: 0, first_ms: now - steps as i64 * step_ms - 60_000 }
    }

    fn at(&self, step: u64) -> i64 {
        self.first_ms + step as i64 * self.step_ms
    }

    fn samples(&self) -> u64 {
        self.series * self.steps
    }

    /// The series that has a place at a step.
    fn series_at(&self, place: u64, step: u64) -> u64 {
        let life = step.checked_div(self.churn).map_or(0, |turn| (turn + 9 - place % 10) / 10);
        place + life * self.series
    }

    /// Ranges of places that make one body each.
    fn bodies_of_all(&self) -> Vec<std::ops::Range<u64>> {
        (0..SENDERS).flat_map(|sender| self.bodies(sender)).collect()
    }

    fn body(&self, places: std::ops::Range<u64>, step: u64, known: &mut Vec<(u64, Vec<u8>)>) -> Vec<u8> {
        known.resize(places.clone().count(), (u64::MAX, Vec::new()));
        for (place, slot) in places.clone().zip(known.iter_mut()) {
            let n = self.series_at(place, step);
            if slot.0 != n {
                *slot = (n, load::labels(n));
            }
        }
        load::body(known.iter().map(|(n, l)| (l.as_slice(), load::value(*n, step))), self.at(step))
    }

    /// Ranges of places that make one body each, of one sender.
    fn bodies(&self, sender: u64) -> Vec<std::ops::Range<u64>> {
        let all = (0..self.series.div_ceil(load::PER_BODY)).filter(|n| n % SENDERS == sender);
        all.map(|n| n * load::PER_BODY..((n + 1) * load::PER_BODY).min(self.series)).collect()
    }

    fn count(&self) -> String {
        self.count_of("%7Bjob%3D%22bench%22%7D")
    }

    fn count_of(&self, selector: &str) -> String {
        // To the ms: a series that was replaced just before must not be within the lookback again.
        let at = self.at(self.steps - 1);
        format!("query?query=count({selector})&time={}.{:03}", at / 1000, at % 1000)
    }

    /// Questions whose answers together count all series; of very many by metric, for no server takes them at once.
    fn counts(&self) -> Vec<String> {
        if self.series <= AT_ONCE {
            return vec![self.count()];
        }
        (0..load::METRICS).map(|n| self.count_of(&format!("bench_metric_{n}"))).collect()
    }
}

fn post(subject: &Subject, client: &mut http::Client, body: &[u8]) -> Result<(), Fault> {
    loop {
        let answer = client.post("/api/v1/write", "", body)?;
        match answer.status {
            200..=299 => return Ok(()),
            429 | 503 => std::thread::sleep(Duration::from_millis(20)),
            status => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(format!("{} refuses: {status} {text}", subject.program.name()).into());
            }
        }
    }
}

/// Sends everything; bodies are prepared before the clock starts when `prepared`. Gives wall time and use.
fn send(subject: &Subject, plan: &Plan, prepared: Prepared) -> Result<(Duration, Usage), Fault> {
    let ready: Vec<Vec<Vec<u8>>> = match prepared {
        Prepared::Yes => (0..SENDERS).map(|sender| bodies(plan, sender)).collect(),
        Prepared::No => vec![Vec::new(); SENDERS as usize],
    };
    let (before, began) = (subject.usage()?, Instant::now());
    let together = &Barrier::new(SENDERS as usize);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .zip(&ready)
            .map(|(sender, ready)| {
                scope.spawn(move || {
                    let mut client = subject.writer();
                    if prepared == Prepared::Yes {
                        return ready.iter().try_for_each(|body| post(subject, &mut client, body));
                    }
                    let ranges = plan.bodies(sender);
                    let mut known = vec![Vec::new(); ranges.len()];
                    in_step(plan.from..plan.steps, together, &mut |step| {
                        ranges.iter().zip(&mut known).try_for_each(|(range, known)| {
                            post(subject, &mut client, &plan.body(range.clone(), step, known))
                        })
                    })
                })
            })
            .collect();
        senders.into_iter().try_for_each(|s| s.join().unwrap_or_else(|_| Err("a sender panicked".into())))
    })?;
    let (wall, after) = (began.elapsed(), subject.usage()?);
    Ok((wall, Usage { cpu_s: after.cpu_s - before.cpu_s, ..after }))
}

/// Takes steps beside the other senders: none runs ahead, for Prometheus refuses what is an hour older than its newest.
fn in_step(
    steps: std::ops::Range<u64>,
    together: &Barrier,
    take: &mut dyn FnMut(u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut result = Ok(());
    for step in steps {
        // After a failure the others are still waited for, so that none of them waits for ever.
        if result.is_ok() {
            result = take(step);
        }
        together.wait();
    }
    result
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    Yes,
    No,
}

fn bodies(plan: &Plan, sender: u64) -> Vec<Vec<u8>> {
    let ranges = plan.bodies(sender);
    let mut known = vec![Vec::new(); ranges.len()];
    let mut out = Vec::new();
    for step in 0..plan.steps {
        for (range, known) in ranges.iter().zip(&mut known) {
            out.push(plan.body(range.clone(), step, known));
        }
    }
    out
}

/// Waits until a count is answered as it must be. Errors after a minute.
fn counted(subject: &Subject, plan: &Plan) -> Result<serde_json::Value, Fault> {
    let mut client = subject.asker();
    let began = Instant::now();
    loop {
        let (mut found, mut last) = (0, serde_json::Value::Null);
        for ask in plan.counts() {
            last = subject.query(&mut client, &ask)?.0;
            let count = last.pointer("/0/value/1").and_then(|v| v.as_str());
            found += count.and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
        }
        if found == plan.series {
            return Ok(last);
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err(
                format!("{}: {found} series, {} were sent", subject.program.name(), plan.series).into()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

struct Bench {
    programs: Vec<Program>,
    size: Option<u64>,
    dir: PathBuf,
}

impl Bench {
    fn start(&self, program: &Program) -> Result<Subject, Fault> {
        Subject::start(program, self.dir.join(program.name()))
    }

    fn size(&self, usual: u64) -> u64 {
        self.size.unwrap_or(usual)
    }

    /// The first program's figure against each other's.
    fn ratios(&self, row: &str, what: &str, figures: &[f64]) {
        let Some((ours, others)) = figures.split_first() else { return };
        for (program, theirs) in self.programs.iter().skip(1).zip(others).filter(|(_, f)| f.is_finite()) {
            println!("{row}  {what}: {:.2} x {}", ours / theirs, program.name());
        }
    }

    /// Samples a processor second.
    fn m1(&self) -> Result<(), Fault> {
        let plan = Plan::new(self.size(100_000), 15, 15_000);
        let mut best = vec![0.0_f64; self.programs.len()];
        for round in 1..=2 {
            for (program, best) in self.programs.iter().zip(&mut best) {
                let subject = self.start(program)?;
                let (wall, used) = send(&subject, &plan, Prepared::Yes)?;
                counted(&subject, &plan)?;
                let rate = plan.samples() as f64 / used.cpu_s;
                *best = best.max(rate);
                println!(
                    "M1  round {round}, {}: {} samples, {:.2} s, {:.2} CPU s, {rate:.0} samples/CPU s, {:.0} MiB, {:.1} MiB on disk",
                    program.name(),
                    plan.samples(),
                    wall.as_secs_f64(),
                    used.cpu_s,
                    used.peak as f64 / MIB,
                    subject.disk() as f64 / MIB
                );
            }
        }
        self.ratios("M1", "samples a CPU second", &best);
        Ok(())
    }

    /// Memory with all series active for a quarter of an hour.
    fn m3(&self) -> Result<(), Fault> {
        let plan = Plan::new(self.size(100_000), 60, 15_000);
        let mut figures = Vec::new();
        for program in &self.programs {
            let subject = self.start(program)?;
            let idle = subject.usage()?.rss;
            let (wall, _) = send(&subject, &plan, Prepared::No)?;
            counted(&subject, &plan)?;
            let used = subject.usage()?;
            println!(
                "M3  {}: {} series, {:.0} MiB ({:.0} idle, {:.0} peak), {:.0} bytes a series, {:.1} s",
                program.name(),
                plan.series,
                used.rss as f64 / MIB,
                idle as f64 / MIB,
                used.peak as f64 / MIB,
                used.rss.saturating_sub(idle) as f64 / plan.series as f64,
                wall.as_secs_f64()
            );
            figures.push(used.rss as f64);
        }
        self.ratios("M3", "resident memory", &figures);
        Ok(())
    }

    /// Series that come and go for six hours.
    fn m5(&self) -> Result<(), Fault> {
        let step_ms = 60_000;
        let mut plan = Plan::new(self.size(5_000), 360, step_ms);
        plan.churn = 5;
        let hour = Plan { steps: 60, ..plan };
        let rest = Plan { from: 60, ..plan };
        let (mut grown, mut slow) = (Vec::new(), Vec::new());
        for program in &self.programs {
            let subject = self.start(program)?;
            send(&subject, &hour, Prepared::No)?;
            let early = subject.usage()?.rss;
            let done = AtomicBool::new(false);
            let (sent, times) = std::thread::scope(|scope| {
                let asker = scope.spawn(|| ask_until(&subject, &plan, &done));
                let sent = send(&subject, &rest, Prepared::No);
                done.store(true, Ordering::Relaxed);
                (sent, asker.join().unwrap_or_else(|_| Err("the asker panicked".into())))
            });
            sent?;
            let mut times = times?;
            times.sort_unstable();
            let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
            counted(&subject, &plan)?;
            let used = subject.usage()?;
            let growth = used.rss as f64 / early as f64;
            println!(
                "M5  {}: {:.0} MiB after an hour, {:.0} after six ({growth:.2} x, {:.0} peak), {} queries, p99 {p99:.1?}",
                program.name(),
                early as f64 / MIB,
                used.rss as f64 / MIB,
                used.peak as f64 / MIB,
                times.len()
            );
            grown.push(used.rss.saturating_sub(early).max(1) as f64);
            slow.push(p99.as_secs_f64());
        }
        self.ratios("M5", "growth of resident memory", &grown);
        self.ratios("M5", "p99 of queries", &slow);
        Ok(())
    }

    /// From a kill to the first right answer, with two hours of samples.
    fn m6(&self) -> Result<(), Fault> {
        let plan = Plan::new(self.size(10_000), 480, 15_000);
        let mut figures = Vec::new();
        for program in &self.programs {
            let mut subject = self.start(program)?;
            send(&subject, &plan, Prepared::No)?;
            let right = counted(&subject, &plan)?;
            let took = match subject.crash_and_restart(&plan.count(), &right) {
                Ok(took) => took,
                // Who does not sync may have lost samples for good.
                Err(e) if program.kind != Kind::Pilothouse => {
                    println!("M6  {}: not the right answer again: {e}", program.name());
                    figures.push(f64::NAN);
                    continue;
                }
                Err(e) => return Err(e),
            };
            println!(
                "M6  {}: {} series with {} samples each, {took:.2?} from the start after SIGKILL to the right answer",
                program.name(),
                plan.series,
                plan.steps
            );
            figures.push(took.as_secs_f64());
        }
        self.ratios("M6", "time to the first right answer", &figures);
        Ok(())
    }
}

/// Asks for a rate by namespace over and over; gives the times.
fn ask_until(subject: &Subject, plan: &Plan, done: &AtomicBool) -> Result<Vec<Duration>, Fault> {
    let mut client = subject.asker();
    let mut times = Vec::new();
    let query = "query?query=sum%20by%20(namespace)(rate(bench_metric_3%5B5m%5D))";
    while !done.load(Ordering::Relaxed) {
        let ask = format!("{query}&time={}", plan.at(plan.steps * 3 / 4) / 1000);
        times.push(subject.query(&mut client, &ask)?.1);
        std::thread::sleep(Duration::from_millis(150));
    }
    Ok(times)
}

fn main() -> Result<(), Fault> {
    let (mut rows, mut size, mut programs) = (Vec::new(), None, Vec::new());
    for word in std::env::args().skip(1) {
        match word.split_once('=') {
            Some(("pilothouse", path)) => {
                programs.insert(0, Program { kind: Kind::Pilothouse, path: path.into() });
            }
            Some(("prometheus", path)) => {
                programs.push(Program { kind: Kind::Prometheus, path: path.into() });
            }
            Some(("victoria", path)) => programs.push(Program { kind: Kind::Victoria, path: path.into() }),
            Some((other, _)) => {
                return Err(format!("{other}= is none of pilothouse, prometheus, victoria").into());
            }
            None => match word.parse() {
                Ok(n) => size = Some(n),
                Err(_) => rows.push(word),
            },
        }
    }
    let dir = std::env::temp_dir().join(format!("ph-bench-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let bench = Bench { programs, size, dir: dir.clone() };
    println!("peers do not sync their logs for each write; pilothouse does (durability sync)");
    let done = rows.iter().try_for_each(|row| match row.as_str() {
        "M1" => bench.m1(),
        "M3" => bench.m3(),
        "M4" => bench.m4(),
        "M5" => bench.m5(),
        "M6" => bench.m6(),
        "S1" => bench.programs.iter().try_for_each(|p| soak::run(p, &dir, bench.size(120))),
        other => Err(format!("row {other} is none of M1, M3, M4, M5, M6, S1").into()),
    });
    std::fs::remove_dir_all(&dir)?;
    done
}
