//! Asks a Prometheus and our own evaluation over our own store the same random expressions; prints every difference.
//!
//! In:     the Go module of Prometheus, built once into a cache outside the repository.
//! Out:    differences, the number of expressions; exit 1 when one differs.
//! Never:  part of `make test`: the first run builds for minutes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The release that answers are compared with.
const MODULE: &str = "github.com/prometheus/prometheus";
const VERSION: &str = "v0.315.0";
/// What the module replaces itself; a module that requires it has to say so too.
const REPLACE: &str = "cloud.google.com/go => cloud.google.com/go v0.123.0";
const FEATURES: &str = "promql-experimental-functions,promql-duration-expr,promql-binop-fill-modifiers,promql-extended-range-selectors";

/// The feature that drops names of metrics at the end.
const LATE: &str = ",promql-delayed-name-removal";

#[derive(clap::Args)]
pub struct Args {
    /// How many expressions.
    #[arg(long, default_value_t = 20_000)]
    count: u64,
    /// Other numbers make other expressions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where our samples lie: in the evaluation's memory, or in the store before and after it made blocks and merged them.
    #[arg(long, value_enum, default_value_t = Place::Memory)]
    on: Place,
    /// Ask the expressions of this file, one a line, instead of random ones; errors are then compared word by word.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Only ask which texts are expressions: random ones with words taken away, put in or put elsewhere.
    #[arg(long)]
    parse: bool,
    /// Drop names of metrics when all is evaluated, on both sides.
    #[arg(long)]
    late: bool,
    /// A program to ask instead of building one.
    #[arg(long, value_name = "PATH")]
    prometheus: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Place {
    Memory,
    Head,
    Flush,
    Compacted,
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Place::Memory => "memory",
            Place::Head => "head",
            Place::Flush => "flush",
            Place::Compacted => "compacted",
        }
    }
}

pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    let program = match &args.prometheus {
        Some(path) => path.clone(),
        None => built()?,
    };
    let dir = tempfile::tempdir().context("make a directory for the rival's data")?;
    let features = format!("{FEATURES}{}", if args.late { LATE } else { "" });
    let mut rival = Rival::start(&program, dir.path(), &features)?;
    rival.wait()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "-p", "ph-store", "--example", "promdiff", "--"])
        .arg(rival.address.to_string())
        .arg(match &args.list {
            Some(file) => format!("@{}", file.display()),
            None if args.parse => format!("?{}", args.count),
            None => args.count.to_string(),
        })
        .args([args.seed.to_string(), args.on.word().to_owned()])
        .args(args.late.then_some("late"))
        .current_dir(root)
        .status()
        .context("run the comparison")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The program, in the cache under its version; built there when it is not.
fn built() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("pilothouse/promdiff");
    let program = cache.join(format!("prometheus-{VERSION}"));
    if program.exists() {
        return Ok(program);
    }
    let source = cache.join(format!("source-{VERSION}"));
    std::fs::create_dir_all(&source).with_context(|| format!("make {}", source.display()))?;
    std::fs::write(
        source.join("go.mod"),
        format!("module rival\n\ngo 1.26.0\n\nrequire {MODULE} {VERSION}\n\nreplace {REPLACE}\n"),
    )?;
    std::fs::write(source.join("rival.go"), format!("package rival\n\nimport _ \"{MODULE}/promql\"\n"))?;
    let unfinished = program.with_extension("unfinished");
    eprintln!("building Prometheus {VERSION} into {}: some minutes, once", cache.display());
    let target = format!("{MODULE}/cmd/prometheus");
    let out = unfinished.to_string_lossy().into_owned();
    let status = Command::new("go")
        .args(["build", "-mod=mod", "-buildvcs=false", "-o", &out, &target])
        .current_dir(&source)
        .status()
        .context("run go: it has to be installed, version 1.26 or newer")?;
    ensure!(status.success(), "go could not build {target}; its output is above");
    std::fs::rename(&unfinished, &program)?;
    Ok(program)
}

struct Rival {
    process: Child,
    address: SocketAddr,
}

impl Rival {
    fn start(program: &Path, dir: &Path, features: &str) -> Result<Self> {
        // The port is free now; should another take it at once, the start below says so.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = dir.join("prometheus.yml");
        std::fs::write(&config, "storage:\n  tsdb:\n    out_of_order_time_window: 6h\n")?;
        let process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--enable-feature={features}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { process, address })
    }

    fn wait(&mut self) -> Result<()> {
        for _ in 0..300 {
            if let Some(status) = self.process.try_wait()? {
                bail!("Prometheus ended at once: {status}; its output is above");
            }
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("Prometheus does not listen on {} after 30 s", self.address)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
