//! The desktop form over a kubeconfig of three contexts: the admin's, one of a namespaced Role, one whose API server is away.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::{Bed, wait_for};

use super::bed::apply;

/// What the guide says is enough.
const ROLE: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: dev}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pilothouse-ui}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pilothouse-ui}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pilothouse-ui}
subjects: [{kind: ServiceAccount, name: dev, namespace: default}]
"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// Pod `writer` of namespace `default` wrote `text`, and both who may read it see all of it, with nothing installed.
pub fn shows(bed: &Bed, text: &str) -> Result<()> {
    let desktop = Desktop::start(bed)?;
    for cluster in ["admin", "dev"] {
        wait_for("every line is shown", PATIENCE, || desktop.logs(cluster).is_ok_and(|read| read == text))?;
    }
    let found = desktop.run(&["logs", "dev@default:writer", "--all", "-o", "raw", "-g", "seq=42 "])?;
    ensure!(found.lines().count() == 1, "a search gave {found}");
    wait_for("the clusters are told apart", PATIENCE, || desktop.clusters().is_ok_and(|c| told_apart(&c)))
        .with_context(|| format!("the clusters are {:?}", desktop.clusters()))
}

/// The admin sees nodes; the other one pods alone, with one notice of the rest; the third says why there is nothing.
fn told_apart(clusters: &[Value]) -> bool {
    let of = |name: &str| clusters.iter().find(|c| c["name"] == name).cloned().unwrap_or_default();
    let warned = |c: &Value, text: &str| {
        c["warnings"]
            .as_array()
            .is_some_and(|w| w.len() == 1 && w[0].as_str().is_some_and(|w| w.contains(text)))
    };
    let (admin, dev, away) = (of("admin"), of("dev"), of("away"));
    admin["nodes"] == 1
        && admin["warnings"] == json!([])
        && dev["nodes"] == 0
        && dev["pods"] == admin["pods"]
        && warned(&dev, "may see pods of namespace default alone; no nodes,")
        && away["state"] == "unknown"
        && warned(&away, "cannot be reached")
}

/// `pilothouse ui` beside the cluster.
struct Desktop<'a> {
    bed: &'a Bed,
    ui: Child,
}

impl<'a> Desktop<'a> {
    fn start(bed: &'a Bed) -> Result<Self> {
        let dir = bed.dir();
        let kubeconfig = dir.join("desktop.kubeconfig");
        std::fs::write(&kubeconfig, contexts(bed)?.to_string())?;
        let log = std::fs::File::create(dir.join("log/ui.log"))?;
        let mut ui = bed.command(env!("CARGO_BIN_EXE_pilothouse"));
        ui.args(["ui", "--no-open", "--port", "0", "--context", "*", "--kubeconfig"]).arg(kubeconfig);
        ui.arg("--data").arg(dir.join("ui")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut desktop = Self { bed, ui: ui.spawn().context("start pilothouse ui")? };
        let said = desktop.ui.stdout.take().context("it has no standard output")?;
        let link = BufReader::new(said).lines().map_while(Result::ok).find(|l| l.contains("/sign-in#token="));
        ensure!(link.is_some(), "no sign-in link: see log/ui.log");
        Ok(desktop)
    }

    /// A command of the terminal client, on the server's machine.
    fn run(&self, args: &[&str]) -> Result<String> {
        let mut client = self.bed.command(env!("CARGO_BIN_EXE_pilothouse"));
        client.args(args).arg("--data").arg(self.bed.dir().join("ui"));
        let out = client.stdin(Stdio::null()).output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?)
    }

    /// All lines of the writer, as the server gives them.
    fn logs(&self, cluster: &str) -> Result<String> {
        self.run(&["logs", &format!("{cluster}@default:writer"), "--all", "-o", "raw"])
    }

    fn clusters(&self) -> Result<Vec<Value>> {
        Ok(serde_json::from_str(&self.run(&["cluster", "list", "-o", "json"])?)?)
    }
}

impl Drop for Desktop<'_> {
    fn drop(&mut self) {
        let _ = self.ui.kill();
        let _ = self.ui.wait();
    }
}

/// The admin's kubeconfig with two more contexts.
fn contexts(bed: &Bed) -> Result<Value> {
    apply(bed, ROLE)?;
    let said = |args: &[&str]| anyhow::Ok(String::from_utf8(bed.kubectl(args)?.stdout)?);
    let token = said(&["create", "token", "dev"])?;
    let mut config: Value = serde_json::from_str(&said(&["config", "view", "--raw", "-o", "json"])?)?;
    let add = |list: &mut Value, item: Value| list.as_array_mut().map(|l| l.push(item));
    let cluster = config["clusters"][0]["name"].clone();
    config["contexts"][0]["name"] = json!("admin");
    config["current-context"] = json!("admin");
    add(&mut config["users"], json!({"name": "dev", "user": {"token": token.trim()}}));
    add(&mut config["clusters"], json!({"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}));
    let context = |name: &str, cluster: &Value| json!({"name": name, "context": {"cluster": cluster, "user": "dev", "namespace": "default"}});
    add(&mut config["contexts"], context("dev", &cluster));
    add(&mut config["contexts"], context("away", &json!("away")));
    Ok(config)
}
