//! `pilothouse key create|list|revoke`

use std::io::Write;

use ph_api::{ApiKey, ApiKeyCreated, ApiKeyNew, Cluster};
use ph_model::ClusterId;

use crate::api::{Api, Connection, List, segment};
use crate::failure::{Failure, Outcome};
use crate::table::Table;
use crate::{out, when};

/// Make, list and revoke API keys.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Create(Create),
    List(ListArgs),
    Revoke(Revoke),
}

/// Make an API key. Its text goes to standard output, once.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse key create ci --role viewer --days 30 > key.txt\n  pilothouse login https://ops.example.org --key-stdin < key.txt"
)]
pub struct Create {
    /// What the key is for.
    name: String,
    /// What it may do: owner, admin, operator, editor, viewer or auditor; at most what you may. Or ingest: it sends telemetry and may
    /// do nothing else.
    #[arg(long, default_value = "viewer")]
    role: String,
    /// Days until it expires, 1 to 365.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// For a program that decides by itself what it asks, such as an AI agent: smaller pages and budgets. Without it the key has the
    /// limits of a person.
    #[arg(long)]
    bot: bool,
    /// Id or name of a registered cluster: what the key sends is that cluster's. Without it, it is of no registered cluster.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// List the organisation's API keys.
#[derive(clap::Args, Debug)]
pub struct ListArgs {
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
    #[command(flatten)]
    connection: Connection,
}

/// Revoke an API key; what is open with it ends within 5 s.
#[derive(clap::Args, Debug)]
pub struct Revoke {
    /// The key's id, as `key list` prints it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    connection: Connection,
}

pub async fn run(command: Command) -> Outcome {
    match command {
        Command::Create(args) => create(args).await,
        Command::List(args) => list(&args).await,
        Command::Revoke(args) => {
            let api = args.connection.open().await?;
            let outcome = api.delete(&format!("keys/{}", segment(&args.id))).await.map(drop);
            api.close().await;
            outcome?;
            eprintln!("key {} is revoked", args.id);
            Ok(())
        }
    }
}

async fn create(args: Create) -> Outcome {
    let api = args.connection.open().await?;
    let made = post(&api, &args).await;
    api.close().await;
    let made = made?;
    let mut out = out::stdout();
    writeln!(out, "{}", made.secret)?;
    out.flush()?;
    eprintln!("key {} ({}), role {}; it is shown this once", made.key.name, made.key.id, made.key.role);
    Ok(())
}

async fn post(api: &Api, args: &Create) -> Result<ApiKeyCreated, Failure> {
    let cluster = match &args.cluster {
        Some(named) => Some(cluster(api, named).await?),
        None => None,
    };
    let ask = ApiKeyNew {
        name: args.name.clone(),
        role: args.role.clone(),
        expires_days: Some(args.days),
        bot: args.bot,
        cluster,
    };
    api.post("keys", &ask).await
}

async fn cluster(api: &Api, named: &str) -> Result<ClusterId, Failure> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let all = api.get::<List<Cluster>>("clusters").await?.into_items();
    let found = all.into_iter().find(|c| c.name == named).map(|c| c.id);
    found.ok_or_else(|| {
        Failure::failed(format!("no cluster is called {named}; `pilothouse cluster list` shows them"))
    })
}

async fn list(args: &ListArgs) -> Outcome {
    let api = args.connection.open().await?;
    let keys = api.get::<List<ApiKey>>("keys").await;
    api.close().await;
    let keys = keys?.into_items();
    if args.output == out::Format::Json {
        return out::json(&keys);
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut table = Table::new(&["ID", "NAME", "PREFIX", "ROLE", "FOR", "BY", "EXPIRES", "USED"]);
    for k in keys {
        table.row([
            k.id.to_string(),
            k.name,
            k.prefix,
            k.role,
            if k.bot { "bot".to_owned() } else { "person".to_owned() },
            k.created_by,
            k.expires_ms.map_or_else(|| "never".to_owned(), when::stamp),
            k.last_used_ms.map_or_else(String::new, |t| when::age(t, now)),
        ]);
    }
    let mut out = out::stdout();
    table.write(&mut out)?;
    out.flush()?;
    Ok(())
}
