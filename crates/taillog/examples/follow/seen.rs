//! What was seen: each line once, in its file's order, how long after it was written.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Failure;

pub struct Seen {
    next: Vec<u64>,
    count: u64,
    duplicated: u64,
    late_us: Vec<u32>,
}

/// ns UTC.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Seen {
    pub fn new(files: usize) -> Self {
        Self {
            next: vec![0; files],
            count: 0,
            duplicated: 0,
            late_us: Vec::with_capacity(super::write::TOTAL as usize),
        }
    }

    /// A message: when it was written, its file, its place in it.
    pub fn line(&mut self, message: &[u8], now: i64) -> Result<(), Failure> {
        let text = std::str::from_utf8(message)?;
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(|| format!("no line of ours: {text}"));
        let (at, file, place): (i64, usize, u64) = (word()?.parse()?, word()?.parse()?, word()?.parse()?);
        let next = self.next.get_mut(file).ok_or("no such file")?;
        if place < *next {
            self.duplicated += 1;
            return Ok(());
        }
        *next = place + 1;
        self.count += 1;
        self.late_us.push(u32::try_from((now - at).max(0) / 1_000).unwrap_or(u32::MAX));
        Ok(())
    }

    pub fn told(&mut self, total: u64) -> String {
        self.late_us.sort_unstable();
        let at = |share: f64| {
            let i = (self.late_us.len().saturating_sub(1) as f64 * share) as usize;
            f64::from(self.late_us.get(i).copied().unwrap_or_default()) / 1e3
        };
        format!(
            "lines={} lost={} duplicated={} p50_ms={:.3} p99_ms={:.3} worst_ms={:.3}",
            self.count,
            total - self.count.min(total),
            self.duplicated,
            at(0.5),
            at(0.99),
            at(1.0)
        )
    }
}

/// What this process took of the processor.
pub fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: f64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

pub fn peak_mib() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

pub fn inotify_instances() -> Result<usize, Failure> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let target = std::fs::read_link(entry?.path());
        count += usize::from(target.is_ok_and(|t| t.to_string_lossy().contains("inotify")));
    }
    Ok(count)
}
