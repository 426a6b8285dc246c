//! The agents' manifests for one cluster, from the one source under `deploy/manifests`.
//!
//! Never: a value from outside that is not a quoted YAML string.

use ph_model::{ClusterId, Secret};
use ph_store::state::Tier;

const SOURCE: &str = include_str!("../../../../deploy/manifests/agents.yaml");

/// What differs between clusters.
pub(super) struct Values<'a> {
    pub url: &'a str,
    /// PEM; empty when the server's certificate is of a public authority, or it is plain loopback.
    pub authority: &'a str,
    pub image: &'a str,
    pub cluster: ClusterId,
    pub name: &'a str,
    pub tier: Tier,
    /// `on` or `off`.
    pub log_redaction: &'a str,
    pub token: &'a Secret<String>,
}

/// Manifests for `kubectl apply -f -`, with the join token in them.
pub(super) fn render(values: &Values<'_>) -> String {
    let tier = match values.tier {
        Tier::Observe => "observe",
        Tier::Debug | Tier::Operate => "debug",
    };
    let cluster = values.cluster.to_string();
    let filled = [
        ("{{URL}}", values.url),
        ("{{CA}}", values.authority),
        ("{{IMAGE}}", values.image),
        ("{{CLUSTER_ID}}", &cluster),
        ("{{CLUSTER_NAME}}", values.name),
        ("{{TIER}}", tier),
        ("{{LOG_REDACTION}}", values.log_redaction),
        ("{{TOKEN}}", values.token.expose()),
    ];
    let mut out = String::with_capacity(SOURCE.len() + values.authority.len());
    let mut wanted = true;
    for line in SOURCE.lines().skip_while(|line| line.starts_with('#')) {
        match line.trim().strip_prefix("#@ ") {
            Some("end") => wanted = true,
            Some(block) => wanted = block.strip_prefix("tier ") == Some(tier),
            None if wanted => {
                out.push_str(&fill(line, &filled));
                out.push('\n');
            }
            None => {}
        }
    }
    out
}

/// A JSON string is a YAML string, and no content can leave it.
fn fill(line: &str, values: &[(&str, &str)]) -> String {
    let found = values.iter().find(|(mark, _)| line.contains(mark));
    found.map_or_else(
        || line.to_owned(),
        |(mark, value)| line.replace(mark, &serde_json::Value::from(*value).to_string()),
    )
}

/// The whole command as a here-document, for a shell.
pub(super) fn command(manifests: &str) -> String {
    format!("kubectl apply -f - <<'PILOTHOUSE'\n{manifests}PILOTHOUSE\n")
}

/// The command that joins a Docker host or plain host; the token comes on standard input, never as an argument.
pub(super) fn host_command(values: &Values<'_>, docker: bool) -> String {
    let docker = if docker { " --docker" } else { "" };
    let Values { url, name, authority, token, .. } = values;
    format!(
        "pilothouse host join{docker} --name {name} {url} <<'PILOTHOUSE'\n{}\n{authority}PILOTHOUSE\n",
        token.expose()
    )
}
