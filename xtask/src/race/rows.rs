//! Catalogue: the rows of the log benchmarks: what runs against what, and what is enough.
//!
//! Source: ripgrep, GNU grep, jq, gawk and coreutils as Debian has them; hl where it is installed.

use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail};

use super::side::Side;
use super::{Places, present};

/// Those that need no root.
pub const NAMES: &[&str] = &["B1", "B2", "B4", "B5", "B6", "B7", "B8", "M1"];

#[derive(Debug)]
pub struct Row {
    pub what: &'static str,
    pub races: Vec<Race>,
}

/// Sides that have the same task.
#[derive(Debug)]
pub struct Race {
    pub what: String,
    pub sides: Vec<Side>,
    pub gates: Vec<Gate>,
}

/// What is enough.
#[derive(Debug)]
pub enum Gate {
    Faster {
        subject: &'static str,
        rival: &'static str,
        times: f64,
    },
    /// Of a figure that a side tells of itself.
    AtMost {
        side: &'static str,
        figure: &'static str,
        most: f64,
    },
}

const US: &str = "pilothouse";

fn faster(rival: &'static str, times: f64) -> Gate {
    Gate::Faster { subject: US, rival, times }
}

/// The message alone: what stands behind the third space.
const MESSAGE: &str = "cut -d' ' -f4- | sha256sum";
const SORTED_MESSAGE: &str = "cut -d' ' -f4- | sort | sha256sum";
const AS_IS: &str = "sha256sum";
const SORTED: &str = "sort | sha256sum";

pub fn row(name: &str, places: &Places) -> Result<Row> {
    let (what, races) = match name {
        "B1" => ("512 MiB of container lines: rare text, either case, alternatives", one_file(places)?),
        "B2" => ("one line in ten, parsed, as JSON", parsed(places)?),
        "B4" => ("one live, one rotated and three gzipped files", rotated(places)?),
        "B5" => ("the last 300 lines of 100 files, by time", many(places)?),
        "B6" => ("the first line after a time in 1 GiB", since(places)?),
        "B7" => ("1,000 files followed, 50,000 lines a second, 200 rotations", follow(places)),
        "B8" => ("a field and a level of JSON lines", json(places)?),
        "M1" => ("1 GiB without an end of line, 10 million empty lines: memory", vec![endless(places)]),
        other => bail!("no row is called {other}"),
    };
    Ok(Row { what, races })
}

fn one_file(places: &Places) -> Result<Vec<Race>> {
    let big = places.input("big.log");
    present(&big)?;
    let source = format!("file:{big}");
    let patterns = ["rare-needle", "(?i)rare-needle", "rare-needle|Rare-Needle|no-such-thing"];
    let race = |pattern: &str| {
        let (extended, folded) = (pattern.trim_start_matches("(?i)"), pattern.starts_with("(?i)"));
        let grep: &[&str] = if folded { &["grep", "-iE", extended] } else { &["grep", "-E", pattern] };
        let grep: Vec<&str> = grep.iter().copied().chain([big.as_str()]).collect();
        Race {
            what: pattern.to_owned(),
            sides: vec![
                // Without (?i) a pattern in small letters finds either case here.
                Side::new(
                    US,
                    &[
                        &places.pilothouse,
                        "logs",
                        &source,
                        "--all",
                        "-o",
                        "raw",
                        "--case-sensitive",
                        "-g",
                        pattern,
                    ],
                    AS_IS,
                ),
                Side::new("grep", &grep, MESSAGE),
                Side::new("rg", &["rg", pattern, &big], MESSAGE),
            ],
            gates: vec![faster("grep", 2.5), faster("rg", 1.0)],
        }
    };
    Ok(patterns.into_iter().map(race).collect())
}

fn parsed(places: &Places) -> Result<Vec<Race>> {
    let big = places.input("big.log");
    present(&big)?;
    let source = format!("file:{big}");
    let ours = "sed -n 's/.*\"type\":\"record\".*\"message\":\"\\([^\"]*\\)\".*/\\1/p' | sha256sum";
    let theirs = r#"sed -n 's/^{"type":"match".*"lines":{"text":"[^ ]* [^ ]* [^ ]* \([^"]*\)\\n"}.*/\1/p' | sha256sum"#;
    let race = Race {
        what: "cache miss, -o json".to_owned(),
        sides: vec![
            Side::new(
                US,
                &[
                    &places.pilothouse,
                    "logs",
                    &source,
                    "--all",
                    "-o",
                    "json",
                    "--case-sensitive",
                    "-g",
                    "cache miss",
                ],
                ours,
            ),
            Side::new("grep", &["grep", "cache miss", &big], MESSAGE),
            Side::new("rg --json", &["rg", "--json", "cache miss", &big], theirs),
        ],
        gates: vec![faster("grep", 2.0), faster("rg --json", 4.0)],
    };
    Ok(vec![race])
}

fn rotated(places: &Places) -> Result<Vec<Race>> {
    let dir = places.input("rotated");
    present(&format!("{dir}/0.log"))?;
    let source = format!("file:{dir}");
    let zcat = format!("cd {dir}; {{ zcat *.gz; cat 0.log.*[0-9] 0.log; }} | grep rare-needle");
    let ours = Side::new(
        US,
        &[
            &places.pilothouse,
            "logs",
            &source,
            "--all",
            "--restarts",
            "all",
            "-o",
            "raw",
            "--case-sensitive",
            "-g",
            "rare-needle",
        ],
        SORTED,
    );
    let zcat = Side::shell("zcat | grep", &zcat, SORTED_MESSAGE);
    let rg = Side::new("rg -z", &["rg", "-z", "-I", "rare-needle", &dir], SORTED_MESSAGE);
    Ok(vec![
        Race {
            what: "two cores".to_owned(),
            sides: vec![ours.clone(), zcat.clone(), rg],
            gates: vec![faster("zcat | grep", 4.0), faster("rg -z", 1.0)],
        },
        Race {
            what: "one core".to_owned(),
            sides: vec![ours.on_one_core(), zcat.on_one_core()],
            gates: vec![faster("zcat | grep", 2.5)],
        },
    ])
}

fn many(places: &Places) -> Result<Vec<Race>> {
    let dir = places.input("many");
    present(&format!("{dir}/app-000.log"))?;
    let tails = format!(
        "cd {dir}; args=(); for f in *.log; do args+=(\"<(tail -n 300 $f)\"); done; eval \"sort -m ${{args[*]}}\" | tail -n 300"
    );
    let race = Race {
        what: "the command".to_owned(),
        sides: vec![
            Side::new(
                US,
                &[&places.pilothouse, "logs", &format!("file:{dir}"), "--tail", "300", "-o", "raw"],
                AS_IS,
            ),
            Side::shell("100 x tail, sort -m", &tails, MESSAGE),
        ],
        gates: vec![faster("100 x tail, sort -m", 20.0)],
    };
    let engine = Race {
        what: "the engine alone".to_owned(),
        sides: vec![Side::new(
            "engine",
            &[&places.example("search"), "--threads", "2", "--tail", "300", "", &dir],
            "wc -l",
        )],
        gates: vec![Gate::AtMost { side: "engine", figure: "took_ms", most: 15.0 }],
    };
    Ok(vec![race, engine])
}

fn since(places: &Places) -> Result<Vec<Race>> {
    let parts = places.input("parts.log");
    present(&parts)?;
    let (text, ns) = late_time(&parts)?;
    // A record in pieces is one line here: what both have is its beginning.
    let head = "cut -d' ' -f4- | head -c 60";
    let race = Race {
        what: format!("--since {text}"),
        sides: vec![
            Side::new(
                US,
                &[
                    &places.pilothouse,
                    "logs",
                    &format!("file:{parts}"),
                    "--since",
                    &text,
                    "--head=1",
                    "-o",
                    "raw",
                ],
                "head -c 60",
            ),
            Side::shell("gawk", &format!("gawk '$1>=\"{text}\" {{ print; exit }}' {parts}"), head),
        ],
        gates: vec![faster("gawk", 500.0)],
    };
    let engine = Race {
        what: "the engine alone".to_owned(),
        sides: vec![Side::new(
            "engine",
            &[&places.example("search"), "--since", &ns.to_string(), "--head", "1", "", &parts],
            "head -c 60",
        )],
        gates: vec![Gate::AtMost { side: "engine", figure: "first_ms", most: 1.0 }],
    };
    Ok(vec![race, engine])
}

/// The time of a line at nineteen twentieths of a file, as it is written and in ns UTC.
fn late_time(path: &str) -> Result<(String, i64)> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size / 20 * 19))?;
    let mut window = vec![0; 256 << 10];
    file.read_exact(&mut window)?;
    let text = String::from_utf8_lossy(&window);
    let line = text.lines().skip(1).find(|line| line.contains(" F ") && line.len() > 40);
    let stamp =
        line.and_then(|line| line.split(' ').next()).ok_or_else(|| anyhow!("{path}: no line in it"))?;
    let nanos: i64 =
        stamp.get(20..29).and_then(|digits| digits.parse().ok()).context("no time of nine digits")?;
    let number = |from: usize, to: usize| stamp.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
    // The inputs begin with a year, and none of them is longer than a day.
    let (Some(day), Some(h), Some(m), Some(s)) =
        (number(8, 10), number(11, 13), number(14, 16), number(17, 19))
    else {
        bail!("{path}: {stamp} is no time");
    };
    let seconds = crate::corpus::START_NS / 1_000_000_000 + (day - 1) * 86_400 + h * 3_600 + m * 60 + s;
    Ok((stamp.to_owned(), seconds * 1_000_000_000 + nanos))
}

fn follow(places: &Places) -> Vec<Race> {
    let program = places.example("follow");
    let us = "engine";
    let at_most = |figure, most| Gate::AtMost { side: us, figure, most };
    vec![Race {
        what: "written to seen".to_owned(),
        sides: vec![Side::checked(us, &[&program, "engine"]), Side::checked("tail -F", &[&program, "tail"])],
        gates: vec![
            at_most("p99_ms", 5.0),
            at_most("lost", 0.0),
            at_most("duplicated", 0.0),
            at_most("peak_mib", 25.0),
            at_most("inotify_instances", 1.0),
            at_most("idle_percent", 0.5),
        ],
    }]
}

fn json(places: &Places) -> Result<Vec<Race>> {
    let (log, plain) = (places.input("json.log"), places.input("json.plain"));
    present(&log)?;
    present(&plain)?;
    let jq = Side::new("jq", &["jq", "-c", "select(.status >= 500 and .level == \"error\")", &plain], AS_IS);
    let ours = Side::new(
        US,
        &[
            &places.pilothouse,
            "logs",
            &format!("file:{log}"),
            "--all",
            "-o",
            "raw",
            "--where",
            "status>=500",
            "--level",
            "error",
        ],
        AS_IS,
    );
    let hl = Side {
        sift: None,
        ..Side::new("hl", &["hl", "-q", "status >= 500 and level = error", "--raw", "-P", &plain], AS_IS)
    };
    Ok(vec![
        Race {
            what: "two cores".to_owned(),
            sides: vec![ours.clone(), jq.clone()],
            gates: vec![faster("jq", 20.0)],
        },
        Race {
            what: "one core".to_owned(),
            sides: vec![ours.on_one_core(), hl.on_one_core()],
            gates: vec![faster("hl", 1.0)],
        },
    ])
}

fn endless(places: &Places) -> Race {
    let most = |figure, most| Gate::AtMost { side: "engine", figure, most };
    Race {
        what: "from a pipe".to_owned(),
        sides: vec![Side::checked("engine", &[&places.example("endless")])],
        gates: vec![most("peak_mib", 25.0), most("wrong", 0.0)],
    }
}
