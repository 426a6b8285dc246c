//! The testbed itself: a pod of the test image writes lines and kubectl reads them. So does the desktop form, with nothing installed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::{Bed, Options, wait_for, with_bed};

const WRITER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  restartPolicy: Never
  containers:
  - {name: lines, image: "bed.local/emitter:1", args: [lines, --rate, "1000", --count, "500"]}
"#;

#[test]
fn a_pod_writes_every_numbered_line() -> Result<()> {
    with_bed("a_pod_writes_every_numbered_line", &Options::default(), |bed| {
        apply(bed, WRITER)?;
        wait_for("the writer is done", Duration::from_secs(60), || {
            bed.kubectl(&["get", "pod", "writer", "-o", "jsonpath={.status.phase}"])
                .is_ok_and(|said| said.stdout == b"Succeeded")
        })?;
        let text = String::from_utf8(bed.kubectl(&["logs", "writer"])?.stdout)?;
        let numbers: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("seq=")?.split(' ').next()).collect();
        let wanted: Vec<String> = (1..=500).map(|number| number.to_string()).collect();
        assert_eq!(numbers, wanted);
        let desktop = Desktop::start(bed)?;
        wait_for("the desktop form shows every line", Duration::from_secs(30), || {
            desktop.logs().is_ok_and(|read| read == text)
        })
    })
}

/// `pilothouse ui` beside the cluster, over the admin's kubeconfig.
struct Desktop<'a> {
    bed: &'a Bed,
    ui: Child,
}

impl<'a> Desktop<'a> {
    fn start(bed: &'a Bed) -> Result<Self> {
        let dir = bed.dir();
        let log = std::fs::File::create(dir.join("log/ui.log"))?;
        let mut ui = bed.command(env!("CARGO_BIN_EXE_pilothouse"));
        ui.args(["ui", "--no-open", "--port", "0", "--kubeconfig"]).arg(dir.join("admin.kubeconfig"));
        ui.arg("--data").arg(dir.join("ui")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut desktop = Self { bed, ui: ui.spawn().context("start pilothouse ui")? };
        let said = desktop.ui.stdout.take().context("it has no standard output")?;
        let link = BufReader::new(said).lines().map_while(Result::ok).find(|l| l.contains("/sign-in#token="));
        ensure!(link.is_some(), "no sign-in link: see log/ui.log");
        Ok(desktop)
    }

    /// All lines of the writer, as the server gives them.
    fn logs(&self) -> Result<String> {
        let mut logs = self.bed.command(env!("CARGO_BIN_EXE_pilothouse"));
        logs.args(["logs", "default:writer", "--all", "-o", "raw", "--data"]).arg(self.bed.dir().join("ui"));
        let out = logs.stdin(Stdio::null()).output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?)
    }
}

impl Drop for Desktop<'_> {
    fn drop(&mut self) {
        let _ = self.ui.kill();
        let _ = self.ui.wait();
    }
}

/// `kubectl apply` of a manifest; an error carries what kubectl said.
pub fn apply(bed: &Bed, manifest: &str) -> Result<()> {
    let mut kubectl = bed.kubectl_command();
    let mut child = kubectl
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("kubectl has no standard input")?.write_all(manifest.as_bytes())?;
    let said = child.wait_with_output()?;
    ensure!(said.status.success(), "kubectl apply: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}
