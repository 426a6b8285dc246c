//! `pilothouse host join URL`

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use ph_link::{Identity, Origin};
use ph_model::Secret;
use ph_node::{Mode, NodeConfig, enrol};
use serde::{Deserialize, Serialize};

use super::node_agent::{failed, private_dir};
use crate::api::{origin_name, read_ca};
use crate::failure::{Doing, Failure, Outcome};

/// Where an agent keeps what it must not lose.
pub const STATE: &str = "/var/lib/pilothouse";

/// Join this machine to a server.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Join(Join),
}

/// Enrol this machine as a plain host or Docker host.
///
/// Reads the join token from standard input (a terminal is asked); lines behind it are the PEM of the server's authority, as
/// the Connect page gives them. Writes key, identity and the server's address to --data, and says how to start the agent.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse host join https://ops.example.org\n  pilothouse cluster join web-7 --kind docker | ssh web-7 pilothouse host join --docker https://ops.example.org"
)]
pub struct Join {
    /// Address of the server.
    #[arg(value_name = "URL")]
    server: String,
    /// PEM file of the authority that signed the server's certificate.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    ca: Option<PathBuf>,
    /// Name of this host. Default: the machine's own.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The agent is to watch the containers of a Docker engine, at this socket.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true, default_missing_value = "/var/run/docker.sock")]
    docker: Option<PathBuf>,
    /// Where key, identity and the server's address are written.
    #[arg(long, value_name = "DIR", default_value = STATE, env = "PILOTHOUSE_STATE")]
    data: PathBuf,
}

/// What joining leaves for the agent: `DIR/server.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    pub server: String,
    /// PEM.
    #[serde(default)]
    pub ca: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    /// Socket of the Docker engine.
    #[serde(default)]
    pub docker: Option<PathBuf>,
}

impl Joined {
    /// What `host join` wrote to `dir`; `None` when it never ran there.
    pub fn load(dir: &Path) -> Result<Option<Self>, Failure> {
        let path = dir.join("server.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).doing(|| format!("read {}", path.display())),
        };
        serde_json::from_str(&text).map(Some).doing(|| format!("read {}", path.display()))
    }

    fn save(&self, dir: &Path) -> Outcome {
        let path = dir.join("server.json");
        let act = || format!("write {}", path.display());
        let text = serde_json::to_string_pretty(self).doing(act)?;
        std::fs::write(&path, text).doing(act)
    }
}

pub async fn run(command: Command) -> Outcome {
    let Command::Join(args) = command;
    let server = origin_name(&args.server)?;
    private_dir(&args.data)
        .map_err(|f| f.next("run this as root, or give a directory of your own with --data"))?;
    if let Some(identity) = Identity::load(&args.data)? {
        let file = args.data.join("identity.json");
        return Err(Failure::failed(format!("this host has joined already, as {}", identity.cluster_name))
            .next(format!("to join anew: rm {}", file.display())));
    }
    let (token, given_ca) = read_stdin()?;
    let ca = match &args.ca {
        Some(file) => Some(read_ca(file)?),
        None => given_ca,
    };
    let origin = Origin::new(&server, ca.as_deref().map(str::as_bytes))?;
    let config = NodeConfig {
        mode: if args.docker.is_some() { Mode::Docker } else { Mode::Host },
        node: args.name.clone().unwrap_or_default(),
        state: args.data.clone(),
        ..NodeConfig::default()
    };
    // Before the token is spent: an identity without an address would be of no use.
    Joined { server: server.clone(), ca, name: args.name, docker: args.docker }.save(&args.data)?;
    let identity = enrol::host(&config, &origin, Some(token)).await.map_err(failed)?;
    eprintln!("joined {server} as {}", identity.cluster_name);
    let data = if args.data == Path::new(STATE) {
        String::new()
    } else {
        format!(" --data {}", args.data.display())
    };
    eprintln!(
        "start the agent with `systemctl enable --now pilothouse-agent`, or here with `pilothouse node-agent{data}`"
    );
    Ok(())
}

/// The token on the first line; what follows it, when there is anything, is PEM.
fn read_stdin() -> Result<(Secret<String>, Option<String>), Failure> {
    let mut text = String::new();
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprint!("join token: ");
        stdin.read_line(&mut text).doing(|| "read the join token".to_owned())?;
    } else {
        stdin.read_to_string(&mut text).doing(|| "read the join token from standard input".to_owned())?;
    }
    parse(&text)
}

fn parse(text: &str) -> Result<(Secret<String>, Option<String>), Failure> {
    let (token, rest) = text.trim_start().split_once('\n').unwrap_or((text.trim(), ""));
    let token = token.trim();
    if !token.starts_with("phj_") {
        return Err(Failure::usage("what came on standard input is no join token: those begin with phj_")
            .next("make one on the Connect page, or with `pilothouse cluster join NAME --kind host`"));
    }
    let pem = rest.trim();
    Ok((Secret::new(token.to_owned()), (!pem.is_empty()).then(|| format!("{pem}\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_alone_or_with_the_authority_behind_it() {
        let (token, ca) = parse("phj_abc\n").unwrap();
        assert_eq!((token.expose().as_str(), ca), ("phj_abc", None));
        let (token, ca) =
            parse("phj_abc\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(token.expose(), "phj_abc");
        assert!(ca.unwrap().starts_with("-----BEGIN"));
        assert_eq!(parse("hello\n").unwrap_err().exit_code(), 2);
    }
}
