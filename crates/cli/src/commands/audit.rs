//! `pilothouse audit [verify]`

use std::io::Write;

use ph_api::{AuditQuery, AuditRow, AuditVerified, Page};

use crate::api::{Api, Connection};
use crate::failure::{Failure, Outcome, code};
use crate::table::Table;
use crate::{out, when};

/// Rows of one page.
const PAGE: u32 = 1000;

/// Show who did what; verify that nothing was changed.
///
/// Prints the rows oldest first. Reading the audit chain is itself recorded.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  pilothouse audit --since 1d --action exec\n  pilothouse audit --actor user:ann@example.org -o json\n  pilothouse audit verify"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Verify(Verify),
}

/// Walk the whole chain; exit 1 when a row does not fit.
#[derive(clap::Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    connection: Connection,
}

#[derive(clap::Args, Debug)]
pub struct ListArgs {
    /// From when on: `3h`, `1d`, `2026-11-21`, RFC 3339 …
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Who acted: `user:ADDRESS`, `key:NAME`, `agent:ID`.
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// What was done, by its beginning: `exec`, `sign_in`, `cluster.join` …
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// On which cluster.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only what was allowed, or denied.
    #[arg(long, value_parser = ["allow", "deny"])]
    decision: Option<String>,
    /// At most so many rows, the newest. Without --since 50, with it all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
    #[command(flatten)]
    connection: Connection,
}

pub async fn run(args: Args) -> Outcome {
    match args.command {
        Some(Command::Verify(verify)) => {
            let api = verify.connection.open().await?;
            let checked = api.get::<AuditVerified>("audit/verify").await;
            api.close().await;
            say(&checked?)
        }
        None => {
            let api = args.list.connection.open().await?;
            let rows = rows(&api, &args.list).await;
            api.close().await;
            print(&rows?, args.list.output)
        }
    }
}

fn say(checked: &AuditVerified) -> Outcome {
    if !checked.intact {
        let at = checked.broken_at.map_or_else(|| "somewhere".to_owned(), |seq| format!("at row {seq}"));
        return Err(Failure::failed(format!("the audit chain is broken {at}: {}", checked.reason))
            .next("keep the data directory as it is and compare it with a backup"));
    }
    let mut out = out::stdout();
    writeln!(out, "intact: {} rows, newest {} {}", checked.rows, checked.head_seq, checked.head_hash)?;
    out.flush()?;
    Ok(())
}

async fn rows(api: &Api, args: &ListArgs) -> Result<Vec<AuditRow>, Failure> {
    let now = when::now();
    let at = |flag: &str, text: &Option<String>| {
        text.as_deref()
            .map(|t| when::instant(t, &now).map(|t| t.as_millisecond()))
            .transpose()
            .map_err(|e| Failure::new(code::USAGE, format!("--{flag}: {e}")))
    };
    let (from, to) = (at("since", &args.since)?, at("until", &args.until)?);
    let wanted = args.limit.unwrap_or(if from.is_some() { u32::MAX } else { 50 }) as usize;
    let mut query = AuditQuery {
        actor: args.actor.clone(),
        action: args.action.clone(),
        cluster: args.cluster.clone(),
        decision: args.decision.clone(),
        from,
        to,
        ..AuditQuery::default()
    };
    let mut rows: Vec<AuditRow> = Vec::new();
    loop {
        query.limit = Some(u32::try_from(wanted - rows.len()).unwrap_or(PAGE).min(PAGE));
        let page: Page<AuditRow> = api.list("audit", &query).await?;
        rows.extend(page.items);
        match page.next {
            Some(next) if rows.len() < wanted => query.cursor = Some(next),
            _ => break,
        }
    }
    rows.reverse();
    Ok(rows)
}

fn print(rows: &[AuditRow], format: out::Format) -> Outcome {
    if format == out::Format::Json {
        return out::json(&rows);
    }
    let mut table = Table::new(&[
        "SEQ",
        "TIME (UTC)",
        "ACTOR",
        "VIA",
        "ACTION",
        "CLUSTER",
        "OBJECT",
        "DECISION",
        "STATE",
        "IP",
    ]);
    for r in rows {
        table.row([
            r.seq.to_string(),
            when::stamp(r.at_ms),
            r.actor.clone(),
            r.client.clone(),
            r.action.clone(),
            r.cluster.clone(),
            r.object.clone(),
            r.decision.clone(),
            r.state.clone(),
            r.ip.clone(),
        ]);
    }
    let mut out = out::stdout();
    table.write(&mut out)?;
    out.flush()?;
    Ok(())
}
