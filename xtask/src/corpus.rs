//! Inputs of the log benchmarks: the same bytes for the same number, on any machine.
//!
//! In:     what to make, a number that chooses the lines, a directory. Out: files; those that exist with the right size stay.
//! Never:  a clock or the system's randomness: times begin at a fixed moment.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Container logs: big.log (512 MiB), json.log, json.plain (its messages alone), parts.log, rotated/ and many/.
    Logs {
        /// Chooses the lines.
        #[arg(long, default_value_t = 1)]
        rng: u64,
        /// Where to; below the target directory by default.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

const MIB: u64 = 1 << 20;
/// 2026-01-01T00:00:00Z.
pub const START_NS: i64 = 1_767_225_600_000_000_000;

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let What::Logs { rng, out } = &args.what;
    let dir = out.clone().unwrap_or_else(|| root.join("target/corpus/logs"));
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let mut random = Random(*rng);
    file(&dir.join("big.log"), 512 * MIB, &mut Lines::new(&mut random, Kind::Text))?;
    file(&dir.join("json.log"), 256 * MIB, &mut Lines::new(&mut random, Kind::Json))?;
    messages(&dir.join("json.log"), &dir.join("json.plain"))?;
    file(&dir.join("parts.log"), 1024 * MIB, &mut Lines::new(&mut random, Kind::Parts))?;
    rotated(&dir.join("rotated"), &mut random)?;
    let many = dir.join("many");
    fs::create_dir_all(&many)?;
    for i in 0..100 {
        let mut lines = Lines::new(&mut random, Kind::Text);
        lines.now += i * 1_000;
        file(&many.join(format!("app-{i:03}.log")), 2 * MIB, &mut lines)?;
    }
    println!("{}", dir.display());
    Ok(())
}

/// The messages of a file of whole lines, for programs that know no container's log.
fn messages(log: &Path, plain: &Path) -> Result<()> {
    if plain.exists() {
        return Ok(());
    }
    let half = plain.with_extension("half");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&half)?);
    for line in BufReader::with_capacity(1 << 20, File::open(log)?).split(b'\n') {
        let line = line?;
        out.write_all(line.splitn(4, |b| *b == b' ').nth(3).unwrap_or_default())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    fs::rename(&half, plain).with_context(|| format!("write {}", plain.display()))
}

/// One live, one plain rotated and three gzipped files, as kubelet leaves them.
fn rotated(dir: &Path, random: &mut Random) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut lines = Lines::new(random, Kind::Text);
    for i in 0..5 {
        let plain = match i {
            4 => dir.join("0.log"),
            _ => dir.join(format!("0.log.20260101-00000{i}")),
        };
        let packed = plain.with_file_name(format!("0.log.20260101-00000{i}.gz"));
        if i < 3 && packed.exists() {
            lines.skip(64 * MIB);
            continue;
        }
        file(&plain, 64 * MIB, &mut lines)?;
        if i < 3 {
            let mut out = GzEncoder::new(BufWriter::new(File::create(&packed)?), Compression::default());
            std::io::copy(&mut File::open(&plain)?, &mut out)?;
            out.finish()?.flush()?;
            fs::remove_file(&plain)?;
        }
    }
    Ok(())
}

fn file(path: &Path, bytes: u64, lines: &mut Lines<'_>) -> Result<()> {
    // Written whole or not at all: a shorter one is from a run that was ended.
    if fs::metadata(path).is_ok_and(|m| m.len() >= bytes) {
        lines.skip(bytes);
        return Ok(());
    }
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut written = 0;
    let mut line = Vec::new();
    while written < bytes {
        lines.next(&mut line);
        out.write_all(&line)?;
        written += line.len() as u64;
    }
    out.flush().with_context(|| format!("write {}", path.display()))
}

/// xorshift64*, seeded through splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Json,
    /// Other alphabets, equal times, records in 16 KiB pieces.
    Parts,
}

struct Lines<'a> {
    random: &'a mut Random,
    kind: Kind,
    now: i64,
    count: u64,
}

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const PATHS: [&str; 8] = [
    "/api/v1/orders",
    "/api/v1/carts",
    "/healthz",
    "/api/v1/users/me",
    "/static/app.js",
    "/api/v1/search",
    "/metrics",
    "/login",
];
const WORDS: [&str; 16] = [
    "request",
    "served",
    "cache",
    "miss",
    "upstream",
    "connection",
    "pool",
    "retry",
    "order",
    "accepted",
    "queue",
    "worker",
    "session",
    "payment",
    "timeout",
    "shard",
];
const LEVELS: [&str; 10] =
    ["INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"];

impl<'a> Lines<'a> {
    fn new(random: &'a mut Random, kind: Kind) -> Self {
        Self { random, kind, now: START_NS, count: 0 }
    }

    /// Makes the lines that a finished file holds, so that the next file is the same whether this one existed or not.
    fn skip(&mut self, bytes: u64) {
        let mut line = Vec::new();
        let mut written = 0;
        while written < bytes {
            self.next(&mut line);
            written += line.len() as u64;
        }
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let i = self.random.below(from.len() as u64) as usize;
        from.get(i).copied().unwrap_or_default()
    }

    /// The next physical line, or the pieces of a record, with their ends of line.
    fn next(&mut self, line: &mut Vec<u8>) {
        line.clear();
        self.count += 1;
        if self.kind != Kind::Parts || self.count.is_multiple_of(4) {
            self.now += 50_000 + self.random.below(250_000) as i64;
        }
        let stream = if self.random.below(10) == 0 { "stderr" } else { "stdout" };
        let text = match self.kind {
            Kind::Text => self.text(),
            Kind::Json => self.json(),
            Kind::Parts => self.other(),
        };
        let time = stamp(self.now);
        let pieces = text.as_bytes().chunks(16 << 10).count();
        for (i, piece) in text.as_bytes().chunks(16 << 10).enumerate() {
            let tag = if i + 1 < pieces { "P" } else { "F" };
            line.extend_from_slice(format!("{time} {stream} {tag} ").as_bytes());
            line.extend_from_slice(piece);
            line.push(b'\n');
        }
    }

    /// About 130 bytes; one in a hundred thousand holds `rare-needle`, one in ten `cache miss`.
    fn text(&mut self) -> String {
        let level = self.pick(&LEVELS);
        let (method, path) = (self.pick(&METHODS), self.pick(&PATHS));
        let (status, took, id) =
            (200 + self.random.below(4) * 100, self.random.below(5_000), self.random.next());
        let rare = match self.random.below(1_000_000) {
            0..10 => " rare-needle",
            10..20 => " Rare-Needle",
            20..100_020 => " cache miss",
            _ => "",
        };
        let words: Vec<&str> = (0..6).map(|_| self.pick(&WORDS)).collect();
        format!(
            "{level} {method} {path} status={status} took={took}us id={id:016x} {}{rare}",
            words.join(" ")
        )
    }

    fn json(&mut self) -> String {
        let level = self.pick(&LEVELS).to_lowercase();
        let (method, path) = (self.pick(&METHODS), self.pick(&PATHS));
        let (status, took, id) =
            (200 + self.random.below(4) * 100, self.random.below(5_000), self.random.next());
        let words: Vec<&str> = (0..6).map(|_| self.pick(&WORDS)).collect();
        format!(
            "{{\"ts\":\"{}\",\"level\":\"{level}\",\"msg\":\"{}\",\"http\":{{\"method\":\"{method}\",\"path\":\"{path}\"}},\
             \"status\":{status},\"took_us\":{took},\"trace_id\":\"{id:016x}\"}}",
            stamp(self.now),
            words.join(" ")
        )
    }

    fn other(&mut self) -> String {
        let base = format!("строка {} ошибка не найдена 日本語 {:x}", self.count, self.random.next());
        match self.random.below(200) {
            0 => base.repeat(700),
            _ => base,
        }
    }
}

/// RFC 3339 with nine digits.
fn stamp(ns: i64) -> String {
    let (seconds, nanos) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days, years that begin in March.
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
        day / 3_600,
        day / 60 % 60,
        day % 60
    )
}
