//! Which lines each flag chooses; that every flag is in the guide; that flags mean what their filter's text means.

use std::sync::Arc;

use clap::CommandFactory;
use ph_filter::Compiled;
use ph_model::Level;

use super::*;

/// The seconds of the lines that are shown.
fn seconds(bed: &Bed, flags: &[&str]) -> String {
    let mut line = vec!["--template", "{ts:%S}"];
    line.extend(flags);
    bed.shown(&line)
        .lines()
        .map(|l| l.trim_start_matches('0'))
        .map(|l| if l.is_empty() { "0" } else { l })
        .collect::<Vec<_>>()
        .join(" ")
}

fn check(flags: &str, expected: &str) {
    let flags: Vec<&str> = flags.split(' ').filter(|f| !f.is_empty()).collect();
    assert_eq!(seconds(&Bed::new(), &flags), expected, "{flags:?}");
}

#[test]
fn ranges_choose() {
    check("--tail=2", "4 5");
    check("--tail", "0 1 2 3 4 5");
    check("--tail=0", "");
    check("--head=2", "0 1");
    check("--all", "0 1 2 3 4 5");
    check("--since 2026-11-21T14:00:04Z", "4 5");
    check("--until 2026-11-21T14:00:01Z", "0 1");
    check("--since 2026-11-21T14:00:01Z --until 2026-11-21T14:00:03Z", "1 2 3");
    check("--after 2026-11-21T14:00:03Z", "4 5");
    check("--before 2026-11-21T14:00:03Z --tail=2", "1 2");
    check("--since 2026-11-21T14:00:01Z --tail=1", "5");
}

#[test]
fn searches_choose() {
    check("-g timeout", "5");
    check("-g Refused", "");
    check("-g REFUSED --ignore-case", "2");
    check("-g timeout --case-sensitive", "");
    check("-g served|refused", "1 2");
    check("-g served|refused -F", "");
    check("-g serve", "1");
    check("-g serve -w", "");
    check("-g served -w", "1");
    check("-g served -v", "0 2 3 4 5");
    check("-i served -i refused", "1 2");
    check("-e served -e refused", "0 3 4 5");
    check("-g o -e timeout -i slow", "3");
    check("--level error", "2 5");
    check("--level error,warn", "2 3 5");
    check("--level >=warn", "2 3 5");
    check("--level unknown", "4");
    check("--where status>=500", "2");
    check("--where status=200 --where user.id=u1", "1");
    check("--stream stderr", "2 5");
    check("--where status>=200 --level info", "1");
}

#[test]
fn context_and_stops() {
    check("-g refused -C 1", "1 2 3");
    check("-g refused --before-lines 2", "0 1 2");
    check("-g refused --after-lines 2", "2 3 4");
    check("-g served|refused -C 1", "0 1 2 3");
    check("--tail=1 -i served -i refused -C 1", "1 2 3");
    check("--all -m 2", "0 1");
    check("--all --limit-bytes 6", "0 1");
}

#[test]
fn runs_choose() {
    let bed = Bed::new();
    let dir = format!("shop_web-1_{UID}/app");
    bed.file(&format!("{dir}/1.log"), &cri(10, "stdout", "run one"));
    bed.file(&format!("{dir}/2.log"), &(cri(20, "stdout", "run two") + &cri(21, "stdout", "goes on")));
    assert_eq!(seconds(&bed, &[]), "20 21");
    assert_eq!(seconds(&bed, &["-p"]), "10");
    assert_eq!(seconds(&bed, &["--previous=2", "--tail=1"]), "5");
    assert_eq!(seconds(&bed, &["--previous=9"]), "");
    assert_eq!(seconds(&bed, &["--restarts", "1"]), "10");
    assert_eq!(seconds(&bed, &["--restarts", "all", "--tail=3"]), "10 20 21");
    assert_eq!(seconds(&bed, &["-g", "run"]), "10 20", "a search is over all runs");
    assert_eq!(seconds(&bed, &["--restarts", "current", "-g", "run"]), "20");
    assert_eq!(seconds(&bed, &["--restarts", "2", "--head=1"]), "20");
}

#[test]
fn each_source_has_its_own_lines() {
    let bed = Bed::new();
    bed.file(&format!("shop_db-0_{UID}/pg/0.log"), &(cri(8, "stdout", "a") + &cri(9, "stdout", "b")));
    let all = format!("file:{}", bed.dir.path().display());
    let times = |flags: &[&str]| {
        let mut line = vec![all.as_str(), "--template", "{ts:%S}"];
        line.extend(flags);
        bed.run(&line).2.replace('\n', " ")
    };
    assert_eq!(times(&["--tail=1"]), "09 ");
    assert_eq!(times(&["--tail=1", "--per-source"]), "05 09 ");
    assert_eq!(times(&["--head=1", "--per-source"]), "00 08 ");
}

#[test]
fn cursors_go_on_and_back() {
    let bed = Bed::new();
    let cursors: Vec<String> =
        bed.shown(&["--all", "--template", "{cursor}"]).lines().map(str::to_owned).collect();
    assert_eq!(cursors.len(), LINES.len());
    assert_eq!(seconds(&bed, &["--at", &cursors[2], "-C", "1"]), "1 2 3");
    assert_eq!(seconds(&bed, &["--at", &cursors[2]]), "0 1 2 3 4 5");
    assert_eq!(seconds(&bed, &["--before", &cursors[3], "--tail=2"]), "1 2");
    // A position names a line's first byte: what is after it begins with the line itself.
    assert_eq!(seconds(&bed, &["--after", &cursors[4]]), "4 5");
    let source = bed.source();
    let other = bed.file("other.log", &cri(0, "stdout", "x"));
    let (code, said, _) = bed.run(&[&format!("file:{}", other.display()), "--at", &cursors[2]]);
    assert_eq!((code, said.contains("another file")), (3, true), "{said}");
    let (code, _, _) = bed.run(&[&source, "--at", "pc1_AAAA"]);
    assert_eq!(code, 2);
}

#[test]
fn every_flag_is_in_the_guide() {
    let guide = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/logs.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let mut root = Cli::command();
    root.build();
    let logs = root.find_subcommand("logs").unwrap();
    let missing: Vec<String> = logs
        .get_arguments()
        .filter_map(|a| a.get_long())
        .filter(|l| !matches!(*l, "help" | "log" | "version"))
        .filter(|l| !guide.contains(&format!("--{l}")))
        .map(|l| format!("--{l}"))
        .collect();
    assert!(missing.is_empty(), "not in docs/guide/logs.md: {}", missing.join(" "));
}

struct Seen(String);

impl ph_filter::Record for Seen {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> Level {
        ph_filter::level_of(self.0.as_bytes()).0
    }
    fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn field(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        ph_filter::field(self.0.as_bytes(), name)
    }
}

proptest::proptest! {
    /// What goes to a server as text means what the flags mean here.
    #[test]
    fn flags_mean_what_their_filters_text_means(
        grep in proptest::option::of("[a-cA-C.|]{1,4}"),
        include in proptest::collection::vec("[a-c ]{1,3}", 0..3),
        exclude in proptest::collection::vec("[a-c\"'\\\\]{1,3}", 0..3),
        level in proptest::option::of(proptest::sample::select(vec!["error", ">=warn", "info,unknown"])),
        switches in proptest::array::uniform4(proptest::bool::ANY),
        messages in proptest::collection::vec("(ERROR |WARN )?[a-cA-C \"'\\\\.]{0,12}", 1..20),
    ) {
        let [fixed_strings, word_regexp, ignore_case, invert] = switches;
        let flags = super::super::args::Search {
            invert_match: invert && grep.is_some(),
            grep, fixed_strings, word_regexp, ignore_case, include, exclude,
            level: level.map(str::to_owned),
            ..super::super::args::Search::default()
        };
        // What is no expression is refused before anything is asked.
        if let Ok(filter) = super::super::matching::filter(&flags) {
            let text = super::super::matching::text(&filter);
            let again = ph_filter::query::parse_filter(&text)
                .map_err(|e| proptest::test_runner::TestCaseError::fail(format!("{text}: {e}")))?;
            let (one, two) = (Arc::new(Compiled::new(&filter).unwrap()), Compiled::new(&again).unwrap());
            for message in messages {
                let seen = Seen(message);
                proptest::prop_assert_eq!(one.matches(&seen), two.matches(&seen), "{} on {:?}", text, seen.0);
            }
        }
    }
}
