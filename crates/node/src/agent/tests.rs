//! The whole agent on a real Docker host, against a server that stores.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use ph_link::Key;
use ph_model::{AgentId, ClusterId};
use prost::Message;

use super::*;
use crate::config::StartAt;
use crate::testing::TestServer;

fn identity() -> Identity {
    Identity {
        key: Key::generate().unwrap(),
        agent_id: AgentId::from_bytes([1; 16]),
        cluster_id: ClusterId::from_bytes([2; 16]),
        cluster_name: "test".into(),
    }
}

/// What the server has: names of metrics by container name, and log lines.
fn seen(server: &TestServer) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let state = server.state.lock().unwrap();
    let (mut metrics, mut lines) = (BTreeMap::<String, BTreeSet<String>>::new(), Vec::new());
    for id in &state.order {
        let (path, body) = &state.batches[id];
        let plain = zstd::bulk::decompress(body, 1 << 26).unwrap();
        if path == "/v1/metrics" {
            for resource in ExportMetricsServiceRequest::decode(plain.as_slice()).unwrap().resource_metrics {
                let attributes = resource.resource.unwrap().attributes;
                let name = attributes
                    .into_iter()
                    .find(|kv| kv.key == "container.name")
                    .and_then(|kv| kv.value?.value);
                let Some(Value::StringValue(name)) = name else { continue };
                let found = resource.scope_metrics.into_iter().flat_map(|s| s.metrics).map(|m| m.name);
                metrics.entry(name).or_default().extend(found);
            }
        } else {
            let request = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
            let records =
                request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
            lines.extend(records.filter_map(|r| match r.body?.value? {
                Value::StringValue(line) => Some(line),
                _ => None,
            }));
        }
    }
    (metrics, lines)
}

fn docker_host(dir: &Path) -> anyhow::Result<(testbed::docker::Docker, String)> {
    let docker = testbed::docker::start(&dir.join("docker"))?;
    let busybox = PathBuf::from("/bin/busybox");
    let tar = dir.join("box.tar");
    let options = testbed::PackOptions { busybox: Some(busybox.clone()), ..Default::default() };
    testbed::pack_image(&tar, "bed.local/box:1", &busybox, &options)?;
    let script = "i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000";
    let id = docker.run(
        &tar,
        &[
            "--name",
            "web",
            "--label",
            "com.docker.compose.project=shop",
            "--entrypoint",
            "/bin/sh",
            "bed.local/box:1",
            "-c",
            script,
        ],
    )?;
    Ok((docker, id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_docker_host_sends_metrics_of_its_containers_and_each_line_once() -> anyhow::Result<()> {
    if !testbed::ready_to_run("a_docker_host_sends_metrics_of_its_containers_and_each_line_once")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let (docker, id) = docker_host(dir.path())?;
    let server = TestServer::start([]).await;
    let mut config = NodeConfig {
        mode: Mode::Docker,
        state: dir.path().join("state"),
        interval_s: 1,
        ..NodeConfig::default()
    };
    config.docker_socket = docker.socket();
    config.logs.docker = docker.data_root().join("containers");
    config.logs.pods = dir.path().join("no-pods");
    config.logs.start_at = StartAt::Beginning;
    let deps = NodeDeps {
        origin: server.origin.clone(),
        identity: identity(),
        pods: PodSource::none(),
        log_trust: LogTrust::none(),
        ceiling: v1::Tier::Observe,
    };
    let stop = CancellationToken::new();
    let agent = tokio::spawn(NodeAgent::run(config, deps, stop.clone()));
    let wanted = [
        "container.cpu.time",
        "container.cpu.usage",
        "container.memory.usage",
        "container.memory.working_set",
        "container.pids.usage",
        "container.restarts",
        "container.health",
        "container.uptime",
        "container.start_time",
    ];
    let mut batches = 0;
    let complete = async {
        loop {
            batches += 1;
            server.stored(batches).await;
            let (metrics, lines) = seen(&server);
            let has = |name: &&str| metrics.get("web").is_some_and(|m| m.contains(*name));
            if lines.len() >= 50 && wanted.iter().all(has) {
                return;
            }
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(60), complete).await;
    stop.cancel();
    agent.await??;
    let (metrics, lines) = seen(&server);
    anyhow::ensure!(done.is_ok(), "after a minute: {metrics:?}, {} lines", lines.len());
    let expected: Vec<String> = (0..50).map(|i| format!("line {i}")).collect();
    assert_eq!(lines, expected);
    assert_eq!(id.len(), 64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_setting_is_said_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start([]).await;
    let config = NodeConfig { state: dir.path().join("state"), interval_s: 0, ..NodeConfig::default() };
    let deps = NodeDeps {
        origin: server.origin,
        identity: identity(),
        pods: PodSource::none(),
        log_trust: LogTrust::none(),
        ceiling: v1::Tier::Observe,
    };
    let error = NodeAgent::run(config, deps, CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("interval_s"), "{error}");
    assert!(!dir.path().join("state").exists());
}
