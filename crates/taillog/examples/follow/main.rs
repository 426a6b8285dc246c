//! Follows a thousand logs while they are written and rotated, and says how soon each line was seen.
//!
//! In:     `follow engine`: the engine, in this process; `follow tail`: `tail -F`, read from its pipe. The writer is a process
//!         of its own. Out: figures as `name=number` on stderr.
//! Never:  trusts its writer: each line has its file's number and its place in it.

mod seen;
mod write;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ph_taillog::{Mode, ReadAsk, Reader, Roots, State, WatchId, Watcher, discover};

use seen::{Seen, now_ns};

type Failure = Box<dyn std::error::Error>;

/// How long the engine is watched while nothing is written.
const IDLE: Duration = Duration::from_secs(10);
/// Silence after the writer's end that ends the reading.
const SILENCE: Duration = Duration::from_secs(3);

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("write"), Some(dir)) => write::run(Path::new(&dir)),
        (Some("engine"), None) => with_dir(engine),
        (Some("tail"), None) => with_dir(tail),
        _ => Err("follow engine | follow tail".into()),
    }
}

fn with_dir(run: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("follow-{}", std::process::id()));
    let outcome = write::prepare(&dir).and_then(|()| run(&dir));
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn writer(dir: &Path) -> Result<Child, Failure> {
    Ok(Command::new(std::env::current_exe()?).arg("write").arg(dir).spawn()?)
}

/// One log being followed.
struct Lane {
    reader: Reader,
    wake_ns: i64,
}

fn engine(dir: &Path) -> Result<(), Failure> {
    let roots = Roots::new(dir, dir.join("none"));
    let watcher = Watcher::new()?;
    let mut lanes = Vec::new();
    let mut by_watch: HashMap<WatchId, usize> = HashMap::new();
    for source in discover(&roots)?.0 {
        let ask = ReadAsk { mode: Mode::Tail(0), follow: true, ..ReadAsk::default() };
        let reader = Reader::open(&roots, &source, ask)?;
        for dir in reader.dirs() {
            by_watch.insert(watcher.watch(&dir)?, lanes.len());
        }
        lanes.push(Lane { reader, wake_ns: 0 });
    }
    let mut seen = Seen::new(lanes.len());
    let all: Vec<usize> = (0..lanes.len()).collect();
    read(&mut lanes, &all, &mut seen)?;
    let mut writer = writer(dir)?;
    let mut last = Instant::now();
    let mut ended = false;
    while !ended || last.elapsed() < SILENCE {
        if wait(&watcher, &mut lanes, &by_watch, &mut seen)? > 0 {
            last = Instant::now();
        }
        ended = ended || writer.try_wait()?.is_some();
    }
    let (began, busy) = (Instant::now(), seen::cpu_seconds()?);
    while began.elapsed() < IDLE {
        wait(&watcher, &mut lanes, &by_watch, &mut seen)?;
    }
    let idle = (seen::cpu_seconds()? - busy) / began.elapsed().as_secs_f64() * 100.0;
    eprintln!(
        "{} busy_seconds={busy:.2} peak_mib={:.1} inotify_instances={} idle_percent={idle:.2}",
        seen.told(write::TOTAL),
        seen::peak_mib()?,
        seen::inotify_instances()?
    );
    Ok(())
}

/// Waits for a change and reads those that it touches; how many lines came.
fn wait(
    watcher: &Watcher,
    lanes: &mut [Lane],
    by_watch: &HashMap<WatchId, usize>,
    seen: &mut Seen,
) -> Result<usize, Failure> {
    let now = now_ns();
    let soonest = lanes.iter().map(|l| l.wake_ns).min().unwrap_or(now);
    let pause =
        Duration::from_nanos(u64::try_from(soonest - now).unwrap_or(0)).min(Duration::from_millis(500));
    let change = watcher.wait(pause)?;
    for (id, name) in &change.closed {
        if let Some(lane) = by_watch.get(id).and_then(|i| lanes.get_mut(*i)) {
            lane.reader.note_closed(name);
        }
    }
    let now = now_ns();
    let due = lanes.iter().enumerate().filter(|(_, l)| change.overflow || l.wake_ns <= now).map(|(i, _)| i);
    let mut touched: Vec<usize> = due.collect();
    touched.extend(change.changed.iter().filter_map(|id| by_watch.get(id)));
    read(lanes, &touched, seen)
}

fn read(lanes: &mut [Lane], touched: &[usize], seen: &mut Seen) -> Result<usize, Failure> {
    let mut count = 0;
    for i in touched {
        let Some(lane) = lanes.get_mut(*i) else { continue };
        loop {
            let batch = lane.reader.next_batch(64 << 10, now_ns())?;
            let now = now_ns();
            for record in &batch.records {
                seen.line(batch.message(record), now)?;
                count += 1;
            }
            match batch.state {
                State::More => {}
                State::CaughtUp { wake_at_ns } => {
                    lane.wake_ns = wake_at_ns;
                    break;
                }
                State::Ended => {
                    lane.wake_ns = i64::MAX;
                    break;
                }
            }
        }
    }
    Ok(count)
}

fn tail(dir: &Path) -> Result<(), Failure> {
    let files: Vec<_> = (0..write::FILES).map(|i| write::live(dir, i)).collect();
    let mut tail = Command::new("tail");
    tail.args(["-q", "-n", "0", "-F"]).args(&files);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let out = tail.stdout.take().ok_or("tail has no output")?;
    // It says nothing when it is ready: a second is far more than opening the files takes.
    std::thread::sleep(Duration::from_secs(1));
    let mut writer = writer(dir)?;
    let stop = std::thread::spawn(move || {
        let ended = writer.wait();
        std::thread::sleep(SILENCE);
        let killed = tail.kill().and_then(|()| tail.wait());
        ended.and(killed)
    });
    let mut seen = Seen::new(write::FILES);
    for line in BufReader::new(out).split(b'\n') {
        let line = line?;
        seen.line(line.splitn(4, |b| *b == b' ').nth(3).unwrap_or_default(), now_ns())?;
    }
    stop.join().map_err(|_| "the thread that waits for the writer failed")??;
    eprintln!("{}", seen.told(write::TOTAL));
    Ok(())
}
