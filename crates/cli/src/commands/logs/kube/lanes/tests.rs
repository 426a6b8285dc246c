//! Several contexts in one timeline.

use std::sync::Arc;

use clap::Parser;
use futures::stream;
use ph_cluster::kube_logs::Position;

use super::*;
use crate::args::{Cli, Command};
use crate::commands::logs::output::{Around, Bounds, Clock, Look, Sink};

fn records(source: usize, lines: &[(i64, &str)]) -> LogEvent {
    let record = |(ts_ns, text): &(i64, &str)| Record {
        source,
        ts_ns: *ts_ns,
        stream: kube_logs::StreamName::Unknown,
        message: text.as_bytes().to_vec().into(),
        full_bytes: 0,
        flags: ph_model::LogFlags::default(),
        run: 0,
        position: Position { ts_ns: *ts_ns, ordinal: 0, hash: 0 },
        masked: None,
    };
    LogEvent::Records(lines.iter().map(record).collect())
}

fn joined(pod: &str) -> LogEvent {
    LogEvent::Joined(Arc::new(kube_logs::Source {
        pod: pod.into(),
        container: "app".into(),
        ..Default::default()
    }))
}

fn done() -> LogEvent {
    LogEvent::Summary(kube_logs::Summary { stopped: "done", completeness: "unproven", ..Default::default() })
}

async fn check(flags: &[&str], lanes: Vec<Vec<LogEvent>>) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut line = vec!["pilothouse", "logs", "x", "-o", "text", "--stats=off"];
    line.extend(flags);
    let Command::Logs(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("logs was asked for")
    };
    let now: jiff::Zoned = "2026-11-21T12:00:00+00:00[UTC]".parse().unwrap();
    let ask = Ask::new(&args, &now).unwrap();
    let around = Around { terminal: false, watched: false, no_colour: true, width: None };
    let look = Look::new(&args.view, &args.limits, (&ask.filter, around)).unwrap();
    let sink = Sink::file(&path, false).unwrap();
    let mut out = Output::new(look, Clock::new(jiff::tz::TimeZone::UTC), (sink, Bounds::default()));
    let streams =
        lanes.into_iter().enumerate().map(|(i, events)| (format!("c{i}"), stream::iter(events))).collect();
    let mut lanes = Lanes::new(streams, &ask, false);
    let end = lanes.run(&ask, &mut out).await.unwrap();
    let outcome = out.finish(&lanes.summary(), end);
    let said = outcome.map_or_else(|f| format!("{} {}", f.exit_code(), f.text()), |()| String::new());
    (std::fs::read_to_string(path).unwrap(), said)
}

fn two() -> Vec<Vec<LogEvent>> {
    vec![
        vec![
            joined("a"),
            records(0, &[(1, "one"), (3, "three")]),
            joined("b"),
            records(1, &[(5, "five")]),
            done(),
        ],
        vec![joined("a"), records(0, &[(2, "two"), (4, "four")]), done()],
    ]
}

#[tokio::test]
async fn the_smallest_time_goes_first_over_all_contexts() {
    let (out, said) = check(&["--all"], two()).await;
    assert_eq!(out, "c0@a app one\nc1@a app two\nc0@a app three\nc1@a app four\nc0@b app five\n");
    assert_eq!(said, "");
}

#[tokio::test]
async fn heads_and_tails_are_of_all_together() {
    let texts =
        |out: String| out.lines().map(|l| l.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(check(&["--tail=2"], two()).await.0), ["four", "five"]);
    assert_eq!(texts(check(&["--head=2"], two()).await.0), ["one", "two"]);
}

#[tokio::test]
async fn a_context_that_fails_hinders_no_other() {
    let bad = || vec![LogEvent::Failed { kind: ErrorKind::Unavailable, text: "no way there".into() }];
    let mut both = two();
    both.push(bad());
    let (out, said) = check(&["--all"], both).await;
    assert_eq!((out.lines().count(), said.as_str()), (5, ""));
    let (_, said) = check(&["--all"], vec![bad()]).await;
    assert_eq!(said, "6 no way there");
    let denied = vec![LogEvent::Failed { kind: ErrorKind::Denied, text: "forbidden".into() }];
    assert_eq!(check(&["--all"], vec![denied]).await.1, "5 forbidden");
}
