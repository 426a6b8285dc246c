//! The tree itself, and every command line that the repository shows: manifests, units, guide.

use std::path::PathBuf;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

#[test]
fn the_tree_is_sound_and_every_argument_is_explained() {
    let mut command = Cli::command();
    command.build();
    command.clone().debug_assert();
    let mut unexplained = Vec::new();
    walk(&command, &mut |c, path| {
        if c.get_about().is_none() {
            unexplained.push(path.to_owned());
        }
        for a in c.get_arguments().filter(|a| a.get_help().is_none()) {
            unexplained.push(format!("{path} {}", a.get_id()));
        }
    });
    assert!(unexplained.is_empty(), "without help: {unexplained:?}");
}

#[test]
fn no_argument_takes_a_token() {
    let mut command = Cli::command();
    command.build();
    walk(&command, &mut |c, path| {
        for a in c.get_arguments().filter(|a| a.get_action().takes_values()) {
            let name = a.get_id().as_str();
            let secret = ["token", "password", "secret", "key"].iter().any(|word| name.contains(word));
            assert!(!secret || name.ends_with("_file") || name == "identity_secret", "{path} {name}");
        }
    });
}

fn walk(command: &clap::Command, see: &mut dyn FnMut(&clap::Command, &str)) {
    fn step(command: &clap::Command, path: &str, see: &mut dyn FnMut(&clap::Command, &str)) {
        see(command, path);
        for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
            step(sub, &format!("{path} {}", sub.get_name()), see);
        }
    }
    step(command, command.get_name(), see);
}

fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests")).join("../..")
}

/// Fails with what clap says, unless it only lacks what a reader fills in.
fn accepted(line: &[String], place: &str) {
    if let Err(e) = Cli::try_parse_from(line)
        && !matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
    {
        panic!("{place}: {}\n{e}", line.join(" "));
    }
}

#[test]
fn the_manifests_arguments_are_known() {
    let mut lines = 0;
    for file in ["agents.yaml", "server.yaml"] {
        let text = std::fs::read_to_string(root().join("deploy/manifests").join(file)).unwrap();
        // What the server fills in, and what Kubernetes does.
        let names = ["URL", "CLUSTER_ID", "CLUSTER_NAME", "TIER", "CA", "TOKEN", "IMAGE", "LOG_REDACTION"];
        let text = names.iter().fold(text, |text, name| text.replace(&format!("{{{{{name}}}}}"), "x"));
        let text = text
            .replace("$(CLUSTER_ID)", "01a1fe3c-a9e3-729b-86f2-00da1ca20baf")
            .replace("$(CEILING)", "debug")
            .replace("$(LOG_REDACTION)", "on");
        let text = text.replace("$(NODE_IP)", "10.0.0.4");
        let documents = serde_yaml_ng::Deserializer::from_str(&text);
        for document in documents {
            let value: serde_json::Value = serde::Deserialize::deserialize(document).unwrap();
            for containers in ["initContainers", "containers"] {
                let list = value.pointer(&format!("/spec/template/spec/{containers}"));
                for container in list.and_then(|l| l.as_array()).into_iter().flatten() {
                    let args = container.pointer("/args").and_then(|a| a.as_array()).unwrap();
                    let mut line = vec!["pilothouse".to_owned()];
                    line.extend(args.iter().map(|a| a.as_str().unwrap().to_owned()));
                    accepted(&line, file);
                    lines += 1;
                }
            }
        }
    }
    assert!(lines >= 4, "only {lines} containers were found");
}

#[test]
fn the_units_commands_are_known() {
    for file in ["pilothouse.service", "pilothouse-agent.service"] {
        let text = std::fs::read_to_string(root().join("deploy/systemd").join(file)).unwrap();
        let command = text.lines().find_map(|l| l.strip_prefix("ExecStart=/usr/bin/")).unwrap();
        accepted(&command.split(' ').map(str::to_owned).collect::<Vec<_>>(), file);
    }
}

#[test]
fn the_guides_commands_are_known() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("docs/guide")).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(root().join("README.md"));
    let mut lines = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap().replace("\\\n", " ");
        let mut fenced = false;
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if let Some(command) = line.trim_start().strip_prefix("pilothouse ").filter(|_| fenced) {
                accepted(&words(command), &file.display().to_string());
                lines += 1;
            }
        }
    }
    assert!(lines >= 20, "only {lines} commands were found");
}

/// The words of a shell's line up to its first pipe, redirection or comment; quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec!["pilothouse".to_owned()];
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('|' | '>' | '<' | ';' | '#', None) => break,
            (' ', None) => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            (c, _) => word.push(c),
        }
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    words
}
