//! The cluster-agent's identity: a key and an enrolment in the Secret `pilothouse-identity`, which the manifests create empty.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, Patch, PatchParams};
use ph_link::enrol::{Enrolment, Proof, enrol};
use ph_link::{Identity, Key, Origin};

use crate::Error;

const KEY: &str = "key.pem";
const IDENTITY: &str = "identity.json";
/// SHA-256 of the join token that the enrolment was bought with, in hex: another token in the manifests means to join anew.
const JOINED_WITH: &str = "joined-with";

/// UID of `kube-system`: the cluster's own name for itself.
pub async fn cluster_uid(client: &kube::Client) -> Result<String, Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    let ns = api.get("kube-system").await.map_err(|e| Error::ClusterUid(Box::new(e)))?;
    Ok(ns.metadata.uid.unwrap_or_default())
}

/// Where the identity is kept, and what buys one.
pub struct IdentityStore<'a> {
    pub client: &'a kube::Client,
    pub namespace: &'a str,
    pub secret: &'a str,
    pub join_token: Option<ph_model::Secret<String>>,
    pub version: &'a str,
}

impl IdentityStore<'_> {
    /// The kept identity; when there is none, or the join token is another than the one it was bought with, makes a key,
    /// enrols it, and keeps both. A new token that the server refuses leaves the kept identity as it is.
    ///
    /// The first key is kept before the server hears of it, so that a crash in between costs no token without a key.
    pub async fn load_or_enrol(&self, origin: &Origin, cluster_uid: &str) -> Result<Identity, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = api.get(self.secret).await.map_err(|e| self.fail("read it", e))?;
        let data = secret.data.unwrap_or_default();
        let text = |name: &str| data.get(name).map(|b| String::from_utf8_lossy(&b.0).into_owned());
        let key = match text(KEY) {
            Some(pem) => Some(
                Key::from_pem(&pem)
                    .map_err(|text| Error::BadIdentity { name: self.secret.to_owned(), text })?,
            ),
            None => None,
        };
        let kept = match (text(IDENTITY), &key) {
            (Some(json), Some(key)) => Identity::from_json(&json, key.clone()).ok(),
            _ => None,
        };
        let given = self.join_token.as_ref().map(digest);
        let Some(kept) = kept else {
            let key = match key {
                Some(key) => key,
                None => {
                    let key = Key::generate().map_err(|e| Error::Enrol(Box::new(e)))?;
                    self.keep(&api, vec![(KEY, pem(&key)?)]).await?;
                    key
                }
            };
            let identity = self.buy(origin, key, cluster_uid).await?;
            self.keep(&api, vec![(IDENTITY, identity.to_json().into_bytes()), joined_with(given)]).await?;
            return Ok(identity);
        };
        if given.is_none() || given == text(JOINED_WITH) {
            return Ok(kept);
        }
        let key = Key::generate().map_err(|e| Error::Enrol(Box::new(e)))?;
        match self.buy(origin, key.clone(), cluster_uid).await {
            Ok(identity) => {
                let all =
                    vec![(KEY, pem(&key)?), (IDENTITY, identity.to_json().into_bytes()), joined_with(given)];
                self.keep(&api, all).await?;
                Ok(identity)
            }
            Err(e) => {
                // The other replica may have spent it.
                let now = api.get(self.secret).await.map_err(|e| self.fail("read it", e))?.data;
                let now = now.unwrap_or_default();
                let text = |name: &str| now.get(name).map(|b| String::from_utf8_lossy(&b.0).into_owned());
                if given == text(JOINED_WITH)
                    && let (Some(pem), Some(json)) = (text(KEY), text(IDENTITY))
                    && let Ok(key) = Key::from_pem(&pem)
                    && let Ok(identity) = Identity::from_json(&json, key)
                {
                    return Ok(identity);
                }
                tracing::warn!(error = %e, "the new join token bought nothing; going on as before");
                Ok(kept)
            }
        }
    }

    async fn buy(&self, origin: &Origin, key: Key, cluster_uid: &str) -> Result<Identity, Error> {
        let token = self.join_token.clone().ok_or(Error::NoToken)?;
        let enrolment = Enrolment {
            proof: Proof::JoinToken { token },
            cluster_uid: cluster_uid.to_owned(),
            node: String::new(),
            version: self.version.to_owned(),
        };
        enrol(origin, key, &enrolment).await.map_err(|e| Error::Enrol(Box::new(e)))
    }

    /// All of it in one write.
    async fn keep(&self, api: &Api<Secret>, entries: Vec<(&str, Vec<u8>)>) -> Result<(), Error> {
        let data: BTreeMap<_, _> =
            entries.into_iter().map(|(name, bytes)| (name.to_owned(), ByteString(bytes))).collect();
        let patch = Secret { data: Some(data), ..Secret::default() };
        api.patch(self.secret, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map_err(|e| self.fail("write it", e))?;
        Ok(())
    }

    fn fail(&self, act: &'static str, cause: kube::Error) -> Error {
        Error::Identity { name: format!("{}/{}", self.namespace, self.secret), act, cause: Box::new(cause) }
    }
}

fn pem(key: &Key) -> Result<Vec<u8>, Error> {
    let pem = key.to_pem().map_err(|e| Error::Enrol(Box::new(e)))?;
    Ok(pem.expose().clone().into_bytes())
}

fn joined_with(digest: Option<String>) -> (&'static str, Vec<u8>) {
    (JOINED_WITH, digest.unwrap_or_default().into_bytes())
}

fn digest(token: &ph_model::Secret<String>) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(token.expose().trim().as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
