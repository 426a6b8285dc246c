//! `pilothouse ui`: the server on loopback over the user's own kubeconfig, with nothing installed in any cluster.
//!
//! In:     contexts of a kubeconfig; a private directory of the user's.
//! Out:    on standard output the address and a one-time sign-in link; the browser, where there is one.
//! Never:  listens beyond loopback; writes into a cluster; lets one cluster hinder another.

mod browser;
mod clusters;
mod contexts;
mod place;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use ph_model::ErrorKind;
use ph_server::{Clock, Listen, Running, Server, ServerConfig};
use ph_store::Durability;

use crate::failure::{Failure, Outcome, code, with_causes};
use crate::{local, out, runtime};
use clusters::Clusters;
use place::Place;

/// How long a stop waits for open requests.
const DRAIN: Duration = Duration::from_secs(10);
/// Telemetry here can be had again from the clusters: it need not be synced each time.
const SYNC: Duration = Duration::from_secs(1);
const PORT: u16 = 8020;

/// Look at the clusters of your kubeconfig in the browser, with nothing installed in them.
///
/// It starts a server on this machine's loopback alone, reads each chosen context with your own rights, and opens the browser by a
/// link that signs you in, once. Logs are read over the Kubernetes API: the live file and one run before. What you may not see
/// stays empty and is named once; a cluster that does not answer is shown with the cause. Ctrl-C ends it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse ui\n  pilothouse ui --context prod,staging\n  pilothouse ui --context '*' --no-open\n  pilothouse ui --kubeconfig ./team.yaml --namespace shop --temporary"
)]
pub struct Args {
    /// Default: $KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Contexts, each shown as a cluster; names may have `*` and `?`. Default: the current one.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    context: Vec<String>,
    /// Namespaces to look into besides the context's own, where you may not see the whole cluster.
    #[arg(short, long, value_name = "LIST", value_delimiter = ',')]
    namespace: Vec<String>,
    /// Port on 127.0.0.1; 0: any. Default: 8020, or any when it is taken.
    #[arg(long, value_name = "PORT", env = "PILOTHOUSE_UI_PORT")]
    port: Option<u16>,
    /// Print the link and do not open the browser.
    #[arg(long)]
    no_open: bool,
    /// Keep nothing: state lies in a temporary directory that is removed at the end.
    #[arg(long, conflicts_with = "data")]
    temporary: bool,
    /// Where state lies between two runs. Default: $XDG_STATE_HOME/pilothouse/ui.
    #[arg(long, value_name = "DIR", env = "PILOTHOUSE_UI_DATA")]
    data: Option<PathBuf>,
}

pub async fn run(args: Args) -> Outcome {
    let chosen = contexts::chosen(args.kubeconfig.as_deref(), &args.context)?;
    let place = Place::open(args.temporary, args.data.as_deref())?;
    let stop = runtime::stop_on_signals()?;
    let ended = with(&args, (&chosen, &place), stop).await;
    place.close();
    ended
}

async fn with(
    args: &Args,
    (chosen, place): (&contexts::Chosen, &Place),
    stop: tokio_util::sync::CancellationToken,
) -> Outcome {
    let running = start(args, place).await?;
    let clusters = match Clusters::start(&running, (chosen, place), args.into()).await {
        Ok(clusters) => clusters,
        Err(failure) => {
            running.stop(DRAIN).await;
            return Err(failure);
        }
    };
    let told = announce(args, &running, (chosen, place)).await;
    if told.is_ok() {
        stop.cancelled().await;
    }
    clusters.end().await;
    browser::forget(place.dir());
    let ended = running.stop(DRAIN).await;
    told?;
    if ended {
        return Ok(());
    }
    Err(Failure::failed("some requests did not end within 10 s and were cut"))
}

async fn start(args: &Args, place: &Place) -> Result<Running, Failure> {
    let config = ServerConfig {
        listen: vec![Listen::Http(local_addr(args.port)?)],
        metrics: None,
        probes: None,
        durability: Durability::Interval(SYNC),
        ..ServerConfig::new(place.dir())
    };
    Server::start(config, Clock::system()).await.map_err(|e| {
        let exit = if e.kind() == ErrorKind::Invalid { code::USAGE } else { code::FAILED };
        let failure = Failure::new(exit, with_causes(&e));
        match place.taken_by() {
            Some(url) => Failure::failed(format!("it runs already, at {url}")).next(format!(
                "open it there (`pilothouse sign-in-link --data {}` prints a link), or start another with --temporary",
                place.dir().display()
            )),
            None => failure,
        }
    })
}

/// The usual port unless it is taken; one that was asked for is not replaced.
fn local_addr(port: Option<u16>) -> Result<SocketAddr, Failure> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match (port, TcpListener::bind(at(port.unwrap_or(PORT)))) {
        (Some(port), Err(e)) => Err(Failure::failed(format!("port {port} of 127.0.0.1 cannot be had: {e}"))
            .next("choose another with --port, or leave it out")),
        (None, Err(_)) => Ok(at(0)),
        (port, Ok(_)) => Ok(at(port.unwrap_or(PORT))),
    }
}

async fn announce(args: &Args, running: &Running, (chosen, place): (&contexts::Chosen, &Place)) -> Outcome {
    for text in &chosen.notices {
        eprintln!("{text}");
    }
    for warning in &running.warnings {
        eprintln!("warning: {warning}");
    }
    let (token, _) = local::make_link(&running.app.state, None, running.app.clock.now_ms()).await?;
    // A link is made at each start: no password is asked for.
    let link = format!("{}&password=later", ph_server::auth::link_text(&running.public_url, &token));
    let mut out = out::stdout();
    writeln!(out, "Pilothouse {} at {}", env!("CARGO_PKG_VERSION"), running.public_url)?;
    writeln!(out, "Sign in, once, within 30 minutes: {link}")?;
    out.flush()?;
    if !args.no_open {
        browser::open(&link, place.dir());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_asked_for_is_not_replaced() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(local_addr(Some(port)).unwrap_err().text().contains(&port.to_string()));
        drop(held);
        assert_eq!(local_addr(Some(port)).unwrap().port(), port);
        assert!(local_addr(None).unwrap().ip().is_loopback());
    }
}
