//! A day and more of a server's life in an hour or two: what it holds must not grow with what it has taken.
//!
//! In:     minutes; a clock for the server that runs `PACE` times as fast, by libfaketime.
//! Out:    a line every five minutes, then medians of the quarters; an error when something acknowledged is not found.
//! Note:   the load is half of what the server took in a trial before, with all processors free for it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::subject::{Clock, Kind, Program, Subject};
use crate::{Fault, MIB, Plan, load, otlp, post};

/// How fast the server's clock runs.
const PACE: u32 = 20;
/// Between two samples of a series.
const STEP_MS: i64 = 15_000;
/// Steps after which a tenth of the series is replaced: five minutes.
const CHURN: u64 = 20;
const LINES: u64 = 1_000;
const SPANS: u64 = 200;
/// Samples for which so many lines and spans are sent.
const SAMPLES: u64 = 10_000;
const TRIAL: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(10);
/// Looks of one printed line.
const PRINTED: usize = 30;
/// Only what is younger than this, in steps, is asked for; older than this it may be past its retention.
const KEPT_STEPS: u64 = 20 * 240;
/// What was sent so many steps ago was acknowledged.
const SETTLED_STEPS: u64 = 8;

const FLAGS: &str =
    "--samples-per-second 0 --row-bytes-per-second 0 --retention metrics=1d,logs=1d,spans=1d,events=1d";

/// What the server holds at one time.
#[derive(Clone, Debug, Default)]
struct Look {
    at: Duration,
    rss: f64,
    files: f64,
    catalogue: f64,
    disk: f64,
    told: BTreeMap<String, f64>,
}

impl Look {
    fn of(&self, name: &str) -> f64 {
        self.told.get(name).copied().unwrap_or(f64::NAN)
    }

    /// Bytes that flushes and merges wrote, for each that a flush wrote.
    fn amplification(&self) -> f64 {
        let flushed = self.of("pilothouse_store_flushed_bytes_total");
        (flushed + self.of("pilothouse_store_compacted_bytes_total")) / flushed
    }
}

/// What the askers found.
#[derive(Default)]
struct Found {
    asked: AtomicU64,
    wrong: AtomicU64,
    slowest_ms: AtomicU64,
}

/// One load and the clock it follows.
struct Soak<'a> {
    subject: &'a Subject,
    plan: Plan,
    began: Instant,
    /// Steps that were sent and acknowledged by all senders.
    done: AtomicU64,
    behind: AtomicU64,
    stop: AtomicBool,
    found: Found,
}

pub fn run(program: &Program, dir: &Path, minutes: u64) -> Result<(), Fault> {
    if program.kind != Kind::Pilothouse {
        return Ok(());
    }
    let rounds = trial(program, dir)?;
    // Half as many, of a step of the fast clock.
    let step = Duration::from_millis(STEP_MS as u64) / PACE;
    let series = ((rounds / 2.0 * step.as_secs_f64() * SAMPLES as f64) as u64).max(load::PER_BODY);
    println!(
        "S1  taken in the trial: {:.0} samples, {:.0} lines, {:.0} spans a second; {series} series from here on",
        rounds * SAMPLES as f64,
        rounds * LINES as f64,
        rounds * SPANS as f64
    );
    let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let clock = Clock { pace: PACE, metrics: Some(metrics), flags: FLAGS };
    let first_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let began = Instant::now();
    let subject = Subject::start_with(program, dir.join("soak"), clock)?;
    let steps = (Duration::from_secs(minutes * 60).as_secs_f64() / step.as_secs_f64()) as u64;
    let plan = Plan { series, from: 0, steps, step_ms: STEP_MS, churn: CHURN, first_ms };
    let soak = Soak {
        subject: &subject,
        plan,
        began,
        done: AtomicU64::new(0),
        behind: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        found: Found::default(),
    };
    let looks = std::thread::scope(|scope| {
        let sender = scope.spawn(|| soak.send(step));
        let asker = scope.spawn(|| soak.ask());
        let looks = soak.watch();
        soak.stop.store(true, Ordering::Relaxed);
        let ended = [sender.join(), asker.join()];
        ended
            .into_iter()
            .try_for_each(|e| e.unwrap_or_else(|_| Err("a thread of the soak panicked".into())))?;
        looks
    })?;
    report(&soak, &looks)
}

/// Rounds a second that the server takes when nobody waits.
fn trial(program: &Program, dir: &Path) -> Result<f64, Fault> {
    let subject =
        Subject::start_with(program, dir.join("trial"), Clock { flags: FLAGS, ..Clock::default() })?;
    let plan = Plan::new(SAMPLES, 1_000_000, 1);
    let (mut client, mut known) = (subject.writer(), vec![Vec::new(); plan.bodies_of_all().len()]);
    let mut proto = subject.sender();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < TRIAL {
        for (range, known) in plan.bodies_of_all().into_iter().zip(&mut known) {
            post(&subject, &mut client, &plan.body(range, round, known))?;
        }
        rows(&subject, &mut proto, round, now, 1)?;
        round += 1;
    }
    Ok(round as f64 / began.elapsed().as_secs_f64())
}

/// Sends lines and spans of a round, `times` as many.
fn rows(
    subject: &Subject,
    proto: &mut crate::http::Client,
    round: u64,
    at_ns: u64,
    times: u64,
) -> Result<(), Fault> {
    subject.push(proto, "/v1/logs", &otlp::lines(round, at_ns, LINES * times))?;
    subject.push(proto, "/v1/traces", &otlp::spans(round, at_ns, SPANS * times))
}

impl Soak<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sends step after step, each at its time; a server that is too slow makes it late, which is counted.
    fn send(&self, step: Duration) -> Result<(), Fault> {
        let (mut client, mut proto) = (self.subject.writer(), self.subject.sender());
        let ranges = self.plan.bodies_of_all();
        let mut known = vec![Vec::new(); ranges.len()];
        let times = (self.plan.series / SAMPLES).max(1);
        for n in 0..self.plan.steps {
            let due = self.began + step * n as u32;
            if due.elapsed() > step {
                self.behind.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            for (range, known) in ranges.iter().zip(&mut known) {
                post(self.subject, &mut client, &self.plan.body(range.clone(), n, known))?;
            }
            rows(self.subject, &mut proto, n, self.plan.at(n) as u64 * 1_000_000, times)?;
            self.done.store(n + 1, Ordering::Release);
            if self.stopped() {
                return Ok(());
            }
        }
        self.stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Asks for what was acknowledged, and for what a board would.
    fn ask(&self) -> Result<(), Fault> {
        let mut client = self.subject.asker();
        let mut turn = 0_u64;
        while !self.stopped() {
            std::thread::sleep(Duration::from_secs(1));
            let done = self.done.load(Ordering::Acquire);
            if done < 4 * SETTLED_STEPS {
                continue;
            }
            let newest = done - SETTLED_STEPS;
            let oldest = newest.saturating_sub(KEPT_STEPS);
            // Spread over all that is kept.
            let step = oldest + turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (newest - oldest);
            let began = Instant::now();
            let right = match turn % 4 {
                0 => self.counted(&mut client, newest),
                1 => self.drawn(&mut client, newest),
                2 => self.line(&mut client, step),
                _ => self.trace(&mut client, step),
            };
            let right = right.unwrap_or_else(|e| {
                println!("S1  {e}");
                false
            });
            self.found.slowest_ms.fetch_max(began.elapsed().as_millis() as u64, Ordering::Relaxed);
            self.found.asked.fetch_add(1, Ordering::Relaxed);
            if !right {
                self.found.wrong.fetch_add(1, Ordering::Relaxed);
                println!("S1  wrong: question {turn} about step {step} of {done}");
            }
            turn += 1;
        }
        Ok(())
    }

    /// Every series of a step is there.
    fn counted(&self, client: &mut crate::http::Client, step: u64) -> Result<bool, Fault> {
        let at = self.plan.at(step);
        // Behind a step lies the next: its own samples alone, none of a series that was replaced.
        let ask = format!(
            "query?query=count(last_over_time(%7Bjob%3D%22bench%22%7D%5B15s%5D))&time={}.{:03}",
            at / 1_000,
            at % 1_000
        );
        let (result, _) = self.subject.query(client, &ask)?;
        let found = result.pointer("/0/value/1").and_then(|v| v.as_str()).and_then(|v| v.parse::<u64>().ok());
        Ok(found == Some(self.plan.series))
    }

    /// An hour of a board's panel.
    fn drawn(&self, client: &mut crate::http::Client, step: u64) -> Result<bool, Fault> {
        let end = self.plan.at(step) / 1_000;
        let ask = format!(
            "query_range?query=sum%20by(namespace)(rate(bench_metric_1%5B5m%5D))&start={}&end={end}&step=60",
            end - 3_600
        );
        let (result, _) = self.subject.query(client, &ask)?;
        Ok(result.as_array().is_some_and(|series| !series.is_empty()))
    }

    /// The one line of a step that has its number.
    fn line(&self, client: &mut crate::http::Client, step: u64) -> Result<bool, Fault> {
        let (at, hour) = (self.plan.at(step), 3_600_000);
        let ask = format!(
            "/loki/api/v1/query_range?query=%7Bservice_name%3D%22soak%22%7D%7C%3D%22{}%22&start={}000000&end={}000000&limit=10",
            otlp::needle(step),
            at - hour,
            at + hour
        );
        let json = self.subject.ask(client, &ask)?;
        let values = json.pointer("/data/result/0/values").and_then(|v| v.as_array());
        Ok(values.is_some_and(|values| values.len() == 1))
    }

    /// A trace of a step, whole.
    fn trace(&self, client: &mut crate::http::Client, step: u64) -> Result<bool, Fault> {
        let json = self.subject.ask(client, &format!("/jaeger/api/traces/{}", otlp::trace_id(step, 0)))?;
        let spans = json.pointer("/data/0/spans").and_then(|v| v.as_array());
        Ok(spans.is_some_and(|spans| spans.len() as u64 == otlp::SPANS_OF_TRACE))
    }

    fn watch(&self) -> Result<Vec<Look>, Fault> {
        let mut looks: Vec<Look> = Vec::new();
        while !self.stopped() {
            std::thread::sleep(LOOK);
            let look = Look {
                at: self.began.elapsed(),
                rss: self.subject.usage()?.rss as f64,
                files: self.subject.open_files()? as f64,
                catalogue: self.subject.catalogue() as f64,
                disk: self.subject.disk() as f64,
                told: self.subject.told()?,
            };
            if looks.len() % PRINTED == 0 {
                self.print(&look);
            }
            looks.push(look);
        }
        Ok(looks)
    }

    fn print(&self, look: &Look) {
        let found = &self.found;
        println!(
            "S1  {:5.1} h: {:.0} MiB resident, {} files, catalogue {:.1} MiB, cache {:.1} MiB, disk {:.0} MiB, {:.2} x written, \
             {} asked, {} wrong, slowest {} ms, {} steps late",
            look.at.as_secs_f64() * f64::from(PACE) / 3_600.0,
            look.rss / MIB,
            look.files,
            look.catalogue / MIB,
            look.of("pilothouse_store_cache_bytes") / MIB,
            look.disk / MIB,
            look.amplification(),
            found.asked.load(Ordering::Relaxed),
            found.wrong.load(Ordering::Relaxed),
            found.slowest_ms.swap(0, Ordering::Relaxed),
            self.behind.load(Ordering::Relaxed)
        );
    }
}

fn report(soak: &Soak<'_>, looks: &[Look]) -> Result<(), Fault> {
    let last = looks.last().ok_or("too short for a look")?;
    soak.print(last);
    let quarters: Vec<&[Look]> = looks.chunks(looks.len().div_ceil(4).max(1)).collect();
    let medians = |of: &dyn Fn(&Look) -> f64| -> String {
        let all = quarters.iter().map(|looks| {
            let mut figures: Vec<f64> = looks.iter().map(of).collect();
            figures.sort_by(f64::total_cmp);
            format!("{:.1}", figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN))
        });
        all.collect::<Vec<_>>().join(" ")
    };
    println!("S1  medians of the quarters:");
    println!("S1    resident MiB  {}", medians(&|l| l.rss / MIB));
    println!("S1    open files    {}", medians(&|l| l.files));
    println!("S1    catalogue MiB {}", medians(&|l| l.catalogue / MIB));
    println!("S1    cache MiB     {}", medians(&|l| l.of("pilothouse_store_cache_bytes") / MIB));
    println!("S1    disk MiB      {}", medians(&|l| l.disk / MIB));
    println!("S1  written by flushes and merges: {:.2} x what flushes wrote", last.amplification());
    let wrong = soak.found.wrong.load(Ordering::Relaxed);
    if wrong > 0 {
        return Err(format!("{wrong} answers were wrong").into());
    }
    Ok(())
}
