//! `pilothouse agent list|revoke`

use std::io::Write;

use ph_api::Agent;

use crate::api::{Api, Connection, List, segment};
use crate::failure::Outcome;
use crate::table::Table;
use crate::{out, when};

/// List agents, revoke one.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    List(ListArgs),
    Revoke(Revoke),
}

/// List agents with what does not work and how to mend it.
#[derive(clap::Args, Debug)]
pub struct ListArgs {
    /// Only agents of this cluster, by name or id.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
    #[command(flatten)]
    connection: Connection,
}

/// Revoke an agent: its link, its terminals and its streams are cut within 5 s, and it must enrol anew.
#[derive(clap::Args, Debug)]
pub struct Revoke {
    /// The agent's id, as `agent list` prints it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    connection: Connection,
}

pub async fn run(command: Command) -> Outcome {
    match command {
        Command::List(args) => {
            let api = args.connection.open().await?;
            let outcome = list(&api, &args).await;
            api.close().await;
            outcome
        }
        Command::Revoke(args) => {
            let api = args.connection.open().await?;
            let outcome = api.delete(&format!("agents/{}", segment(&args.id))).await.map(drop);
            api.close().await;
            outcome?;
            eprintln!("agent {} is revoked; a new join token lets its machine enrol again", args.id);
            Ok(())
        }
    }
}

async fn list(api: &Api, args: &ListArgs) -> Outcome {
    let mut agents = api.get::<List<Agent>>("agents").await?.into_items();
    if let Some(cluster) = &args.cluster {
        agents.retain(|a| a.cluster == *cluster || a.cluster_id.to_string() == *cluster);
    }
    if args.output == out::Format::Json {
        return out::json(&agents);
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut table =
        Table::new(&["ID", "CLUSTER", "KIND", "NODE", "STATUS", "VERSION", "PING", "RSS", "QUEUE", "SEEN"]);
    for a in &agents {
        let mib =
            |bytes: u64| if bytes == 0 { String::new() } else { format!("{} MiB", bytes.div_ceil(1 << 20)) };
        table.row([
            a.id.to_string(),
            a.cluster.clone(),
            a.kind.clone(),
            a.node.clone(),
            a.status.clone(),
            a.version.clone(),
            a.ping_ms.map_or_else(String::new, |ms| format!("{ms:.0} ms")),
            mib(a.rss_bytes),
            mib(a.queue_bytes),
            a.last_seen_ms.map_or_else(String::new, |t| when::age(t, now)),
        ]);
    }
    let mut out = out::stdout();
    table.write(&mut out)?;
    for a in agents.iter().filter(|a| a.status != "revoked") {
        let who = if a.node.is_empty() { a.cluster.clone() } else { format!("{}/{}", a.cluster, a.node) };
        for s in a.sources.iter().filter(|s| !s.last_error.is_empty()) {
            let fix = if s.fix.is_empty() { String::new() } else { format!("; {}", s.fix) };
            writeln!(out, "{who}: {}: {}{fix}", s.name, s.last_error)?;
        }
        for warning in &a.warnings {
            writeln!(out, "{who}: {warning}")?;
        }
    }
    out.flush()?;
    Ok(())
}
