//! Buys an agent's enrolment: a public key against a join token or a ServiceAccount token.
//!
//! Out:    an [`Identity`] that the server knows; the caller saves it.

use std::path::Path;

use ph_model::{AgentId, ClusterId, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Identity, Key, Origin};

/// What pays for the enrolment.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Proof {
    /// `phj_…`, one use, 15 min.
    JoinToken {
        #[serde(serialize_with = "exposed")]
        token: Secret<String>,
    },
    /// A projected ServiceAccount token, audience `pilothouse`.
    ServiceAccount {
        cluster_id: ClusterId,
        #[serde(serialize_with = "exposed")]
        token: Secret<String>,
    },
}

fn exposed<S: serde::Serializer>(secret: &Secret<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

/// Who enrols.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub proof: Proof,
    /// UID of `kube-system`; empty for nodes and hosts.
    pub cluster_uid: String,
    /// Node or host name; empty for a cluster-agent.
    pub node: String,
    pub version: String,
}

/// Body of `POST /api/v1/agents/enrol`.
#[derive(Serialize)]
struct Ask<'a> {
    proof: &'a Proof,
    public_key: String,
    cluster_uid: &'a str,
    node: &'a str,
    machine: String,
    version: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    agent_id: AgentId,
    cluster_id: ClusterId,
    cluster_name: String,
}

/// Enrols `key` at `origin`.
///
/// Errors: `Denied` with the server's reason (wrong, used or old token), `Unavailable` when it cannot be reached or
/// the cluster's own agent is not connected yet: try again later.
pub async fn enrol(origin: &Origin, key: Key, enrolment: &Enrolment) -> Result<Identity, Error> {
    let ask = Ask {
        proof: &enrolment.proof,
        public_key: key.public_base64(),
        cluster_uid: &enrolment.cluster_uid,
        node: &enrolment.node,
        machine: machine(),
        version: &enrolment.version,
    };
    let answer: Answer = origin.post("enrolling", "/api/v1/agents/enrol", &ask).await?;
    let Answer { agent_id, cluster_id, cluster_name } = answer;
    Ok(Identity { key, agent_id, cluster_id, cluster_name })
}

/// The identity in `dir`; when there is none yet, makes the key there, enrols it and saves both.
///
/// The key is on disk before the server hears of it, so a crash in between costs no token without a key.
pub async fn load_or_enrol(origin: &Origin, dir: &Path, enrolment: &Enrolment) -> Result<Identity, Error> {
    if let Some(identity) = Identity::load(dir)? {
        return Ok(identity);
    }
    let key = Key::load_or_create(&dir.join("key.pem"))?;
    let identity = enrol(origin, key, enrolment).await?;
    identity.save(dir)?;
    Ok(identity)
}

/// SHA-256 of the machine id under our own name, as machine-id(5) asks for; empty where there is none.
fn machine() -> String {
    let Ok(id) = std::fs::read_to_string("/etc/machine-id") else { return String::new() };
    let id = id.trim();
    if id.is_empty() {
        return String::new();
    }
    let digest = Sha256::new().chain_update(b"pilothouse-machine-v1").chain_update(id.as_bytes()).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
