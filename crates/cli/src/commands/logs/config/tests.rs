//! Ranks, faults, templates.

use clap::CommandFactory;

use super::*;
use crate::args::Cli;

fn root() -> Command {
    let mut root = Cli::command();
    root.build();
    root
}

fn flags(
    file: &str,
    vars: &[(&str, &str)],
    (given, alias): (&[&str], Option<&str>),
) -> Result<String, String> {
    let root = root();
    let command = root.find_subcommand("logs").unwrap();
    let file = parse(file).map_err(|f| f.join(" | "))?;
    let vars: Vec<(String, String)> = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let given = |id: &str| given.contains(&id);
    let (added, sources) =
        added(command, &given, (&file, &vars, alias)).map_err(|f| f.text().replace('\n', " | "))?;
    check(&root, &added).map_err(|f| f.text().replace('\n', " | "))?;
    Ok(added.into_iter().flat_map(|a| a.words).chain(sources).collect::<Vec<_>>().join(" "))
}

const FILE: &str = "
[logs]
output = 'json'
tail = 50
exclude = ['healthz', 'probe']
all-containers = true
strict = false
[logs.alias.errors]
sources = ['shop:deploy/web', 'api']
level = 'error,fatal'
tail = 7
";

#[test]
fn a_flag_wins_over_a_saved_command_over_the_environment_over_the_file() {
    let env: &[(&str, &str)] = &[("PILOTHOUSE_LOGS_TAIL", "20"), ("PILOTHOUSE_LOGS_COLOR", "never")];
    assert_eq!(
        flags(FILE, &[], (&[], None)).unwrap(),
        "--all-containers --exclude=healthz --exclude=probe --output=json --tail=50"
    );
    assert_eq!(
        flags(FILE, env, (&[], None)).unwrap(),
        "--color=never --tail=20 --all-containers --exclude=healthz --exclude=probe --output=json"
    );
    assert_eq!(
        flags(FILE, env, (&["exclude"], Some("errors"))).unwrap(),
        "--level=error,fatal --tail=7 --color=never --all-containers --output=json shop:deploy/web api"
    );
}

#[test]
fn what_excludes_a_flag_that_was_given_is_left_out() {
    assert_eq!(
        flags(FILE, &[], (&["all", "template"], None)).unwrap(),
        "--all-containers --exclude=healthz --exclude=probe",
        "--all excludes tail, --template excludes output"
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let file =
        "[logs]\noutptu = 'json'\nnothing = 1\n[logs.alias.a]\nlevle = 'x'\nsources = 3.5\ntail = {a = 1}\n";
    let text = flags(file, &[("PILOTHOUSE_LOGS_TIAL", "1")], (&[], None)).unwrap_err();
    for part in [
        "logs.outptu: there is no --outptu; did you mean output?",
        "logs.nothing: there is no --nothing",
        "logs.alias.a.levle: there is no --levle; did you mean level?",
        "logs.alias.a.tail: write a text",
        "PILOTHOUSE_LOGS_TIAL: there is no --tial; did you mean tail?",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let text = flags("[logs]\noutput = 'yaml'\ntail = 'many'\n", &[], (&[], None)).unwrap_err();
    assert!(text.contains("[logs] output") && text.contains("[logs] tail"), "{text}");
    let text = flags("[serve]\nx = 1\n[logs]\n[other]\n", &[], (&[], None)).unwrap_err();
    assert!(text.contains("serve: not known") && text.contains("other: not known"), "{text}");
    assert!(flags("", &[], (&[], Some("gone"))).unwrap_err().contains("none is saved"));
}

#[test]
fn the_template_has_every_flag_and_is_a_file_that_can_be_read() {
    let root = root();
    let command = root.find_subcommand("logs").unwrap();
    let text = template(command);
    assert_eq!(parse(&text).unwrap(), File::default());
    // With the marks of comments taken off the flags, each line is one that is known.
    let lines: String = text
        .lines()
        .filter_map(|l| l.strip_prefix("# ").filter(|l| l.contains(" = ") && !l.contains('`')))
        .filter(|l| !l.starts_with("sources = "))
        .map(|l| format!("{l}\n"))
        .collect();
    let flags: Vec<&str> = lines.lines().filter_map(|l| l.split_once(" = ").map(|(k, _)| k)).collect();
    let known: Vec<&str> =
        command.get_arguments().filter_map(clap::Arg::get_long).filter(|l| is_flag(command, l)).collect();
    for flag in known {
        assert!(flags.contains(&flag), "--{flag} is not in the template");
    }
}
