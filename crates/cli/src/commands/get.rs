//! `pilothouse get KIND [NAME]`

mod columns;

use std::io::Write;

use ph_api::{Event, EventQuery, Object, ObjectQuery, Page};

use crate::api::{Api, Connection, segment};
use crate::failure::{Failure, Outcome, code};
use crate::table::Table;
use crate::{out, when};

/// Objects of one page.
const PAGE: u32 = 1000;

/// List objects of all clusters, or of some.
///
/// Kinds are those of the inventory, by their plural, singular or kubectl's short name: pods, nodes, deployments, replicasets,
/// statefulsets, daemonsets, jobs, cronjobs, services, persistentvolumeclaims …; also events, and for Docker hosts containers.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse get pods -n shop\n  pilothouse get deploy web -o json\n  pilothouse get nodes --cluster prod\n  pilothouse get pods --state crit -o name"
)]
pub struct Args {
    /// What to list.
    kind: String,
    /// Only the object of this name.
    name: Option<String>,
    /// Only these namespaces, comma-separated. Default: all.
    #[arg(short, long, value_name = "NAMESPACES", env = "PILOTHOUSE_NAMESPACE")]
    namespace: Option<String>,
    /// All namespaces, whatever PILOTHOUSE_NAMESPACE says.
    #[arg(short = 'A', long, overrides_with = "namespace")]
    all_namespaces: bool,
    /// Only these clusters, comma-separated names or ids. Default: all.
    #[arg(long, value_name = "CLUSTERS")]
    cluster: Option<String>,
    /// Only what is in these states: ok, move, warn, crit, unknown, comma-separated.
    #[arg(long, value_name = "STATES")]
    state: Option<String>,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// The API's own JSON.
    Json,
    /// `[CLUSTER@][NAMESPACE:]KIND/NAME`, as `logs` and `exec` take it.
    Name,
}

pub async fn run(args: Args) -> Outcome {
    let api = args.connection.open().await?;
    let outcome = match args.kind.as_str() {
        "event" | "events" | "ev" => events(&api, &args).await,
        _ => objects(&api, &args).await,
    };
    api.close().await;
    outcome
}

fn namespace(args: &Args) -> Option<String> {
    args.namespace.clone().filter(|_| !args.all_namespaces)
}

/// All pages; what a page says is missing goes to stderr.
pub async fn all_objects(api: &Api, kind: &str, mut query: ObjectQuery) -> Result<Vec<Object>, Failure> {
    query.limit = Some(PAGE);
    let mut objects: Vec<Object> = Vec::new();
    loop {
        let page: Page<Object> = api.list(&format!("objects/{}", segment(kind)), &query).await?;
        objects.extend(page.items);
        for text in page.incomplete {
            eprintln!("incomplete: {text}");
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(objects),
        }
    }
}

async fn objects(api: &Api, args: &Args) -> Outcome {
    let query = ObjectQuery {
        cluster: args.cluster.clone(),
        namespace: namespace(args),
        name: args.name.clone(),
        state: args.state.clone(),
        ..ObjectQuery::default()
    };
    let mut objects = all_objects(api, &args.kind, query).await?;
    // The server's filter is by part of the name.
    objects.retain(|o| args.name.as_ref().is_none_or(|n| o.name == *n));
    if let (Some(name), true) = (&args.name, objects.is_empty()) {
        return Err(Failure::new(code::NO_SOURCE, format!("no {} is called {name}", args.kind))
            .next(format!("pilothouse get {} lists what there is", args.kind)));
    }
    match args.output {
        Format::Json => out::json(&objects),
        Format::Name => names(&objects),
        Format::Table => table(&objects, &args.kind),
    }
}

fn names(objects: &[Object]) -> Outcome {
    let mut out = out::stdout();
    for o in objects {
        let namespace = if o.namespace.is_empty() { String::new() } else { format!("{}:", o.namespace) };
        writeln!(out, "{}@{namespace}{}/{}", o.cluster, o.kind.to_lowercase(), o.name)?;
    }
    out.flush()?;
    Ok(())
}

fn table(objects: &[Object], kind: &str) -> Outcome {
    if objects.is_empty() {
        eprintln!("no {kind}");
        return Ok(());
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let middle = columns::of(objects.first().map_or("", |o| o.kind.as_str()));
    let mut head = vec!["CLUSTER", "NAMESPACE", "NAME", "STATE"];
    head.extend(middle.iter().map(|(head, _)| *head));
    head.extend(["AGE", "WHY"]);
    let mut table = Table::new(&head);
    for o in objects {
        let mut row = vec![o.cluster.clone(), o.namespace.clone(), o.name.clone(), o.health.state.clone()];
        row.extend(middle.iter().map(|(_, key)| o.columns.get(*key).cloned().unwrap_or_default()));
        row.push(o.created_ms.map_or_else(String::new, |t| when::age(t, now)));
        // The first cause, in the system's own words where it has some.
        let why = o.health.reasons.last();
        row.push(
            why.map_or_else(
                String::new,
                |r| if r.quote.is_empty() { r.text.clone() } else { r.quote.clone() },
            ),
        );
        table.row(row);
    }
    table.drop_when_empty("NAMESPACE");
    table.drop_when_empty("WHY");
    let mut out = out::stdout();
    table.write(&mut out)?;
    out.flush()?;
    Ok(())
}

async fn events(api: &Api, args: &Args) -> Outcome {
    let mut query = EventQuery {
        cluster: args.cluster.clone(),
        namespace: namespace(args),
        limit: Some(PAGE),
        ..EventQuery::default()
    };
    let mut events: Vec<Event> = Vec::new();
    loop {
        let page: Page<Event> = api.list("events", &query).await?;
        events.extend(page.items);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    events.retain(|e| args.name.as_ref().is_none_or(|n| e.object_name == *n));
    // Newest last, where a terminal's reader looks.
    events.reverse();
    if args.output == Format::Json {
        return out::json(&events);
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut table =
        Table::new(&["SEEN", "CLUSTER", "NAMESPACE", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]);
    for e in &events {
        table.row([
            when::age(e.at_ms, now),
            e.cluster.clone(),
            e.namespace.clone(),
            e.r#type.clone(),
            e.reason.clone(),
            format!("{}/{}", e.object_kind.to_lowercase(), e.object_name),
            e.count.to_string(),
            e.message.clone(),
        ]);
    }
    let mut out = out::stdout();
    table.write(&mut out)?;
    out.flush()?;
    Ok(())
}
