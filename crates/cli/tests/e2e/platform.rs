//! The product as people meet it: a cluster is connected, its troubles are explained, its logs follow, its pods are entered.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::{Bed, Options, wait_for, with_bed};

use super::bed::apply;
use super::stack::Stack;

const QUOTE: &str = "fatal: no route to the database";

const WORKLOADS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: crasher}
spec:
  replicas: 1
  selector: {matchLabels: {app: crasher}}
  template:
    metadata: {labels: {app: crasher}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: bed.local/busybox:1
        command: [sh, -c, "echo 'starting up'; echo 'fatal: no route to the database' | tee /dev/termination-log; exit 3"]
---
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: box, image: "bed.local/busybox:1", command: [sh, -c, "echo ready; sleep 86400"]}
"#;

fn text<'a>(v: &'a Value, pointer: &str) -> &'a str {
    v.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn items(v: &Value) -> &[Value] {
    v.get("items").and_then(Value::as_array).or(v.as_array()).map_or(&[], Vec::as_slice)
}

#[test]
fn a_crash_loop_is_seen_explained_followed_and_entered() -> Result<()> {
    with_bed("a_crash_loop_is_seen_explained_followed_and_entered", &Options::default(), |bed| {
        let stack = Stack::start(bed)?;
        apply(bed, WORKLOADS)?;
        let joined = Instant::now();
        stack.join("harbor", "debug")?;
        stack.wait_for("both agents are connected", "/api/v1/agents", 120, |v| {
            items(v).iter().filter(|a| text(a, "/status") == "connected").count() == 2
        })?;
        stack.wait_for("pods are known", "/api/v1/objects/pods?namespace=default", 60, |v| {
            items(v).len() >= 2
        })?;
        let pods = stack.read("/api/v1/objects/pods?namespace=default")?;
        let shell =
            items(&pods).iter().find(|p| text(p, "/name") == "shell").context("no pod called shell")?;
        let metrics = format!("/api/v1/pods/{}/metrics", text(shell, "/uid"));
        stack
            .wait_for("a pod has metrics", &metrics, 90, |v| v.get("newest_ms").is_some_and(Value::is_i64))?;
        println!("pod metrics {} ms after the join", joined.elapsed().as_millis());
        stack.wait_for("the problem quotes its cause", "/api/v1/problems", 120, |v| {
            items(v).iter().any(|p| text(p, "/object/name") == "crasher" && p.to_string().contains(QUOTE))
        })?;
        stack.wait_for("events are stored", "/api/v1/events?namespace=default", 60, |v| {
            !items(v).is_empty()
        })?;
        let page = stack
            .post("/api/v1/logs/query", &json!({"sources": [{"namespace": "default", "pod": "shell"}]}))?;
        ensure!(page.to_string().contains("ready"), "the log of pod shell lacks its line: {page}");
        browse(&stack)?;
        // The browser set a password, which ended every other session.
        stack.sign_in()?;
        let audit = stack.read("/api/v1/audit?action=exec")?;
        ensure!(
            items(&audit)
                .iter()
                .any(|r| text(r, "/action") == "exec.open" && text(r, "/object").contains("shell")),
            "no audit row: {audit}"
        );
        let verified = stack.read("/api/v1/audit/verify")?;
        ensure!(verified.get("intact") == Some(&Value::Bool(true)), "the audit chain is broken: {verified}");
        Ok(())
    })
}

fn browse(stack: &Stack<'_>) -> Result<()> {
    let script = format!("{}/../../web/e2e/crash-loop.mjs", std::env::var("CARGO_MANIFEST_DIR")?);
    let out = Command::new("node")
        .arg(script)
        .env("URL", stack.url())
        .env("LINK", stack.sign_in_link()?)
        .env("WORKLOAD", "crasher")
        .env("QUOTE", QUOTE)
        .env("LINE", "starting up")
        .env("CLUSTER", "harbor")
        .env("SHELL_POD", "shell")
        .env("PICTURES", stack.pictures())
        .output()
        .context("node runs the browser; make setup installs what it needs")?;
    print!("{}", String::from_utf8_lossy(&out.stdout));
    ensure!(out.status.success(), "in the browser: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

const WRITER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  restartPolicy: Never
  containers:
  - {name: lines, image: "bed.local/emitter:1", args: [lines, --rate, "2000", --count, "60000", --bytes, "120"]}
"#;
const LAST: u64 = 60_000;

/// Rotation is made quick, so that half a minute crosses several. In the middle the server is killed, then the node-agent
/// while the server is away, then the node-agent again while both work.
#[test]
fn numbered_lines_arrive_once_across_rotation_a_killed_server_and_a_killed_agent() -> Result<()> {
    let options = Options { log_max_size: "2Mi".into(), log_monitor: "3s".into(), ..Options::default() };
    let name = "numbered_lines_arrive_once_across_rotation_a_killed_server_and_a_killed_agent";
    with_bed(name, &options, |bed| {
        let mut stack = Stack::start(bed)?;
        stack.join("harbor", "observe")?;
        stack.wait_for("both agents are connected", "/api/v1/agents", 120, |v| {
            items(v).iter().filter(|a| text(a, "/status") == "connected").count() == 2
        })?;
        apply(bed, WRITER)?;
        wait_for("a quarter is stored", PATIENCE, || newest_stored(&stack) >= Some(LAST / 4))?;
        stack.kill_server()?;
        let at = newest_written(bed).context("the writer wrote nothing")?;
        wait_for("lines wait in their files", PATIENCE, || newest_written(bed) >= Some(at + 2_000))?;
        kill_node_agent(bed)?;
        wait_for("more lines wait", PATIENCE, || newest_written(bed) >= Some(at + 6_000))?;
        stack.serve()?;
        wait_for("what waited is stored", PATIENCE, || newest_stored(&stack) >= Some(at + 8_000))?;
        ensure!(newest_written(bed) < Some(LAST), "the writer ended before the second kill");
        kill_node_agent(bed)?;
        let seen = wait_for_stored(&stack)?;
        ensure!(seen.len() as u64 == LAST, "{} of {LAST} lines are in the store", seen.len());
        ensure!(seen.iter().zip(1..).all(|(a, b)| *a == b), "lines are missing or twice");
        Ok(())
    })
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Number of the newest line in the store.
fn newest_stored(stack: &Stack<'_>) -> Option<u64> {
    let tail = json!({"sources": [{"namespace": "default", "pod": "writer"}], "origin": "store", "limit": 1});
    number(text(&stack.post("/api/v1/logs/query", &tail).ok()?, "/records/0/message"))
}

/// Number of the newest line that the writer wrote.
fn newest_written(bed: &Bed) -> Option<u64> {
    let said = bed.kubectl(&["logs", "writer", "--tail=1"]).ok()?;
    number(String::from_utf8_lossy(&said.stdout).trim())
}

/// SIGKILL to the program in the node-agent's pod; waits until the kubelet has started another.
fn kill_node_agent(bed: &Bed) -> Result<()> {
    let running = || {
        let of_agent = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|word| word == b"node-agent")
        };
        bed.pids("pilothouse").into_iter().find(of_agent)
    };
    let pid = running().context("no node-agent runs in the bed")?;
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    ensure!(killed.success(), "kill -KILL {pid} failed");
    wait_for("the kubelet starts the node-agent again", PATIENCE, || running().is_some_and(|p| p != pid))
}

/// Numbers of all stored lines, in order, once the last has arrived; pages back through the store.
fn wait_for_stored(stack: &Stack<'_>) -> Result<Vec<u64>> {
    wait_for("the last line is stored", PATIENCE, || newest_stored(stack) == Some(LAST))?;
    let mut numbers = Vec::new();
    let mut before = Value::Null;
    loop {
        let mut ask =
            json!({"sources": [{"namespace": "default", "pod": "writer"}], "origin": "store", "limit": 1000});
        if before.is_string() {
            ask["before"] = before;
        }
        let page = stack.post("/api/v1/logs/query", &ask)?;
        let records = page.get("records").and_then(Value::as_array).context("a page without records")?;
        let mut older: Vec<u64> = records.iter().filter_map(|r| number(text(r, "/message"))).collect();
        older.append(&mut numbers);
        numbers = older;
        before = page.get("prev").cloned().unwrap_or(Value::Null);
        if !before.is_string() {
            return Ok(numbers);
        }
    }
}

fn number(message: &str) -> Option<u64> {
    message.strip_prefix("seq=")?.split(' ').next()?.parse().ok()
}
