//! Logs end to end: the API, the link, an agent whose files are in memory, the real store.

mod agent;
mod away;
mod cluster;
mod count;
mod doors;
mod download;
mod lines;
mod pages;
mod rights;
mod saved;
mod stream;
mod table;

use std::time::Duration;

use http::Method;
use ph_access::TenantCtx;
use ph_link::Identity;
use ph_link::enrol::Proof;
use ph_model::{LogRow, Secret};
use ph_store::{Batch, Rows};
use serde_json::{Value, json};

use crate::link::tests::bed::{self, Bed, connected, eventually};
use agent::Disk;

const MS: i64 = 1_000_000;
/// When the lines of these tests begin, ms UTC.
const BEGIN_MS: i64 = 1_795_255_200_000;

/// A server with one connected host.
struct Room {
    bed: Bed,
    disk: Disk,
    identity: Identity,
    _agent: bed::Agent,
}

impl Room {
    async fn start(containers: &[&str]) -> Self {
        let bed = Bed::start().await;
        let disk = Disk::new(containers);
        let ask = json!({"name": "h", "kind": "docker", "tier": "debug"});
        let (status, joining) = bed.call(Method::POST, "/api/v1/clusters", Some(ask)).await;
        assert_eq!(status, 201, "{joining}");
        let token = joining["join_token"].as_str().unwrap().to_owned();
        let proof = Proof::JoinToken { token: Secret::new(token) };
        let identity = bed.enrol_as(proof, "", "h1").await.unwrap();
        let agent = connected(bed.link(identity.clone(), disk.as_host("h1"))).await;
        let room = Self { bed, disk, identity, _agent: agent };
        room.seen(containers.len()).await;
        room
    }

    /// Waits until the inventory has so many containers.
    async fn seen(&self, n: usize) {
        eventually("the containers", async || {
            let (_, found) = self.post("/api/v1/logs/sources", json!({})).await;
            found["sources"]
                .as_array()
                .is_some_and(|all| all.len() == n && all.iter().all(|s| !s["runs"].is_null()))
        })
        .await;
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.bed.call(Method::POST, path, Some(body)).await
    }

    async fn query(&self, body: Value) -> Value {
        let (status, page) = self.post("/api/v1/logs/query", body).await;
        assert_eq!(status, 200, "{page}");
        page
    }

    async fn ctx(&self) -> TenantCtx {
        let org = self.bed.stack.running.app.state.organisation_ids().await.unwrap()[0];
        TenantCtx::system(org, "test")
    }

    /// Ships lines that stand in a file.
    async fn ship(&self, container: &str, lines: &[(i64, &str, (u128, u64))]) {
        let rows = lines
            .iter()
            .map(|(ms, text, (segment_key, offset))| LogRow {
                ts: (BEGIN_MS + ms) * MS,
                observed_ts: (BEGIN_MS + ms) * MS,
                cluster: "h".into(),
                pod_uid: container.into(),
                container: format!("c-{container}"),
                node: "h1".into(),
                iostream: "stdout".into(),
                level: ph_filter::level_of(text.as_bytes()).0 as u8,
                message: text.as_bytes().to_vec(),
                segment_key: *segment_key,
                offset: *offset,
                ..LogRow::default()
            })
            .collect();
        let batch = Batch { id: None, rows: Rows::Logs(rows) };
        let ctx = self.ctx().await;
        let done = self.bed.stack.running.app.telemetry.append(&ctx, batch).await.unwrap();
        assert_eq!(done.accepted, lines.len() as u64, "{done:?}");
    }

    fn write(&self, container: &str, ms: i64, text: &str) -> (u128, u64) {
        self.disk.write(container, (BEGIN_MS + ms) * MS, text)
    }
}

fn texts(page: &Value) -> Vec<String> {
    let all = page["records"].as_array().unwrap_or_else(|| panic!("no records in {page}"));
    all.iter().map(|r| r["message"].as_str().unwrap().to_owned()).collect()
}

fn within() -> Duration {
    Duration::from_secs(30)
}
