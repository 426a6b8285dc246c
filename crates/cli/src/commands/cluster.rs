//! `pilothouse cluster join|list|remove`

use std::io::Write;

use ph_api::{Cluster, ClusterJoin, ClusterJoining, ClusterRemoved};

use crate::api::{Api, Connection, List, segment};
use crate::failure::Outcome;
use crate::table::Table;
use crate::{out, when};

/// Connect clusters and hosts, list them, remove them.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Join(Join),
    List(ListArgs),
    Remove(Remove),
}

/// Register a cluster and print the manifests of its agents.
///
/// The manifests go to standard output, words to standard error. The join token in them works once and for 15 minutes.
/// For hosts the output is the token and, behind it, the authority's certificate: the input of `pilothouse host join`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse cluster join prod | kubectl apply -f -\n  pilothouse cluster join prod --tier debug | kubectl --context prod apply -f -\n  pilothouse cluster join web-7 --kind docker | ssh web-7 pilothouse host join --docker https://ops.example.org"
)]
pub struct Join {
    /// Name that the cluster has here: 1 to 63 of a-z, 0-9 and `-`.
    name: String,
    /// What is joined.
    #[arg(long, default_value = "kubernetes", value_parser = ["kubernetes", "docker", "host"])]
    kind: String,
    /// Highest tier that the agents allow: `observe` reads, `debug` may also run commands in containers.
    #[arg(long, default_value = "observe", value_parser = ["observe", "debug"])]
    tier: String,
    /// Image of the agents. Default: the one of the server's version.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Whether secrets in log lines are always masked at the node. With `off` people who ask for it see lines as they are; bots do
    /// not. It is the cluster's own setting: apply the manifests again to change it.
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = ["on", "off"])]
    log_redaction: String,
    #[command(flatten)]
    connection: Connection,
}

/// List clusters and hosts.
#[derive(clap::Args, Debug)]
pub struct ListArgs {
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
    #[command(flatten)]
    connection: Connection,
}

/// Remove a cluster or host: its agents are cut off at once.
///
/// Prints the command that deletes what is left in the cluster. What it sent stays until its retention ends.
#[derive(clap::Args, Debug)]
pub struct Remove {
    /// Name or id.
    name: String,
    #[command(flatten)]
    connection: Connection,
}

pub async fn run(command: Command) -> Outcome {
    let connection = match &command {
        Command::Join(a) => &a.connection,
        Command::List(a) => &a.connection,
        Command::Remove(a) => &a.connection,
    };
    let api = connection.open().await?;
    let outcome = match command {
        Command::Join(args) => join(&api, args).await,
        Command::List(args) => list(&api, &args).await,
        Command::Remove(args) => remove(&api, &args).await,
    };
    api.close().await;
    outcome
}

async fn join(api: &Api, args: Join) -> Outcome {
    let kubernetes = args.kind == "kubernetes";
    let ask = ClusterJoin {
        name: args.name,
        kind: args.kind,
        tier: args.tier,
        image: args.image,
        log_redaction: args.log_redaction,
    };
    let joining: ClusterJoining = api.post("clusters", &ask).await?;
    let mut out = out::stdout();
    if kubernetes {
        out.write_all(joining.manifests.as_bytes())?;
    } else {
        // What the command would feed to its standard input: the lines between the here-document's marks.
        let fed = joining.command.lines().skip(1).filter(|l| *l != "PILOTHOUSE");
        for line in fed {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    let minutes =
        (joining.expires_ms - jiff::Timestamp::now().as_millisecond()).max(0).unsigned_abs().div_ceil(60_000);
    let name = &joining.cluster.name;
    if kubernetes {
        eprintln!(
            "{name} is registered, tier {}. Give the manifests to kubectl apply -f - within {minutes} min; the token in them works once.",
            joining.cluster.tier
        );
    } else {
        eprintln!(
            "{name} is registered. Give this to `pilothouse host join` on the host within {minutes} min; the token works once."
        );
    }
    Ok(())
}

async fn list(api: &Api, args: &ListArgs) -> Outcome {
    let clusters = api.get::<List<Cluster>>("clusters").await?.into_items();
    if args.output == out::Format::Json {
        return out::json(&clusters);
    }
    if clusters.is_empty() {
        eprintln!("no cluster is connected; next: pilothouse cluster join NAME | kubectl apply -f -");
        return Ok(());
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut table = Table::new(&[
        "NAME", "KIND", "STATUS", "STATE", "NODES", "PODS", "AGENTS", "TIER", "PLATFORM", "SEEN",
    ]);
    for c in clusters {
        let of = |have: u32, all: u32| if all == 0 { String::new() } else { format!("{have}/{all}") };
        table.row([
            c.name,
            c.kind,
            c.status,
            c.state,
            of(c.nodes_ready, c.nodes),
            of(c.pods_ready, c.pods),
            of(c.agents_connected, c.agents),
            c.tier,
            c.platform,
            c.last_seen_ms.map_or_else(String::new, |t| when::age(t, now)),
        ]);
    }
    let mut out = out::stdout();
    table.write(&mut out)?;
    out.flush()?;
    Ok(())
}

async fn remove(api: &Api, args: &Remove) -> Outcome {
    let answer = api.delete(&format!("clusters/{}", segment(&args.name))).await?;
    let removed: ClusterRemoved = api.answer(answer).await?;
    eprintln!(
        "{} is removed, {} agents are cut off. To delete what is left there, run:",
        args.name, removed.revoked_agents
    );
    let mut out = out::stdout();
    writeln!(out, "{}", removed.command)?;
    out.flush()?;
    Ok(())
}
