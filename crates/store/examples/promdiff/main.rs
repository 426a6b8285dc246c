//! Asks a running Prometheus and our evaluation over our store the same, and prints every difference.
//!
//! In:     `ADDRESS COUNT|?COUNT|@FILE SEED PLACE [late]` of a fresh Prometheus with its remote-write receiver and experimental
//!         functions on; a file has expressions to ask, one a line, instead of random ones; with `?` texts are only parsed.
//! Out:    each expression that is answered differently, with both answers; the number of expressions at the end.
//! Never:  a test: it needs a rival program. `cargo xtask promdiff` builds that and calls this.

mod corpus;
mod grammar;
mod mutated;
mod place;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

use corpus::Series;
use ph_model::Labels;
use ph_promql::{Error, Never, Params, SeriesSource, Value, eval, parse, sample_text};
use serde_json::Value as Json;

/// Numbers at random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A remote-write request, in a snappy frame of literals.
fn write_request(series: &[Series]) -> Vec<u8> {
    let mut body = Vec::new();
    for (labels, samples) in series {
        let mut one = Vec::new();
        for (name, value) in labels.iter() {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut one, 1, &label);
        }
        for sample in samples {
            let mut bytes = vec![9];
            bytes.extend_from_slice(&sample.value.to_le_bytes());
            bytes.push(16);
            varint(&mut bytes, sample.at_ms as u64);
            field(&mut one, 2, &bytes);
        }
        field(&mut body, 1, &one);
    }
    let mut out = Vec::new();
    varint(&mut out, body.len() as u64);
    for part in body.chunks(60_000) {
        out.push(61 << 2);
        out.extend_from_slice(&((part.len() - 1) as u16).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn http(address: &str, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "{head}Host: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Ok(body.to_owned());
    }
    let (mut out, mut rest) = (String::new(), body);
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        // Sizes count bytes; answers here are ASCII but for replaced ones.
        out.push_str(more.get(..size).unwrap_or(more));
        rest = more.get(size + 2..).unwrap_or("");
    }
    Ok(out)
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Series with their values by time, with what was noted; or why there are none.
type Outcome = Result<Found, String>;

#[derive(Default)]
struct Found {
    series: BTreeMap<String, BTreeMap<i64, f64>>,
    /// Warnings and infos, without figures that sum up several steps.
    notes: std::collections::BTreeSet<String>,
    /// What the result is, and a string itself.
    kind: String,
    /// Series in the order given.
    order: Vec<String>,
}

impl Found {
    fn noting<'a>(mut self, notes: impl Iterator<Item = &'a str>) -> Self {
        self.notes = notes.map(|n| n.split(", from buckets").next().unwrap_or(n).to_owned()).collect();
        self
    }
}

fn theirs(address: &str, query: &str, params: &Params) -> std::io::Result<Outcome> {
    let body = if params.step_ms == 0 {
        format!("query={}&time={}", encode(query), params.start_ms as f64 / 1000.0)
    } else {
        format!(
            "query={}&start={}&end={}&step={}",
            encode(query),
            params.start_ms as f64 / 1000.0,
            params.end_ms as f64 / 1000.0,
            params.step_ms as f64 / 1000.0
        )
    };
    let path = if params.step_ms == 0 { "query" } else { "query_range" };
    let head = format!("POST /api/v1/{path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let text = http(address, &head, body.as_bytes())?;
    let json: Json =
        serde_json::from_str(&text).map_err(|e| std::io::Error::other(format!("{e}: {text}")))?;
    if json["status"] != "success" {
        return Ok(Err(json["error"].as_str().unwrap_or("").to_owned()));
    }
    let mut out = BTreeMap::new();
    let mut order = Vec::new();
    let mut kind = json["data"]["resultType"].as_str().unwrap_or("").to_owned();
    let number = |v: &Json| match v.as_str().unwrap_or("") {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap_or(f64::NAN),
    };
    let point = |v: &Json| ((v[0].as_f64().unwrap_or(0.0) * 1000.0).round() as i64, number(&v[1]));
    if kind == "string" {
        kind = format!("string {}", json["data"]["result"][1].as_str().unwrap_or(""));
    } else if let Some(series) = json["data"]["result"].as_array().filter(|_| kind != "scalar") {
        for one in series {
            let pairs = one["metric"].as_object().into_iter().flatten();
            let set: Labels = pairs.map(|(n, v)| (n.clone(), v.as_str().unwrap_or("").to_owned())).collect();
            let values = one["values"]
                .as_array()
                .map_or_else(|| vec![point(&one["value"])], |v| v.iter().map(point).collect());
            order.push(set.to_string());
            out.insert(set.to_string(), values.into_iter().collect());
        }
    } else {
        out.insert("scalar".to_owned(), BTreeMap::from([point(&json["data"]["result"])]));
    }
    let notes = ["warnings", "infos"].into_iter().flat_map(|k| json[k].as_array().into_iter().flatten());
    let found = Found { series: out, kind, order, ..Found::default() };
    Ok(Ok(found.noting(notes.filter_map(Json::as_str))))
}

fn ours(source: &dyn SeriesSource, query: &str, params: &Params) -> Outcome {
    let answer =
        parse(query).map_err(Error::from).and_then(|expr| eval(query, &expr, params, (source, &Never)));
    let answer = answer.map_err(|e| e.to_string())?;
    let kind = match &answer.value {
        Value::Scalar(_) => "scalar".to_owned(),
        Value::Text(text) => format!("string {text}"),
        Value::Vector(_) => "vector".to_owned(),
        Value::Matrix(_) => "matrix".to_owned(),
    };
    let order = match &answer.value {
        Value::Vector(rows) => rows.iter().map(|(labels, _)| labels.to_string()).collect(),
        Value::Matrix(rows) => rows.iter().map(|(labels, _)| labels.to_string()).collect(),
        _ => Vec::new(),
    };
    let series = match answer.value {
        Value::Scalar(v) => BTreeMap::from([("scalar".to_owned(), BTreeMap::from([(params.start_ms, v)]))]),
        Value::Text(_) => BTreeMap::new(),
        Value::Vector(rows) => {
            rows.into_iter().map(|(l, v)| (l.to_string(), BTreeMap::from([(params.start_ms, v)]))).collect()
        }
        Value::Matrix(rows) => {
            rows.into_iter().map(|(l, p)| (l.to_string(), p.into_iter().collect())).collect()
        }
    };
    let notes: Vec<String> = answer.warnings.into_iter().chain(answer.infos).collect();
    let found = Found { series, kind, order, ..Found::default() };
    Ok(found.noting(notes.iter().map(String::as_str)))
}

fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9)
}

/// In what two answers differ.
fn difference(ours: &Outcome, theirs: &Outcome) -> Option<String> {
    match (ours, theirs) {
        (Ok(a), Ok(b)) if a.notes != b.notes => {
            Some(format!("notes: ours {:?} theirs {:?}", a.notes, b.notes))
        }
        (Ok(Found { series: a, .. }), Ok(Found { series: b, .. })) => {
            for (set, points) in a {
                let Some(other) = b.get(set) else { return Some(format!("only ours: {set}")) };
                let times = points.keys().chain(other.keys());
                for time in times {
                    let (x, y) = (points.get(time), other.get(time));
                    if !matches!((x, y), (Some(x), Some(y)) if same(*x, *y)) {
                        let text = |v: Option<&f64>| v.map_or("-".to_owned(), |v| sample_text(*v));
                        return Some(format!("{set} at {time}: ours {} theirs {}", text(x), text(y)));
                    }
                }
            }
            b.keys().find(|set| !a.contains_key(*set)).map(|set| format!("only theirs: {set}"))
        }
        (Err(_), Err(_)) => None,
        (Err(why), Ok(rows)) => Some(format!("ours fails: {why}; theirs gives {} series", rows.series.len())),
        (Ok(rows), Err(why)) => Some(format!("theirs fails: {why}; ours gives {} series", rows.series.len())),
    }
}

/// Why an answer may differ although both are right, if it may.
fn explanation(query: &str, what: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|w| query.contains(w));
    if has(&["topk", "bottomk", "quantile", "limit"]) && has(&[" @ "]) {
        return Some("around a pinned vector Prometheus takes the first step's parameter for all steps");
    }
    if has(&["timestamp("]) && has(&[" @ "]) && has(&["offset -"]) {
        return Some("Prometheus does not look ahead for the time of a pinned sample");
    }
    if query.contains("histogram_quantiles(twice_bucket") {
        return Some("with several quantiles Prometheus adds up buckets of equal bounds once for each");
    }
    if has(&["limitk"]) {
        return Some("which series it takes is the storage's order");
    }
    if has(&["topk", "bottomk"])
        && (what.contains("the same labelset")
            || what.starts_with("only")
            || what.ends_with(" -")
            || what.contains("ours - "))
    {
        return Some("among equal values the storage's order decides");
    }
    let library =
        ["^", "exp(", "ln(", "log", "tan", "sin", "cos", "rad(", "deg(", "avg", "std", "deriv", "predict"];
    let magnified = [
        "count_values",
        "%",
        "sin(",
        "cos(",
        "tan(",
        "delta(",
        "rate(",
        "==",
        "!=",
        "quantile value should be",
    ];
    if has(&library) && (has(&magnified) || magnified.iter().any(|m| what.contains(m))) {
        return Some("the last digit of a library function or of a sum in another order, made visible");
    }
    has(&["stdvar", "stddev"]).then_some("squares of large numbers, summed in another order")
}

/// Whether Prometheus itself gives another answer when it is asked again.
fn undecided(address: &str, query: &str, params: &Params, first: &Outcome) -> std::io::Result<bool> {
    for _ in 0..8 {
        if difference(first, &theirs(address, query, params)?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What both sides are asked, and how many answers differed.
#[derive(Default)]
struct Tally {
    asked: u64,
    failing: u64,
    empty: u64,
    chance: u64,
    explained: u64,
    different: u64,
    /// Errors, orders and kinds of results that are told otherwise; only looked at for listed expressions.
    told: u64,
}

struct Sides<'a> {
    source: &'a dyn SeriesSource,
    address: &'a str,
}

impl Sides<'_> {
    fn ask(&self, query: &str, params: &Params, tally: &mut Tally) -> std::io::Result<(Outcome, Outcome)> {
        let (ours, theirs) = (ours(self.source, query, params), theirs(self.address, query, params)?);
        tally.asked += 1;
        tally.failing += u64::from(theirs.is_err());
        tally.empty += u64::from(theirs.as_ref().is_ok_and(|f| f.series.is_empty()));
        if let Some(what) = difference(&ours, &theirs) {
            // Among equal values the rival chooses by chance: what it does not answer twice alike is explained.
            if undecided(self.address, query, params, &theirs)? {
                tally.chance += 1;
                return Ok((ours, theirs));
            }
            let reason = explanation(query, &what);
            tally.different += u64::from(reason.is_none());
            tally.explained += u64::from(reason.is_some());
            let reason = reason.map_or_else(String::new, |r| format!("\n  explained: {r}"));
            println!(
                "{query}\n  [{} {} {}]\n  {what}{reason}",
                params.start_ms, params.end_ms, params.step_ms
            );
        }
        Ok((ours, theirs))
    }
}

/// Random expressions, each at one time or over a range.
fn at_random(
    sides: &Sides<'_>,
    (count, seed, late): (u64, u64, bool),
    base_ms: i64,
) -> std::io::Result<Tally> {
    let (mut dice, mut tally) = (Dice(seed), Tally::default());
    for _ in 0..count {
        let depth = 1 + dice.below(3);
        let query = grammar::any(&mut dice, depth, base_ms / 1000);
        let start = base_ms + (dice.below(2_400) * 1000) as i64 + dice.below(2) as i64 * 500;
        let mut params = match dice.below(2) {
            0 => Params::instant(start),
            _ => {
                let step = [15_000, 30_000, 60_000, 7_000, 300_000][dice.below(5) as usize];
                Params::range(start, start + step * dice.below(20) as i64, step)
            }
        };
        params.delays_names = late;
        let _ = sides.ask(&query, &params, &mut tally)?;
    }
    Ok(tally)
}

/// Expressions of a file, one a line, at one time and over a range; also what is not compared at random.
fn listed(sides: &Sides<'_>, (text, late): (&str, bool), base_ms: i64) -> std::io::Result<Tally> {
    let mut tally = Tally::default();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("##")) {
        let query = line.replace("\\n", "\n").replace("$BASE", &(base_ms / 1000).to_string());
        let middle = base_ms + 1_200_000;
        for mut params in [Params::instant(middle), Params::range(middle, middle + 300_000, 60_000)] {
            params.delays_names = late;
            let (ours, theirs) = sides.ask(&query, &params, &mut tally)?;
            if let Some(what) = told_otherwise(&query, &ours, &theirs) {
                tally.told += 1;
                println!("{query}\n  [step {}] {what}", params.step_ms);
            }
        }
    }
    Ok(tally)
}

/// Texts that are nearly expressions: whether both sides take them.
fn taken(address: &str, (count, seed): (u64, u64), base_ms: i64) -> std::io::Result<Tally> {
    let (mut dice, mut tally) = (Dice(seed), Tally::default());
    for _ in 0..count {
        let query = mutated::text(&mut dice, base_ms / 1000);
        let body = format!("query={}", encode(&query));
        let head =
            "POST /api/v1/format_query HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let text = http(address, head, body.as_bytes())?;
        let json: Json =
            serde_json::from_str(&text).map_err(|e| std::io::Error::other(format!("{e}: {text}")))?;
        let (ours, theirs) = (parse(&query), json["status"] == "success");
        tally.asked += 1;
        tally.failing += u64::from(!theirs);
        if ours.is_ok() != theirs {
            tally.different += 1;
            let ours = ours.map_or_else(|e| e.to_string(), |e| format!("takes it as {e}"));
            println!("{query:?}\n  ours {ours}\n  theirs {}", json["error"].as_str().unwrap_or("takes it"));
        }
    }
    Ok(tally)
}

fn told_otherwise(query: &str, ours: &Outcome, theirs: &Outcome) -> Option<String> {
    match (ours, theirs) {
        (Err(a), Err(b)) => {
            let bare = b.strip_prefix("invalid parameter \"query\": ").unwrap_or(b);
            (a != bare).then(|| format!("ours says   {a}\n  theirs says {bare}"))
        }
        (Ok(a), Ok(b)) if a.kind != b.kind => Some(format!("ours is {:?}, theirs {:?}", a.kind, b.kind)),
        (Ok(a), Ok(b)) if query.starts_with("sort") && a.order != b.order => {
            Some(format!("ours in order {:?}\n  theirs      {:?}", a.order, b.order))
        }
        _ => None,
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, count, seed, place, late @ ..] = args.as_slice() else {
        return Err(
            "usage: promdiff ADDRESS COUNT|?COUNT|@FILE SEED memory|head|flush|compacted [late]".into()
        );
    };
    // The rival drops names of metrics at the end: `promql-delayed-name-removal`.
    let late = late.first().is_some_and(|word| word == "late");
    let mut dice = Dice(1);
    let now_ms =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
    // The same data for every run of one hour.
    let base_ms = now_ms / 3_600_000 * 3_600_000 - 3_600_000;
    let series = corpus::corpus(&mut dice, base_ms);
    let head = "POST /api/v1/write HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
    let answer = http(address, head, &write_request(&series))?;
    if !answer.trim().is_empty() {
        eprintln!("write: {answer}");
    }
    let source = place::source(place, &series)?;
    let sides = Sides { source: source.as_ref(), address };
    let tally = match count.strip_prefix('@') {
        Some(file) => listed(&sides, (std::fs::read_to_string(file)?.as_str(), late), base_ms)?,
        None if count.starts_with('?') => taken(address, (count[1..].parse()?, seed.parse()?), base_ms)?,
        None => at_random(&sides, (count.parse()?, seed.parse()?, late), base_ms)?,
    };
    let Tally { asked, failing, empty, chance, explained, different, told } = tally;
    println!(
        "{asked} expressions, ours in {place}, {failing} of them failing on both sides or one, {empty} empty, {chance} answered otherwise when asked again, {explained} explained, {told} told otherwise; {different} differences"
    );
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
