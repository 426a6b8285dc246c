//! Agents within the server's own process: how they reach it, and what they join it with.
//!
//! In:     a server that runs, a directory for the agent's identity.
//! Out:    the address of its door; a join token, when the agent is not enrolled yet. Making one leaves its audit row.

use std::path::Path;

use ph_access::{ClusterJoin, Entry, Opaque, OpaqueKind, Operation, TenantCtx};
use ph_link::Identity;
use ph_model::{ErrorKind, OrgId, Secret};
use ph_server::{Listen, Running};
use ph_store::state::{ClusterKind, NewCluster, Tier};
use serde_json::json;

use crate::failure::{Doing, Failure};

/// What is joined, under which name.
#[derive(Clone, Debug)]
pub struct Joining {
    /// As a cluster may be called: see [`cluster_name`].
    pub name: String,
    pub kind: ClusterKind,
    pub tier: Tier,
    /// As the audit log names it.
    pub actor: &'static str,
}

/// Where this process reaches itself, and what it has to trust there.
pub fn door(running: &Running) -> Result<(String, Option<String>), Failure> {
    let doors = running.app.config.listen.iter().zip(&running.addrs);
    let (listen, addr) = doors
        .min_by_key(|(listen, _)| matches!(listen, Listen::Https(_)))
        .ok_or_else(|| Failure::failed("the server listens nowhere"))?;
    let ip = match addr.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("{}://{}", listen.scheme(), std::net::SocketAddr::new(ip, addr.port()));
    let ca = match listen {
        Listen::Http(_) => None,
        Listen::Https(_) => {
            let path = running.app.config.data.join("tls/ca.pem");
            Some(std::fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?)
        }
    };
    Ok((url, ca))
}

/// The organisation that the first start made.
pub async fn organisation(running: &Running) -> Result<OrgId, Failure> {
    let all = running.app.state.organisation_ids().await?;
    all.first().copied().ok_or_else(|| Failure::failed("the server has no organisation yet"))
}

/// A join token, unless the identity in `dir` is still good.
pub async fn token_if_needed(
    running: &Running,
    dir: &Path,
    new: Joining,
) -> Result<Option<Secret<String>>, Failure> {
    match known(running, dir).await? {
        true => Ok(None),
        false => join(running, new).await.map(Some),
    }
}

/// Whether the identity that lies there is still good. One that was revoked is put away, so that this start enrols anew.
async fn known(running: &Running, dir: &Path) -> Result<bool, Failure> {
    let Some(identity) = Identity::load(dir)? else { return Ok(false) };
    let record = running.app.state.agent_by_id(identity.agent_id).await?;
    if record.is_some_and(|agent| !agent.revoked) {
        return Ok(true);
    }
    let path = dir.join("identity.json");
    std::fs::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
    Ok(false)
}

/// A join token for a cluster or host, registered under its name.
async fn join(running: &Running, new: Joining) -> Result<Secret<String>, Failure> {
    let app = &running.app;
    let ctx = TenantCtx::system(organisation(running).await?, new.actor);
    let Joining { name, kind, tier, .. } = new;
    let token = Opaque::generate(OpaqueKind::Join)?;
    let now_ms = app.clock.now_ms();
    let entry = Entry::change(ClusterJoin::ACTION, format!("{} {name}", kind.as_str()))
        .on_cluster(name.clone())
        .with(json!({"tier": tier.as_str(), "kind": kind.as_str()}));
    match app.state.cluster_named(&ctx, &name).await {
        Ok(record) => {
            let entry = Entry { target_uid: record.id.to_string(), ..entry };
            app.state.renew_join(&ctx, ((record.id, token.hash()), tier), entry, now_ms).await?;
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let new = NewCluster { name, kind, tier, token: token.hash() };
            app.state.create_cluster(&ctx, new, entry, now_ms).await?;
        }
        Err(e) => return Err(e.into()),
    }
    Ok(token.text().clone())
}

/// A name as a cluster may be called: 1 to 63 of a-z, 0-9 and `-`, a letter or digit at each end. Of a longer one the end is
/// kept, which tells more. Empty when nothing of it can be used.
pub fn cluster_name(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let tail = plain.get(plain.len().saturating_sub(63)..).unwrap_or_default();
    tail.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_clusters() {
        let names = ["Web_7", "---", "", "n1", "arn:aws:eks:eu-1:12:cluster/Prod"].map(cluster_name);
        assert_eq!(names, ["web-7", "", "", "n1", "arn-aws-eks-eu-1-12-cluster-prod"]);
        let long = cluster_name(&format!("{}.prod", "x".repeat(80)));
        assert!(long.len() == 63 && long.ends_with("-prod"));
    }
}
