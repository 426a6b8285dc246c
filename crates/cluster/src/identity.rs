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
    /// The kept identity; when there is none, makes a key, keeps it, enrols it, keeps the enrolment.
    ///
    /// The key is kept before the server hears of it, so that a crash in between costs no token without a key.
    pub async fn load_or_enrol(&self, origin: &Origin, cluster_uid: &str) -> Result<Identity, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = api.get(self.secret).await.map_err(|e| self.fail("read it", e))?;
        let data = secret.data.unwrap_or_default();
        let text = |name: &str| data.get(name).map(|b| String::from_utf8_lossy(&b.0).into_owned());
        let key = match text(KEY) {
            Some(pem) => Key::from_pem(&pem)
                .map_err(|text| Error::BadIdentity { name: self.secret.to_owned(), text })?,
            None => {
                let key = Key::generate().map_err(|e| Error::Enrol(Box::new(e)))?;
                let pem = key.to_pem().map_err(|e| Error::Enrol(Box::new(e)))?;
                self.keep(&api, KEY, pem.expose().clone().into_bytes()).await?;
                key
            }
        };
        if let Some(json) = text(IDENTITY)
            && let Ok(identity) = Identity::from_json(&json, key.clone())
        {
            return Ok(identity);
        }
        let token = self.join_token.clone().ok_or(Error::NoToken)?;
        let enrolment = Enrolment {
            proof: Proof::JoinToken { token },
            cluster_uid: cluster_uid.to_owned(),
            node: String::new(),
            version: self.version.to_owned(),
        };
        let identity = enrol(origin, key, &enrolment).await.map_err(|e| Error::Enrol(Box::new(e)))?;
        self.keep(&api, IDENTITY, identity.to_json().into_bytes()).await?;
        Ok(identity)
    }

    async fn keep(&self, api: &Api<Secret>, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let patch = Secret {
            data: Some(BTreeMap::from([(name.to_owned(), ByteString(bytes))])),
            ..Secret::default()
        };
        api.patch(self.secret, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map_err(|e| self.fail("write it", e))?;
        Ok(())
    }

    fn fail(&self, act: &'static str, cause: kube::Error) -> Error {
        Error::Identity { name: format!("{}/{}", self.namespace, self.secret), act, cause: Box::new(cause) }
    }
}
