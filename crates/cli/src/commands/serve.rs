//! `pilothouse serve`
//!
//! Out:    on standard output the address and, at the first start, the one-time sign-in link; everything else is told on
//!         standard error.

mod host_agent;
mod retention;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ph_model::ErrorKind;
use ph_server::{Clock, Listen, Running, Server, ServerConfig};
use ph_store::Durability;
use url::Url;

use crate::failure::{Failure, Outcome, code, with_causes};
use crate::{local, out, runtime};

/// How long a stop waits for open requests.
const DRAIN: Duration = Duration::from_secs(10);

/// Run the server: web interface, API, intake of telemetry, door for agents.
///
/// Everything is in one process and one data directory. With https it serves a certificate of its own authority, made at the
/// first start; plain http is possible on loopback alone. The first start prints a link that signs the owner in, once.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse serve --listen http://127.0.0.1:8000 --with-host-agent\n  pilothouse serve --listen https://0.0.0.0:443 --public-url https://ops.example.org --data /var/lib/pilothouse"
)]
pub struct Args {
    /// Address to listen on, `https://ADDRESS:PORT`, or `http://` on loopback. Repeatable.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://127.0.0.1:8000",
        env = "PILOTHOUSE_LISTEN",
        value_delimiter = ','
    )]
    listen: Vec<Listen>,
    /// What agents dial and links name. Default: the first --listen address.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_PUBLIC_URL")]
    public_url: Option<Url>,
    /// State, telemetry, keys and certificates. Default: $XDG_DATA_HOME/pilothouse.
    #[arg(long, value_name = "DIR", env = "PILOTHOUSE_DATA")]
    data: Option<PathBuf>,
    /// The server's own metrics, for Prometheus.
    #[arg(long, value_name = "ADDRESS|off", default_value = "127.0.0.1:8888", env = "PILOTHOUSE_METRICS")]
    metrics: Door,
    /// `/livez` and `/readyz` for probes.
    #[arg(long, value_name = "ADDRESS|off", default_value = "127.0.0.1:13133", env = "PILOTHOUSE_PROBES")]
    probes: Door,
    /// When telemetry is acknowledged: `sync`, once the disk has it, which outlives a power cut; a span such as `100ms`, synced that
    /// often, so that a power cut loses at most so much; `os`, once it is written, which outlives the process alone.
    #[arg(long, value_name = "sync|SPAN|os", default_value = "sync", env = "PILOTHOUSE_DURABILITY", value_parser = durability)]
    durability: Durability,
    /// Once, after the server refused to start because its telemetry log is damaged: go on behind the damage and report what is
    /// left out.
    #[arg(long)]
    repair: bool,
    /// A further address that takes telemetry of other programs and nothing else, `https://ADDRESS:PORT`, or `http://` on
    /// loopback; repeatable. OpenTelemetry's own ports are 4317 (gRPC) and 4318 (HTTP). The --listen addresses take it too.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_INTAKE", value_delimiter = ',')]
    intake: Vec<Listen>,
    /// A further address that answers Jaeger's query API below `/api`, as a Jaeger does, and nothing else, `https://ADDRESS:PORT`, or
    /// `http://` on loopback; repeatable. Jaeger's own port is 16686. The --listen addresses have it below `/jaeger/api`.
    #[arg(long, value_name = "URL", env = "PILOTHOUSE_JAEGER", value_delimiter = ',')]
    jaeger: Vec<Listen>,
    /// Origin of pages that may send OTLP over HTTP from a browser, with a key, such as `https://shop.example.org`; repeatable. Default:
    /// none may.
    #[arg(long, value_name = "ORIGIN", env = "PILOTHOUSE_CORS_ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<String>,
    /// Series that an organisation may have active; new ones beyond are refused, known ones go on. 0: no limit.
    #[arg(long, value_name = "N", default_value_t = 2_000_000, env = "PILOTHOUSE_ACTIVE_SERIES")]
    active_series: u64,
    /// Samples that an organisation may send a second, on average; ten seconds' worth at once. 0: no limit.
    #[arg(long, value_name = "N", default_value_t = 200_000, env = "PILOTHOUSE_SAMPLES_PER_SECOND")]
    samples_per_second: u64,
    /// Bytes of log records, events and spans that an organisation may send a second, with some hundred for each beside its text;
    /// ten seconds' worth at once. 0: no limit.
    #[arg(long, value_name = "BYTES", default_value_t = 64_000_000, env = "PILOTHOUSE_ROW_BYTES_PER_SECOND")]
    row_bytes_per_second: u64,
    /// How long telemetry is kept, in whole days by signal; `5m` and `1h` are roll-ups of metrics, which answer what is older than the
    /// metrics themselves. What is not named keeps its default.
    #[arg(long, value_name = "NAME=DAYS,…", default_value = retention::DEFAULT, env = "PILOTHOUSE_RETENTION")]
    retention: retention::Kept,
    /// Most bytes on the disk that all telemetry may have; above it the oldest days go first, and an event says so. 0: no cap but the
    /// disk, of which 5 % (at most 20 GiB, at least 2) are left free by refusing intake.
    #[arg(long, value_name = "BYTES", default_value_t = 0, env = "PILOTHOUSE_DISK_CAP_BYTES")]
    disk_cap_bytes: u64,
    /// Bytes of memory in which steps of range queries are kept for the next who asks. 0: none are kept.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, env = "PILOTHOUSE_RANGE_CACHE_BYTES")]
    range_cache_bytes: usize,
    /// Also measure this machine, as the first source: an agent within this process, over the real link.
    #[arg(long, env = "PILOTHOUSE_WITH_HOST_AGENT")]
    with_host_agent: bool,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Door(Option<SocketAddr>);

impl std::str::FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let text = text.replace("localhost:", "127.0.0.1:");
        let addr = text.strip_prefix(':').map_or_else(|| text.clone(), |port| format!("0.0.0.0:{port}"));
        addr.parse()
            .map(|a| Self(Some(a)))
            .map_err(|_| "give ADDRESS:PORT, for example 127.0.0.1:8888, or off".into())
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "sync" => Ok(Durability::Sync),
        "os" => Ok(Durability::Os),
        span => {
            let span: jiff::SignedDuration =
                span.parse().map_err(|_| "give sync, os, or a span such as 100ms".to_owned())?;
            let span = Duration::try_from(span).map_err(|_| "a span lies in the future".to_owned())?;
            // Longer than this is `os` under another name; shorter is `sync` with more work.
            if !(Duration::from_millis(1)..=Duration::from_secs(60)).contains(&span) {
                return Err("a span is 1ms to 60s".to_owned());
            }
            Ok(Durability::Interval(span))
        }
    }
}

pub async fn run(args: Args) -> Outcome {
    let data = local::data_dir(args.data.as_deref())?;
    let limit = |n: u64| (n > 0).then_some(n);
    let limits = ph_store::Limits {
        active_series: limit(args.active_series),
        samples_per_second: limit(args.samples_per_second),
        bytes_per_second: limit(args.row_bytes_per_second),
        ..ph_store::Limits::default()
    };
    let config = ServerConfig {
        listen: args.listen,
        public_url: args.public_url,
        metrics: args.metrics.0,
        probes: args.probes.0,
        durability: args.durability,
        repair: args.repair,
        intake: args.intake,
        jaeger: args.jaeger,
        cors_origins: args.cors_origin,
        limits,
        retention: args.retention.retention,
        rollups: args.retention.rollups,
        disk_cap_bytes: limit(args.disk_cap_bytes),
        range_cache_bytes: args.range_cache_bytes,
        ..ServerConfig::new(data)
    };
    let stop = runtime::stop_on_signals()?;
    let running = Server::start(config, Clock::system()).await.map_err(|e| {
        let exit = if e.kind() == ErrorKind::Invalid { code::USAGE } else { code::FAILED };
        Failure::new(exit, with_causes(&e))
    })?;
    announce(&running)?;
    let agent = if args.with_host_agent { host_agent::start(&running).await } else { None };
    stop.cancelled().await;
    if let Some(agent) = agent {
        agent.end().await;
    }
    if running.stop(DRAIN).await {
        return Ok(());
    }
    Err(Failure::failed("some requests did not end within 10 s and were cut; nothing acknowledged is lost"))
}

fn announce(running: &Running) -> Outcome {
    for warning in &running.warnings {
        eprintln!("warning: {warning}");
    }
    let mut out = out::stdout();
    writeln!(out, "Pilothouse {} at {}", env!("CARGO_PKG_VERSION"), running.public_url)?;
    match &running.sign_in_link {
        Some(link) => writeln!(out, "Sign in, once, within 30 minutes: {}", link.expose())?,
        None => writeln!(
            out,
            "A new sign-in link: pilothouse sign-in-link --data {}",
            running.app.config.data.display()
        )?,
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_is_a_word_or_a_span() {
        assert_eq!(durability("sync"), Ok(Durability::Sync));
        assert_eq!(durability("os"), Ok(Durability::Os));
        assert_eq!(durability("100ms"), Ok(Durability::Interval(Duration::from_millis(100))));
        assert!(durability("never").is_err() && durability("-1s").is_err() && durability("1h").is_err());
    }

    #[test]
    fn doors_are_addresses_or_off() {
        let door = |text: &str| text.parse::<Door>().map(|d| d.0.map(|a| a.to_string()));
        assert_eq!(door("off"), Ok(None));
        assert_eq!(door(":8888"), Ok(Some("0.0.0.0:8888".into())));
        assert_eq!(door("localhost:8888"), Ok(Some("127.0.0.1:8888".into())));
        assert!(door("8888").is_err());
    }
}
