//! The Docker host of the testbed: a container's json-file log holds what it wrote.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use testbed::{PackOptions, Program, docker, pack_image, program, ready_to_run, wait_for};

#[test]
fn a_container_writes_a_json_file_log() -> Result<()> {
    if !ready_to_run("a_container_writes_a_json_file_log")? {
        return Ok(());
    }
    let dir = std::env::temp_dir().join(format!("phdocker-{}", std::process::id()));
    let host = docker::start(&dir)?;
    let tar = dir.join("emitter.tar");
    pack_image(&tar, "bed.local/emitter:1", &program(Program::Emitter)?, &PackOptions::default())?;
    let id = host.run(&tar, &["bed.local/emitter:1", "lines", "--rate", "1000", "--count", "100"])?;
    let waited = host.command().args(["wait", &id]).output()?;
    assert_eq!(String::from_utf8_lossy(&waited.stdout).trim(), "0");
    let log = host.data_root().join(format!("containers/{id}/{id}-json.log"));
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    wait_for("the log holds all lines", std::time::Duration::from_secs(10), || lines() == 100)?;
    let text = fs::read_to_string(Path::new(&log)).with_context(|| format!("read {}", log.display()))?;
    assert!(text.lines().last().is_some_and(|line| line.contains("seq=100 ")), "{text}");
    Ok(())
}
