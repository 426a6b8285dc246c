//! Times the log rows against their rivals on this machine.
//!
//! In:     names of rows, where the release programs and the inputs are. Out: both figures of each pair, their ratio, the
//!         gate, the spread, memory; failure when a gate is missed or an answer differs.
//! Never:  a figure without an answer that was compared: the rivals' output says what is right.

mod rows;
mod side;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use rows::{Gate, Race, Row};
use side::Timed;

#[derive(clap::Args)]
pub struct Args {
    /// Which: B1, B2, …; none: all that need no root.
    rows: Vec<String>,
    /// The release build of `pilothouse`.
    #[arg(long)]
    binary: PathBuf,
    /// The folder with the release build of ph-taillog's examples.
    #[arg(long)]
    examples: PathBuf,
    /// What `cargo xtask corpus logs` made.
    #[arg(long)]
    corpus: PathBuf,
    /// How often each side runs, turn and turn about.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

/// Where everything is that a row names.
#[derive(Debug)]
pub struct Places {
    pub pilothouse: String,
    pub examples: PathBuf,
    pub corpus: PathBuf,
}

impl Places {
    pub fn input(&self, name: &str) -> String {
        self.corpus.join(name).display().to_string()
    }

    pub fn example(&self, name: &str) -> String {
        self.examples.join(name).display().to_string()
    }
}

pub fn run(args: &Args) -> Result<()> {
    let places = Places {
        pilothouse: args.binary.display().to_string(),
        examples: args.examples.clone(),
        corpus: args.corpus.clone(),
    };
    let known = rows::NAMES;
    if let Some(name) = args.rows.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no row is called {name}; there are {}", known.join(", "));
    }
    ensure!(args.rounds > 0, "--rounds 0: nothing would run");
    machine(&places);
    let mut missed = Vec::new();
    for name in known.iter().filter(|name| args.rows.is_empty() || args.rows.iter().any(|r| r == *name)) {
        let row = rows::row(name, &places)?;
        println!("\n== {name}  {}", row.what);
        missed.extend(run_row(&row, args.rounds)?.into_iter().map(|what| format!("{name}: {what}")));
    }
    if missed.is_empty() {
        return Ok(());
    }
    bail!("{} below the gate:\n  {}", missed.len(), missed.join("\n  "))
}

/// Kernel, processor, load and the versions of everything that runs.
fn machine(places: &Places) {
    let first = |program: &str, flag: &str| {
        let out = Command::new(program).arg(flag).output().ok()?;
        String::from_utf8_lossy(&out.stdout).lines().next().map(str::to_owned)
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "kernel {}, {} ({cores} cores)",
        read("/proc/sys/kernel/osrelease").trim(),
        cpu.trim_start_matches([' ', '\t', ':'])
    );
    println!("load average {}", load());
    for program in [places.pilothouse.as_str(), "grep", "rg", "jq", "gawk", "hl", "tail"] {
        match first(program, "--version") {
            Some(version) => println!("{version}"),
            None => println!("{program}: not installed"),
        }
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn run_row(row: &Row, rounds: u32) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for race in &row.races {
        println!("-- {}  (load {})", race.what, load());
        let timed = run_race(race, rounds)?;
        for side in &timed {
            println!("   {side}");
        }
        for (told, met) in judged(race, &timed) {
            println!("   {} {told}", if met { "met   " } else { "MISSED" });
            if !met {
                missed.push(format!("{}: {told}", race.what));
            }
        }
    }
    Ok(missed)
}

/// Each side once for its answer and its memory, then all of them in turn.
fn run_race(race: &Race, rounds: u32) -> Result<Vec<Timed<'_>>> {
    let mut timed = Vec::new();
    let mut right: Option<(String, String)> = None;
    for side in &race.sides {
        if side.is_missing() {
            println!("   {}: not installed, left out", side.name);
            continue;
        }
        let answer = side.answer()?;
        if let (Some(answer), Some((name, expected))) = (&answer, &right) {
            ensure!(answer == expected, "{} and {name} differ: {answer} and {expected}", side.name);
        }
        right = right.or(answer.map(|answer| (side.name.clone(), answer)));
        timed.push(Timed::new(side, side.cost()?));
    }
    for _ in 0..rounds {
        for one in &mut timed {
            one.run()?;
        }
    }
    Ok(timed)
}

/// What each gate says, and whether it is met. A rival that is not there decides nothing.
fn judged(race: &Race, timed: &[Timed<'_>]) -> Vec<(String, bool)> {
    let named = |name: &str| timed.iter().find(|t| t.side.name == name);
    let mut told = Vec::new();
    for gate in &race.gates {
        match gate {
            Gate::Faster { subject, rival, times } => {
                let (Some(subject), Some(rival)) = (named(subject), named(rival)) else { continue };
                let ratio = rival.best_ms() / subject.best_ms();
                told.push((format!("{:.2} x {} (gate {times} x)", ratio, rival.side.name), ratio >= *times));
            }
            Gate::AtMost { side, figure, most } => {
                let Some(found) = named(side).and_then(|t| t.told(figure)) else {
                    told.push((format!("{side} did not tell {figure}"), false));
                    continue;
                };
                told.push((format!("{figure} {found} (gate {most})"), found <= *most));
            }
        }
    }
    told
}

/// Whether a file of the inputs is there.
fn present(path: &str) -> Result<()> {
    ensure!(Path::new(path).exists(), "{path} is missing: run `cargo xtask corpus logs --rng 1`");
    Ok(())
}
