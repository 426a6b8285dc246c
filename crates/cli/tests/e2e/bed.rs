//! The testbed itself: a pod of the test image writes lines and kubectl reads them. So does the desktop form, with nothing installed.

use std::io::Write;
use std::process::Stdio;
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
        super::desktop::shows(bed, &text)
    })
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
