//! `pilothouse exec POD -- ARGV`
//!
//! Out:    the command's own output and exit code.
//! Never:  a shell of ours in between: the arguments are passed as given.

mod keyboard;
mod session;

use std::io::IsTerminal;

use ph_api::{ExecOpen, ExecOpened, ObjectQuery};

use super::get::all_objects;
use crate::api::{Api, Connection};
use crate::failure::{Failure, Outcome, code};

/// Run a command in a container.
///
/// POD is `[CLUSTER@][NAMESPACE:]POD`. The cluster's owner must allow it (tier `debug`), your role must, and it leaves an audit row
/// with the command. The exit code is the command's. A lost connection is taken up again within 60 s without losing output.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse exec web-1 -- id\n  pilothouse exec -it prod@shop:web-1 -c app -- sh\n  pilothouse exec -i web-1 -- tar xf - < files.tar"
)]
pub struct Args {
    /// Where to run it.
    #[arg(value_name = "POD")]
    pod: String,
    /// Pass standard input on.
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give the command a terminal.
    #[arg(short = 't', long)]
    tty: bool,
    /// Container. Default: the pod's default container.
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Namespace, when POD names none. Default: where the only pod of that name is.
    #[arg(short, long, value_name = "NAMESPACE", env = "PILOTHOUSE_NAMESPACE")]
    namespace: Option<String>,
    /// Cluster, when POD names none, by name or id. Default: where the only pod of that name is.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Why; stands in the audit row.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "ARGV")]
    argv: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// One pod, named so that the server cannot mean another.
struct Place {
    cluster: String,
    namespace: String,
    pod: String,
    uid: String,
}

pub async fn run(args: Args) -> Outcome {
    if args.tty && !args.stdin {
        eprintln!("note: -t without -i: keys do not reach the command");
    }
    let tty = args.tty && std::io::stdin().is_terminal();
    if args.tty && !tty {
        eprintln!("note: standard input is no terminal; the command gets none either");
    }
    let api = args.connection.open().await?;
    let outcome = async {
        let place = place(&api, &args).await?;
        let size = tty.then(|| crossterm::terminal::size().ok()).flatten();
        let ask = ExecOpen {
            cluster: place.cluster,
            namespace: place.namespace,
            pod: place.pod,
            pod_uid: Some(place.uid),
            container: args.container.clone(),
            argv: args.argv.clone(),
            tty,
            stdin: args.stdin,
            cols: size.map(|(cols, _)| cols),
            rows: size.map(|(_, rows)| rows),
            reason: args.reason.clone(),
        };
        let opened: ExecOpened = api.post("debug/exec", &ask).await?;
        session::run(&api, &opened, session::Ends { tty, stdin: args.stdin }).await
    }
    .await;
    api.close().await;
    match outcome? {
        0 => Ok(()),
        exit => Err(Failure::quiet(u8::try_from(exit).unwrap_or(code::FAILED))),
    }
}

async fn place(api: &Api, args: &Args) -> Result<Place, Failure> {
    let (cluster, rest) = args.pod.split_once('@').map_or((None, args.pod.as_str()), |(c, r)| (Some(c), r));
    let (namespace, name) = rest.split_once(':').map_or((None, rest), |(n, r)| (Some(n), r));
    let name = name.strip_prefix("pod/").or_else(|| name.strip_prefix("pods/")).unwrap_or(name);
    if name.is_empty() || name.contains('/') || cluster == Some("") || namespace == Some("") {
        return Err(Failure::usage(format!("POD `{}` names no pod", args.pod))
            .next("write it as [CLUSTER@][NAMESPACE:]POD"));
    }
    let query = ObjectQuery {
        cluster: cluster.map(str::to_owned).or_else(|| args.cluster.clone()),
        namespace: namespace.map(str::to_owned).or_else(|| args.namespace.clone()),
        name: Some(name.to_owned()),
        ..ObjectQuery::default()
    };
    let mut found = all_objects(api, "pods", query).await?;
    found.retain(|o| o.name == name);
    match found.as_slice() {
        [one] => Ok(Place {
            cluster: one.cluster_id.to_string(),
            namespace: one.namespace.clone(),
            pod: one.name.clone(),
            uid: one.uid.clone(),
        }),
        [] => Err(Failure::new(code::NO_SOURCE, format!("no pod is called `{}`", args.pod))
            .next("pilothouse get pods lists what there is")),
        many => {
            let list: Vec<String> =
                many.iter().map(|o| format!("{}@{}:{}", o.cluster, o.namespace, o.name)).collect();
            Err(Failure::new(
                code::NO_SOURCE,
                format!("`{}` is more than one pod: {}", args.pod, list.join(", ")),
            )
            .next("name one of them, as written here"))
        }
    }
}
