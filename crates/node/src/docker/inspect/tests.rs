//! Answers of an engine.

use expect_test::expect;

use super::*;
use crate::group::{Subject, show};

const RUNNING: &str = r#"{"Id": "c1", "Name": "/shop-web-1", "Created": "2026-11-20T10:00:00Z", "Image": "sha256:aa",
 "RestartCount": 2, "State": {"Status": "running", "Running": true, "Pid": 77, "ExitCode": 0, "OOMKilled": false,
   "StartedAt": "2026-11-20T12:00:00.5Z", "FinishedAt": "2026-11-20T11:59:00Z", "Health": {"Status": "unhealthy", "FailingStreak": 3}},
 "Config": {"Image": "shop/web:1", "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}},
 "HostConfig": {"NetworkMode": "bridge", "LogConfig": {"Type": "json-file", "Config": {}}}}"#;

#[test]
fn a_running_container() {
    let container = container(RUNNING.as_bytes()).unwrap();
    assert_eq!((container.name.as_str(), container.pid, container.exit_code), ("shop-web-1", 77, None));
    let mut group = Group::new(Subject::Container { id: container.id.clone() });
    points(&container, 1_795_176_010_000, &mut group);
    expect![[r#"
        container c1
          container.restarts 2 {restart} @1795176010000 since 1795168800000
          container.health 3 1 @1795176010000
          container.start_time 1795176000 s @1795176010000
          container.uptime 9 s @1795176010000 since 1795176000500
    "#]]
    .assert_eq(&show::groups(&[group]));
}

#[test]
fn a_container_that_ended_and_one_that_never_ran() {
    let ended = container(br#"{"Id": "c", "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true, "FinishedAt": "2026-11-20T11:59:00Z"}}"#).unwrap();
    assert_eq!((ended.exit_code, ended.oom_killed), (Some(137), true));
    let fresh = container(br#"{"Id": "c", "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}, "Config": {"Labels": null}}"#).unwrap();
    assert_eq!((fresh.started_ms, fresh.exit_code), (None, None));
}

#[test]
fn what_is_no_list_is_refused() {
    let error = listed(br#"{"message": "no"}"#).unwrap_err();
    assert!(error.to_string().starts_with("parse list of containers"), "{error}");
}
