//! One program of a race: its answer, its memory, its times.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};

/// A program with its arguments. Its output goes through `cat` when it is timed: some look whether anybody reads.
#[derive(Clone, Debug)]
pub struct Side {
    pub name: String,
    pub command: Vec<String>,
    /// What a shell makes of its output so that it can be compared; `None`: it tells of itself whether it was right.
    pub sift: Option<String>,
}

impl Side {
    pub fn new(name: &str, command: &[&str], sift: &str) -> Self {
        let command = command.iter().map(|part| (*part).to_owned()).collect();
        Self { name: name.to_owned(), command, sift: Some(sift.to_owned()) }
    }

    /// Several programs, as bash joins them.
    pub fn shell(name: &str, text: &str, sift: &str) -> Self {
        Self::new(name, &["bash", "-c", text], sift)
    }

    /// One that checks its own answer.
    pub fn checked(name: &str, command: &[&str]) -> Self {
        Self { sift: None, ..Self::new(name, command, "") }
    }

    /// On one core alone.
    pub fn on_one_core(mut self) -> Self {
        let pinned = ["taskset", "-c", "0"].map(str::to_owned);
        self.command = pinned.into_iter().chain(self.command).collect();
        self
    }

    /// Whether its program is not on this machine.
    pub fn is_missing(&self) -> bool {
        let program = match self.command.as_slice() {
            [first, _, _, pinned, ..] if first == "taskset" => pinned,
            [first, ..] => first,
            [] => return true,
        };
        let found = Command::new("which").arg(program).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    }

    fn spawn(&self, before: &[&str]) -> Result<std::process::Child> {
        let mut parts = before.iter().copied().chain(self.command.iter().map(String::as_str));
        let program = parts.next().ok_or_else(|| anyhow!("{}: no program", self.name))?;
        let mut command = Command::new(program);
        command.args(parts).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().with_context(|| format!("start {program}"))
    }

    /// The output, sifted: what has to be the same for all sides.
    pub fn answer(&self) -> Result<Option<String>> {
        let Some(sift) = &self.sift else { return Ok(None) };
        let mut child = self.spawn(&[])?;
        let out = child.stdout.take().ok_or_else(|| anyhow!("{}: no output", self.name))?;
        let mut err = child.stderr.take().ok_or_else(|| anyhow!("{}: no output", self.name))?;
        let sifted = Command::new("bash").args(["-c", sift]).stdin(out).output().context("run bash")?;
        let mut told = String::new();
        err.read_to_string(&mut told)?;
        let status = child.wait()?;
        ensure!(status.success(), "{} ended with {status}: {told}", self.name);
        Ok(Some(String::from_utf8_lossy(&sifted.stdout).trim().to_owned()))
    }

    /// What one run takes.
    pub fn cost(&self) -> Result<Cost> {
        let told = std::env::temp_dir().join(format!("race-{}", std::process::id()));
        let path = told.display().to_string();
        let mut child = self.spawn(&["/usr/bin/time", "-f", "%M %U %S", "-o", &path])?;
        through_cat(&mut child)?;
        let text = std::fs::read_to_string(&told).context("read what time(1) wrote; is it installed?")?;
        std::fs::remove_file(&told)?;
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [.., peak_kib, user, system] = numbers.as_slice() else { bail!("time(1) wrote {text}") };
        Ok(Cost { peak_kib: *peak_kib, cpu_s: user + system })
    }
}

/// Memory and processor time of one run, with all programs that it is made of.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub peak_kib: f64,
    /// Of all cores; to a hundredth. It is touched less than the time by what else runs.
    pub cpu_s: f64,
}

/// Lets the output run through `cat`, and waits for both; what was said on standard error.
fn through_cat(child: &mut std::process::Child) -> Result<String> {
    let out = child.stdout.take().ok_or_else(|| anyhow!("no output"))?;
    let mut err = child.stderr.take().ok_or_else(|| anyhow!("no output"))?;
    let mut cat = Command::new("cat").stdin(out).stdout(Stdio::null()).spawn().context("start cat")?;
    let mut told = String::new();
    err.read_to_string(&mut told)?;
    let status = child.wait()?;
    cat.wait()?;
    ensure!(status.success(), "ended with {status}: {told}");
    Ok(told)
}

/// A side with what was measured of it.
#[derive(Debug)]
pub struct Timed<'a> {
    pub side: &'a Side,
    cost: Cost,
    took_ms: Vec<f64>,
    /// `name=number` of what it said of itself: the least of all runs.
    figures: BTreeMap<String, f64>,
}

impl<'a> Timed<'a> {
    pub fn new(side: &'a Side, cost: Cost) -> Self {
        Self { side, cost, took_ms: Vec::new(), figures: BTreeMap::new() }
    }

    pub fn run(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut child = self.side.spawn(&[])?;
        let told = through_cat(&mut child).with_context(|| self.side.name.clone())?;
        self.took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        for (name, number) in told.split_whitespace().filter_map(|word| word.split_once('=')) {
            if let Ok(number) = number.trim_end_matches(',').parse::<f64>() {
                let least = self.figures.get(name).copied().unwrap_or(f64::INFINITY).min(number);
                self.figures.insert(name.to_owned(), least);
            }
        }
        Ok(())
    }

    /// The quickest run, ms.
    pub fn best_ms(&self) -> f64 {
        self.took_ms.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn told(&self, figure: &str) -> Option<f64> {
        self.figures.get(figure).copied()
    }
}

impl fmt::Display for Timed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.took_ms.iter().copied().fold(0.0, f64::max);
        let (best, peak) = (self.best_ms(), self.cost.peak_kib / 1024.0);
        let cpu = self.cost.cpu_s;
        write!(f, "{:<24} {best:>9.1} ms  (to {worst:.1})  cpu {cpu:.2} s  {peak:>7.1} MiB", self.side.name)?;
        for (name, number) in &self.figures {
            write!(f, "  {name}={number}")?;
        }
        Ok(())
    }
}
