//! One question, two ways to the answer: through the node's agent and straight from the Kubernetes API.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{Bed, Options, with_bed};

use super::bed::apply;
use super::stack::Stack;

/// More lines than a page holds, of every sort that a program writes: JSON, logfmt, klog, both streams, blanks, colours,
/// carriage returns, bytes that are no text, lines of several pieces.
const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: loud, labels: {app: loud}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: bed.local/busybox:1
    command:
    - sh
    - -c
    - |
      i=0
      while [ $i -lt 1200 ]; do
        echo "{\"level\":\"info\",\"status\":200,\"n\":$i,\"message\":\"served\"}"
        echo "level=warn msg=\"slow request\" n=$i" >&2
        i=$((i+1))
      done
      echo
      echo "E1121 10:00:00.000000       1 main.go:7] cannot connect"
      printf 'red \033[31mERROR\033[0m plain\n'
      printf 'progress 10%%\rprogress 90%%\r\n'
      printf 'broken \377\376 bytes\n'
      head -c 40000 /dev/zero | tr '\0' 'x'; echo " end of the long one"
      # The engine copies both streams side by side: this one waits until the other is surely written.
      sleep 2
      echo "last line"
      sleep 86400
  - name: side
    image: bed.local/busybox:1
    command: [sh, -c, "echo of the side; sleep 86400"]
---
apiVersion: v1
kind: Pod
metadata: {name: stuck, labels: {app: stuck}}
spec:
  containers:
  - {name: app, image: "bed.local/there-is-no-such-image:1", imagePullPolicy: Never}
"#;

/// Of a record what both ways must tell alike: not the names that only one of them has, nor what marks the way itself.
const ALIKE: [&str; 9] =
    ["ts", "namespace", "pod", "pod_uid", "container", "restart", "level", "message", "message_b64"];

const QUESTIONS: [&[&str]; 10] = [
    &["loud", "--all", "--restarts", "current"],
    &["loud", "--tail", "9"],
    &["loud", "--head=5"],
    &["pod/loud", "--tail", "3", "-g", "slow"],
    &["loud", "--all", "-g", "cannot|ERROR", "-C", "2"],
    &["loud", "--all", "--level", ">=error"],
    &["loud", "--head=4", "--where", "status>=200 and n>=150"],
    &["loud/*", "--tail", "2", "--per-source"],
    &["-l", "app in (loud)", "--all", "-g", "xxxx"],
    &["~^lou", "--all", "-g", "last", "--field-selector", "status.phase=Running"],
];

/// The records of a command's output, without what may differ.
fn records(stdout: &[u8]) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    for line in String::from_utf8_lossy(stdout).lines() {
        let value: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        if value.get("type") == Some(&Value::from("record")) {
            let kept = ALIKE.iter().map(|key| value.get(*key).cloned().unwrap_or(Value::Null));
            out.push(Value::Array(kept.collect()));
        }
    }
    Ok(out)
}

fn both(stack: &Stack<'_>, bed: &Bed, question: &[&str]) -> Result<[std::process::Output; 2]> {
    let data = stack.data();
    let config = bed.dir().join("admin.kubeconfig").display().to_string();
    let ways = [["--backend=agent", "--data", &data], ["--backend=kube", "--kubeconfig", &config]];
    let run = |way: [&str; 3]| {
        let mut client = stack.client(&["logs", "-n", "default", "-o", "json", "--yes"]);
        client.args(way).args(question).output()
    };
    let [agent, kube] = ways;
    Ok([run(agent)?, run(kube)?])
}

#[test]
fn both_ways_give_the_same_records_and_say_what_a_container_waits_for() -> Result<()> {
    let name = "both_ways_give_the_same_records_and_say_what_a_container_waits_for";
    with_bed(name, &Options::default(), |bed| {
        let stack = Stack::start(bed)?;
        apply(bed, PODS)?;
        stack.join("harbor", "observe")?;
        let tail = serde_json::json!({"sources": [{"namespace": "default", "pod": "loud"}], "limit": 1});
        testbed::wait_for("the agent reads the last line", std::time::Duration::from_secs(180), || {
            stack.post("/api/v1/logs/query", &tail).is_ok_and(|page| page.to_string().contains("last line"))
        })?;
        for question in QUESTIONS {
            let [agent, kube] = both(&stack, bed, question)?;
            let said = |out: &std::process::Output| String::from_utf8_lossy(&out.stderr).into_owned();
            ensure!(agent.status.success(), "{question:?} by the agent: {}", said(&agent));
            ensure!(kube.status.success(), "{question:?} by the API: {}", said(&kube));
            let (agent, kube) = (records(&agent.stdout)?, records(&kube.stdout)?);
            ensure!(!agent.is_empty(), "{question:?}: no record");
            ensure!(agent.len() == kube.len(), "{question:?}: {} and {} records", agent.len(), kube.len());
            for (one, other) in agent.iter().zip(&kube) {
                ensure!(one == other, "{question:?}: {one} by the agent, {other} by the API");
            }
        }
        for out in both(&stack, bed, &["stuck"])? {
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let marker = text.lines().find(|l| l.contains(r#""kind":"waiting""#)).unwrap_or_default();
            ensure!(marker.contains("there-is-no-such-image"), "{text} {out:?}");
        }
        Ok(())
    })
}
