//! What flags mean together.

use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

fn ask(flags: &[&str]) -> Result<Ask, u8> {
    let mut line = vec!["pilothouse", "logs", "x"];
    line.extend(flags);
    let Command::Logs(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("logs was asked for")
    };
    let now: Zoned = "2026-11-21T12:00:00+00:00[UTC]".parse().unwrap();
    Ask::new(&args, &now).map_err(|f| f.exit_code())
}

#[test]
fn a_number_of_lines_is_asked_for_in_words_that_help() {
    assert_eq!(lines("5"), Ok(5));
    assert!(lines("-1").unwrap_err().contains("--all"));
    assert!(lines("ten").unwrap_err().contains("number of lines"));
}

#[test]
fn defaults_depend_on_what_is_asked() {
    let of = |flags: &[&str]| ask(flags).map(|a| (a.extent, a.runs));
    assert_eq!(of(&[]), Ok((Extent::Tail(10), Runs::Current)));
    assert_eq!(of(&["-f"]), Ok((Extent::Tail(10), Runs::Current)));
    assert_eq!(of(&["--since=1h"]), Ok((Extent::All, Runs::All)));
    assert_eq!(of(&["--since=1h", "--tail=5"]), Ok((Extent::Tail(5), Runs::All)));
    assert_eq!(of(&["--before=1h"]), Ok((Extent::Tail(10), Runs::All)));
    assert_eq!(of(&["-g", "x"]), Ok((Extent::Tail(10), Runs::All)));
    assert_eq!(of(&["--count"]), Ok((Extent::All, Runs::All)));
    assert_eq!(of(&["--all", "--restarts=current"]), Ok((Extent::All, Runs::Current)));
    assert_eq!(of(&["-p"]), Ok((Extent::Tail(10), Runs::Previous(1))));
    assert_eq!(of(&["--head"]), Ok((Extent::Head(10), Runs::Current)));
    assert_eq!(of(&["--restarts=x"]), Err(2));
}

#[test]
fn bounds_are_as_they_are_named() {
    let ns = |text: &str| i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap();
    let a = ask(&["--since=2026-11-21T10:00:00Z", "--until=2026-11-21T11:00:00Z"]).unwrap();
    assert_eq!(
        (a.from_ns, a.to_ns),
        (Some(ns("2026-11-21T10:00:00Z")), Some(ns("2026-11-21T11:00:00Z") + 1))
    );
    let a = ask(&["--after=2026-11-21T10:00:00Z"]).unwrap();
    assert_eq!((a.from_ns, a.after), (Some(ns("2026-11-21T10:00:00Z") + 1), None));
    let a = ask(&["--before=2026-11-21T10:00:00Z"]).unwrap();
    assert_eq!((a.to_ns, a.before), (Some(ns("2026-11-21T10:00:00Z")), None));
    let a = ask(&["--after=pp1_abc"]).unwrap();
    assert_eq!((a.from_ns, a.after.as_deref()), (None, Some("pp1_abc")));
    let a = ask(&["--at=pc1_abc"]).unwrap();
    assert_eq!((a.lines_before, a.lines_after), (5, 5));
    assert_eq!(ask(&["--since=1h", "--until=2h"]).map(|_| ()), Err(2));
}
