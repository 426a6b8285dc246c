//! What is measured: a server as a process of its own, on two cores, fresh or with the data it had.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fault;
use crate::http::Client;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(300);
/// Clock ticks of `/proc/PID/stat`.
const TICKS: f64 = 100.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pilothouse,
    Prometheus,
    Victoria,
}

/// A program that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    pub kind: Kind,
    pub path: PathBuf,
}

/// How `serve` is run: peers know nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// How many times as fast its clock runs; 0 and 1: as fast as ours.
    pub pace: u32,
    /// Where it tells its own metrics.
    pub metrics: Option<SocketAddr>,
    /// Flags; empty: those of `BENCH_SERVE`, or no limit of a rate, so that the machine is the limit.
    pub flags: &'static str,
}

impl Clock {
    fn fast(&self) -> bool {
        self.pace > 1
    }
}

pub struct Subject {
    pub program: Program,
    clock: Clock,
    dir: PathBuf,
    addr: SocketAddr,
    process: Child,
    /// Header lines for questions and for writes.
    asks: String,
    writes: String,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_s: f64,
    pub rss: u64,
    pub peak: u64,
}

impl Program {
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Pilothouse => "pilothouse",
            Kind::Prometheus => "prometheus",
            Kind::Victoria => "victoria-metrics",
        }
    }

    fn command(&self, dir: &Path, addr: SocketAddr, clock: &Clock) -> std::io::Result<Command> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0,1"]).arg(&self.path);
        match self.kind {
            Kind::Pilothouse => {
                let usual =
                    || std::env::var("BENCH_SERVE").unwrap_or_else(|_| "--samples-per-second 0".to_owned());
                let flags = if clock.flags.is_empty() { usual() } else { clock.flags.to_owned() };
                let metrics = clock.metrics.map_or_else(|| "off".to_owned(), |addr| addr.to_string());
                command
                    .args(["serve", "--metrics", &metrics, "--probes", "off"])
                    .args(flags.split_whitespace());
                if clock.fast() {
                    // Waits stay as they are: a timer that is due in a minute is due in a minute of ours.
                    command.env("LD_PRELOAD", faketime()?).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                    command.env("FAKETIME", format!("+0 x{}", clock.pace));
                }
                command.arg("--data").arg(dir.join("data"));
                command.arg("--listen").arg(format!("http://{addr}"));
                command.stdout(fs::File::create(dir.join("out"))?);
                command.stderr(fs::File::create(dir.join("err"))?);
            }
            Kind::Prometheus => {
                fs::write(dir.join("prometheus.yml"), "")?;
                command.arg(format!("--config.file={}", dir.join("prometheus.yml").display()));
                command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
                command.arg(format!("--web.listen-address={addr}"));
                command.args(["--web.enable-remote-write-receiver", "--log.level=error"]);
                command.stdout(Stdio::null());
            }
            Kind::Victoria => {
                command.arg(format!("-storageDataPath={}", dir.join("data").display()));
                command.arg(format!("-httpListenAddr={addr}"));
                command.args(["-retentionPeriod=100y", "-search.latencyOffset=0s", "-loggerLevel=ERROR"]);
                command.args(["-search.disableCache", "-dedup.minScrapeInterval=0"]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        Ok(command)
    }
}

/// The library that makes a program's clock run faster. Errors: it is not installed.
fn faketime() -> std::io::Result<PathBuf> {
    let places = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = places.map(|e| e.path().join("faketime/libfaketime.so.1")).filter(|p| p.exists());
    found.next().ok_or_else(|| {
        std::io::Error::other(
            "libfaketime.so.1 is not below /usr/lib: install libfaketime (apt-get install faketime)",
        )
    })
}

impl Subject {
    /// Starts a server in an empty directory.
    pub fn start(program: &Program, dir: PathBuf) -> Result<Self, Fault> {
        Self::start_with(program, dir, Clock::default())
    }

    pub fn start_with(program: &Program, dir: PathBuf, clock: Clock) -> Result<Self, Fault> {
        fs::create_dir_all(&dir)?;
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = program.command(&dir, addr, &clock)?.spawn()?;
        let mut this = Self {
            program: program.clone(),
            clock,
            dir,
            addr,
            process,
            asks: String::new(),
            writes: String::new(),
        };
        this.writes = "content-type: application/x-protobuf\r\ncontent-encoding: snappy\r\n\
                       x-prometheus-remote-write-version: 0.1.0\r\n"
            .to_owned();
        if program.kind == Kind::Pilothouse {
            this.sign_in()?;
        }
        this.wait()?;
        Ok(this)
    }

    fn sign_in(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let token = loop {
            let out = fs::read_to_string(self.dir.join("out"))?;
            if let Some((_, rest)) = out.split_once("#token=") {
                break rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
            self.alive(began)?;
        };
        let json = "content-type: application/json\r\nsec-fetch-site: same-origin\r\n";
        let mut client = Client::new(self.addr, "");
        let link = loop {
            match client.post("/api/v1/auth/link", json, format!("{{\"token\":\"{token}\"}}").as_bytes()) {
                Ok(answer) => break answer,
                Err(_) => self.alive(began)?,
            }
        };
        let cookie = link.cookies.join("; ");
        self.asks = format!("cookie: {cookie}\r\nsec-fetch-site: same-origin\r\n");
        let key = self.key(&mut client, "ingest")?;
        self.writes.push_str(&key);
        if self.clock.fast() {
            // A session would end with the day.
            self.asks = self.key(&mut client, "viewer")?;
        }
        Ok(())
    }

    /// A header with a new key of a role.
    fn key(&self, client: &mut Client, role: &str) -> Result<String, Fault> {
        let ask = format!("{{\"name\":\"bench-{role}\",\"role\":\"{role}\"}}");
        let headers = format!("{}content-type: application/json\r\n", self.asks);
        let made = client.post("/api/v1/keys", &headers, ask.as_bytes())?;
        let made: serde_json::Value = serde_json::from_slice(&made.body)?;
        let secret = made.get("secret").and_then(|s| s.as_str()).ok_or("no key was made")?;
        Ok(format!("authorization: Bearer {secret}\r\n"))
    }

    fn alive(&mut self, began: Instant) -> Result<(), Fault> {
        if let Some(status) = self.process.try_wait()? {
            let said = fs::File::open(self.dir.join("err")).map(BufReader::new);
            let said: Vec<String> = said.into_iter().flat_map(|f| f.lines().map_while(Result::ok)).collect();
            return Err(format!("{} ended: {status}\n{}", self.program.name(), said.join("\n")).into());
        }
        if began.elapsed() > START {
            return Err(format!("{} does not answer", self.program.name()).into());
        }
        std::thread::sleep(Duration::from_millis(2));
        Ok(())
    }

    /// Waits until it answers questions.
    fn wait(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let mut client = self.asker();
        loop {
            let path = format!("{}/query?query=1", self.base());
            if client.get(&path).is_ok_and(|a| a.status == 200) {
                return Ok(());
            }
            self.alive(began)?;
        }
    }

    fn base(&self) -> &'static str {
        if self.program.kind == Kind::Pilothouse { "/prometheus/api/v1" } else { "/api/v1" }
    }

    pub fn asker(&self) -> Client {
        Client::new(self.addr, &self.asks)
    }

    pub fn writer(&self) -> Client {
        Client::new(self.addr, &self.writes)
    }

    /// A client that sends OTLP.
    pub fn sender(&self) -> Client {
        let key = self.writes.lines().find(|l| l.starts_with("authorization")).unwrap_or_default();
        Client::new(self.addr, &format!("content-type: application/x-protobuf\r\n{key}\r\n"))
    }

    /// Sends one body until it is acknowledged. Errors: a refusal that is not for now only.
    pub fn push(&self, client: &mut Client, path: &str, body: &[u8]) -> Result<(), Fault> {
        loop {
            let answer = client.post(path, "", body)?;
            match answer.status {
                200..=299 => return Ok(()),
                429 | 503 => std::thread::sleep(Duration::from_millis(20)),
                status => {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    return Err(format!("{} refuses {path}: {status} {text}", self.program.name()).into());
                }
            }
        }
    }

    /// The `result` of a query; a refusal for its rate is waited out and not measured. Gives the time it took.
    pub fn query(&self, client: &mut Client, ask: &str) -> Result<(serde_json::Value, Duration), Fault> {
        let (json, took) = self.timed(client, &format!("{}/{ask}", self.base()))?;
        Ok((json.pointer("/data/result").cloned().ok_or("an answer without result")?, took))
    }

    /// The answer of a path, as JSON.
    pub fn ask(&self, client: &mut Client, path: &str) -> Result<serde_json::Value, Fault> {
        self.timed(client, path).map(|(json, _)| json)
    }

    fn timed(&self, client: &mut Client, path: &str) -> Result<(serde_json::Value, Duration), Fault> {
        loop {
            let began = Instant::now();
            let answer = client.get(path)?;
            let took = began.elapsed();
            if answer.status == 429 {
                std::thread::sleep(Duration::from_millis(500));
                continue;
            }
            let json: serde_json::Value = serde_json::from_slice(&answer.body)
                .map_err(|e| format!("{}: status {}: {e}", self.program.name(), answer.status))?;
            if answer.status != 200 {
                return Err(format!("{}: {path}: {json}", self.program.name()).into());
            }
            return Ok((json, took));
        }
    }

    /// Its own metrics, each summed over its labels.
    pub fn told(&self) -> Result<BTreeMap<String, f64>, Fault> {
        let addr = self.clock.metrics.ok_or("it was not started with metrics")?;
        let answer = Client::new(addr, "").get("/metrics")?;
        let mut told = BTreeMap::new();
        for line in String::from_utf8_lossy(&answer.body).lines().filter(|l| !l.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split('{').next().unwrap_or_default();
            *told.entry(name.to_owned()).or_insert(0.0) += value.parse().unwrap_or(0.0);
        }
        Ok(told)
    }

    pub fn open_files(&self) -> Result<usize, Fault> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }

    /// Bytes of the store's catalogue, with its log.
    pub fn catalogue(&self) -> u64 {
        let files = ["meta.db", "meta.db-wal"].map(|name| self.dir.join("data").join(name));
        files.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum()
    }

    pub fn usage(&self) -> Result<Usage, Fault> {
        let pid = self.process.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after: Vec<&str> = stat.rsplit_once(')').map_or("", |s| s.1).split_whitespace().collect();
        let ticks = |n: usize| after.get(n).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name));
            line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        Ok(Usage { cpu_s: (ticks(11) + ticks(12)) / TICKS, rss: kib("VmRSS:"), peak: kib("VmHWM:") })
    }

    /// Bytes under its directory.
    pub fn disk(&self) -> u64 {
        fn sum(dir: &Path) -> u64 {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            entries
                .map(|e| match e.metadata() {
                    Ok(m) if m.is_dir() => sum(&e.path()),
                    // What is only reserved is not used.
                    Ok(m) => std::os::unix::fs::MetadataExt::blocks(&m) * 512,
                    Err(_) => 0,
                })
                .sum()
        }
        sum(&self.dir)
    }

    /// Kills it without warning and starts it again; gives the time from there to the first right answer.
    pub fn crash_and_restart(&mut self, ask: &str, right: &serde_json::Value) -> Result<Duration, Fault> {
        self.process.kill()?;
        self.process.wait()?;
        let began = Instant::now();
        self.process = self.program.command(&self.dir, self.addr, &self.clock)?.spawn()?;
        let mut client = self.asker();
        loop {
            if let Ok((result, _)) = self.query(&mut client, ask)
                && result == *right
            {
                return Ok(began.elapsed());
            }
            self.alive(began)?;
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
