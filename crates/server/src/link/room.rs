//! State of this room, and what its handlers share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ph_access::{AgentClaims, MAX_AGENT_TOKEN_MS, Origin, TenantCtx};
use ph_link::gateway::PulseTiming;
use ph_model::{AgentId, ClusterId, OrgId, Secret};
use tokio::sync::Semaphore;
use url::Url;

use super::facts::{ClusterFacts, Facts};
use super::refusals::Refusals;
use super::registry::Registry;
use crate::auth::AuthRoom;
use crate::config::Listen;
use crate::gateway::problem::Problem;

/// Sockets at once that have not proven themselves.
const UNPROVEN: usize = 256;

/// Waits of the gateway's end. The defaults are the product's; tests pass others.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For the whole proof.
    pub prove: Duration,
    pub pulse: PulseTiming,
    /// Life of an agent token; at most an hour. The link hands out the next one when a sixth of it is left.
    pub token: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            prove: Duration::from_secs(10),
            pulse: PulseTiming::default(),
            token: Duration::from_millis(MAX_AGENT_TOKEN_MS.unsigned_abs()),
        }
    }
}

/// State of this room. Cheap to clone.
#[derive(Clone)]
pub struct LinkRoom(Arc<Inner>);

struct Inner {
    registry: Registry,
    refusals: Refusals,
    facts: OnceLock<Arc<dyn ClusterFacts>>,
    names: Names,
    /// The own authority's certificate, when the server serves TLS with it.
    authority: Option<PathBuf>,
    timing: Timing,
    unproven: Arc<Semaphore>,
}

/// Host names of this server: agents sign the one that they dialled.
#[derive(Clone, Debug)]
struct Names {
    public: String,
    others: Vec<String>,
}

impl LinkRoom {
    /// `authority`: PEM file that goes into manifests, when agents need it to trust this server.
    pub fn new(public_url: &Url, listen: &[Listen], authority: Option<PathBuf>, timing: Timing) -> Self {
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let public = bare(public_url.host_str().unwrap_or_default());
        let mut others: Vec<String> = listen.iter().map(|l| bare(&l.addr().ip().to_string())).collect();
        others.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        Self(Arc::new(Inner {
            registry: Registry::default(),
            refusals: Refusals::default(),
            facts: OnceLock::new(),
            names: Names { public, others },
            authority,
            timing,
            unproven: Arc::new(Semaphore::new(UNPROVEN)),
        }))
    }

    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Set once, at start, by the room that keeps inventories.
    pub fn set_facts(&self, facts: Arc<dyn ClusterFacts>) {
        let _ = self.0.facts.set(facts);
    }

    pub(super) fn facts(&self, org: OrgId, cluster: ClusterId) -> Facts {
        self.0.facts.get().map(|f| f.facts(org, cluster)).unwrap_or_default()
    }

    pub(super) fn timing(&self) -> Timing {
        self.0.timing
    }

    pub(super) fn unproven(&self) -> Arc<Semaphore> {
        self.0.unproven.clone()
    }

    /// The name under which a client reached us, when it is one of ours; otherwise the public one.
    pub(super) fn name_dialled(&self, host_header: Option<&str>) -> String {
        let host = host_header.and_then(|h| h.parse::<http::uri::Authority>().ok());
        let host = host.map(|a| a.host().trim_matches(['[', ']']).to_ascii_lowercase()).unwrap_or_default();
        if self.0.names.others.contains(&host) { host } else { self.0.names.public.clone() }
    }

    /// Every name that an agent may have signed.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.0.names.public).chain(&self.0.names.others).map(String::as_str)
    }

    /// PEM of the own authority; `None` on plain loopback. Errors name the file.
    pub(super) fn authority(&self) -> Result<Option<String>, Problem> {
        let Some(path) = &self.0.authority else { return Ok(None) };
        std::fs::read_to_string(path).map(Some).map_err(|e| {
            let text = format!("read the own authority's certificate {}: {e}", path.display());
            ph_store::Error::new(ph_model::ErrorKind::Internal, text).into()
        })
    }
}

/// A fresh agent token and its end (ms UTC).
pub(super) fn issue(
    auth: &AuthRoom,
    who: (OrgId, ClusterId, AgentId),
    (now_ms, life): (i64, Duration),
) -> Result<(Secret<String>, i64), ph_access::Error> {
    let life_ms = i64::try_from(life.as_millis()).unwrap_or(MAX_AGENT_TOKEN_MS);
    let claims = AgentClaims::new(auth.issuer(), who, now_ms, life_ms);
    let token = claims.sign(auth.keyring().signing())?;
    Ok((Secret::new(token), claims.expires_ms()))
}

/// The agent as a tenant, for what hangs on its credential.
pub(super) fn agent_tenant(auth: &AuthRoom, who: (OrgId, ClusterId, AgentId), now_ms: i64) -> TenantCtx {
    AgentClaims::new(auth.issuer(), who, now_ms, 0).tenant(Origin::default())
}
