//! Flags of `logs` from elsewhere than the command line: saved commands, the environment, the file.
//!
//! In:     `[logs]` and `[logs.alias.NAME]` of config.toml, `PILOTHOUSE_LOGS_*`.
//! Out:    one argument list. A flag wins over the saved command, that over the environment, that over the file.
//! Never:  passes over a key that it does not know: all of them are told at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};

use crate::credentials;
use crate::failure::{Doing, Failure, code};

const PREFIX: &str = "PILOTHOUSE_LOGS_";

/// Values by long flag, as they were written.
type Values = BTreeMap<String, toml::Value>;

/// What config.toml holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    pub logs: Values,
    pub alias: BTreeMap<String, Values>,
}

/// A flag that the command line does not have itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    pub flag: String,
    /// As arguments: `--flag=value`, or `--flag`.
    pub words: Vec<String>,
    /// Where it comes from, for people.
    pub from: String,
}

/// The file that is read unless another is named.
pub fn path() -> Result<PathBuf, Failure> {
    Ok(credentials::config_dir()?.join("config.toml"))
}

/// The argument list with what the environment, the file and a saved command add; `None` when they add nothing.
/// `root` makes the whole command line's description, built; it is asked for only when there is something to add.
pub fn filled(
    argv: &[OsString],
    logs: &ArgMatches,
    root: impl FnOnce() -> Command,
) -> Result<Option<Vec<OsString>>, Failure> {
    let vars: Vec<(String, String)> = std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    let alias =
        logs.get_many::<String>("sources").and_then(|mut s| s.next()).and_then(|s| s.strip_prefix('@'));
    let file = read(logs.get_one::<PathBuf>("config").map(PathBuf::as_path))?;
    if vars.is_empty() && alias.is_none() && file == File::default() {
        return Ok(None);
    }
    let root = root();
    let command =
        root.find_subcommand("logs").ok_or_else(|| Failure::new(code::INTERNAL, "logs is no command"))?;
    let given = |id: &str| logs.value_source(id) == Some(ValueSource::CommandLine);
    let (added, sources) = added(command, &given, (&file, &vars, alias))?;
    let Some(place) = argv.iter().skip(1).position(|word| word == "logs").map(|i| i + 2) else {
        return Ok(None);
    };
    let (head, tail) = argv.split_at(place);
    let mut out: Vec<OsString> = head.to_vec();
    out.extend(added.iter().flat_map(|a| &a.words).map(OsString::from));
    out.extend(sources.iter().map(OsString::from));
    // The saved command's own name is its first SOURCE.
    let mut named = alias.map(|name| OsString::from(format!("@{name}")));
    out.extend(tail.iter().filter(|word| named.as_ref() != Some(word) || named.take().is_none()).cloned());
    if let Err(error) = root.clone().try_get_matches_from(&out)
        && error.use_stderr()
    {
        check(&root, &added)?;
    }
    Ok(Some(out))
}

/// What is not on the command line, by rank.
fn added(
    command: &Command,
    given: &dyn Fn(&str) -> bool,
    (file, vars, alias): (&File, &[(String, String)], Option<&str>),
) -> Result<(Vec<Added>, Vec<String>), Failure> {
    let mut faults = faults(command, file);
    let mut layers: Vec<(String, Values)> = Vec::new();
    let mut sources = Vec::new();
    if let Some(name) = alias {
        let Some(saved) = file.alias.get(name) else {
            let known: Vec<&str> = file.alias.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none is saved".to_owned()
            } else {
                format!("saved are {}", known.join(", "))
            };
            return Err(Failure::usage(format!("@{name}: no such saved command; {known}"))
                .next(format!("write it into the file below [logs.alias.{name}]: pilothouse config edit")));
        };
        let mut saved = saved.clone();
        sources = saved.remove("sources").map(|v| texts(&v).unwrap_or_default()).unwrap_or_default();
        layers.push((format!("[logs.alias.{name}]"), saved));
    }
    let mut env = Values::new();
    for (name, value) in vars {
        let flag = name.trim_start_matches(PREFIX).to_lowercase().replace('_', "-");
        match is_flag(command, &flag) {
            true => drop(env.insert(flag, toml::Value::String(value.clone()))),
            false => faults.push(format!("{name}: there is no --{flag}{}", nearest(command, &flag))),
        }
    }
    layers.push(("the environment".to_owned(), env));
    layers.push(("[logs]".to_owned(), file.logs.clone()));
    if !faults.is_empty() {
        return Err(Failure::usage(faults.join("\n")).next(
            "`pilothouse logs --help` lists the flags; each can stand in the file without its dashes",
        ));
    }
    let mut set: Vec<&clap::Arg> = command.get_arguments().filter(|a| given(a.get_id().as_str())).collect();
    let mut out = Vec::new();
    for (from, values) in &layers {
        for (flag, value) in values {
            let Some(arg) = argument(command, flag) else { continue };
            let excluded = |other: &&clap::Arg| {
                other.get_id() == arg.get_id()
                    || command.get_arg_conflicts_with(arg).iter().any(|c| c.get_id() == other.get_id())
                    || command.get_arg_conflicts_with(other).iter().any(|c| c.get_id() == arg.get_id())
            };
            if set.iter().any(excluded) {
                continue;
            }
            let words = words(arg, flag, value);
            if !words.is_empty() {
                set.push(arg);
                out.push(Added { flag: flag.clone(), words, from: from.clone() });
            }
        }
    }
    Ok((out, sources))
}

/// The file, if there is one. A file that was named must be there.
pub fn read(named: Option<&Path>) -> Result<File, Failure> {
    let path = match named {
        Some(path) => path.to_owned(),
        // Without a home there is no file.
        None => match path() {
            Ok(path) => path,
            Err(_) => return Ok(File::default()),
        },
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => return Ok(File::default()),
        Err(e) => return Err(e).doing(|| format!("read {}", path.display())),
    };
    parse(&text).map_err(|faults| {
        Failure::usage(format!("{}:\n  {}", path.display(), faults.join("\n  ")))
            .next("pilothouse config edit")
    })
}

/// Parses the file's shape; which flags there are is looked at later.
pub fn parse(text: &str) -> Result<File, Vec<String>> {
    let table: toml::Table =
        text.parse().map_err(|e: toml::de::Error| vec![e.to_string().trim().to_owned()])?;
    let mut file = File::default();
    let mut faults = Vec::new();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("logs", toml::Value::Table(logs)) => {
                for (key, value) in logs {
                    match (key.as_str(), value) {
                        ("alias", toml::Value::Table(aliases)) => {
                            for (name, value) in aliases {
                                match value {
                                    toml::Value::Table(t) => {
                                        drop(file.alias.insert(name, t.into_iter().collect()))
                                    }
                                    _ => faults.push(format!(
                                        "logs.alias.{name}: write it as a table, [logs.alias.{name}]"
                                    )),
                                }
                            }
                        }
                        (_, value) => drop(file.logs.insert(key, value)),
                    }
                }
            }
            ("logs", _) => faults.push("logs: write it as a table, [logs]".to_owned()),
            _ => faults.push(format!("{key}: not known; there is [logs] and [logs.alias.NAME]")),
        }
    }
    if faults.is_empty() { Ok(file) } else { Err(faults) }
}

/// Everything that is wrong with a file's flags and values.
pub fn faults(command: &Command, file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    let mut look = |place: &str, values: &Values, alias: bool| {
        for (key, value) in values {
            if alias && key == "sources" {
                if texts(value).is_none() {
                    faults.push(format!("{place}.sources: write a list of texts"));
                }
                continue;
            }
            if !is_flag(command, key) {
                faults.push(format!("{place}.{key}: there is no --{key}{}", nearest(command, key)));
            } else if texts(value).is_none() {
                faults.push(format!(
                    "{place}.{key}: write a text, a number, true or false, or a list of texts"
                ));
            }
        }
    };
    look("logs", &file.logs, false);
    for (name, values) in &file.alias {
        look(&format!("logs.alias.{name}"), values, true);
    }
    faults
}

/// Which of the flags of the file have values that cannot be used; all of them.
pub fn check(root: &Command, added: &[Added]) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for one in added {
        let line = ["pilothouse", "logs"].into_iter().map(str::to_owned).chain(one.words.iter().cloned());
        if let Err(e) = root.clone().try_get_matches_from(line)
            && matches!(
                e.kind(),
                clap::error::ErrorKind::InvalidValue
                    | clap::error::ErrorKind::ValueValidation
                    | clap::error::ErrorKind::UnknownArgument
                    | clap::error::ErrorKind::TooManyValues
            )
        {
            let text = e.to_string();
            let why = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            faults.push(format!("{} {}: {why}", one.from, one.flag));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => {
            Err(Failure::usage(faults.join("\n")).next("pilothouse config edit; or the variable's value"))
        }
    }
}

/// Flags of a file as arguments: for `config show`.
pub fn shown(command: &Command, file: &File) -> Result<Vec<Added>, Failure> {
    let vars: Vec<(String, String)> = std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    added(command, &|_| false, (file, &vars, None)).map(|(added, _)| added)
}

/// A template of the file: every flag with its explanation, none set.
pub fn template(command: &Command) -> String {
    let mut text = String::from(
        "# Pilothouse, command line. Each flag of `pilothouse logs` can stand here without its dashes.\n\
         # A flag on the command line wins over a saved command, that over PILOTHOUSE_LOGS_*, that over this file.\n\n[logs]\n",
    );
    for arg in command.get_arguments().filter(|a| a.get_long().is_some_and(|l| is_flag(command, l))) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let value = match arg.get_action() {
            ArgAction::SetTrue => "true".to_owned(),
            ArgAction::Append => "[\"…\"]".to_owned(),
            _ => "\"…\"".to_owned(),
        };
        text.push_str(&format!(
            "# {}\n# {} = {value}\n",
            help.replace('\n', " "),
            arg.get_long().unwrap_or_default()
        ));
    }
    text.push_str(
        "\n# A saved command: pilothouse logs @web-errors\n# [logs.alias.web-errors]\n# sources = [\"shop:deploy/web\"]\n\
         # level = \"error,fatal\"\n# since = \"1h\"\n",
    );
    text
}

/// Flags that have no place in a file.
const NEVER: [&str; 5] = ["help", "version", "config", "log", "stdin"];

fn is_flag(command: &Command, name: &str) -> bool {
    !NEVER.contains(&name) && argument(command, name).is_some()
}

fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a clap::Arg> {
    command.get_arguments().find(|a| a.get_long() == Some(name))
}

fn nearest(command: &Command, name: &str) -> String {
    let all = command.get_arguments().filter_map(clap::Arg::get_long);
    ph_filter::query::closest(name, all).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// A value as texts; `None` for tables and dates.
fn texts(value: &toml::Value) -> Option<Vec<String>> {
    Some(match value {
        toml::Value::String(s) => vec![s.clone()],
        toml::Value::Integer(n) => vec![n.to_string()],
        toml::Value::Float(f) => vec![f.to_string()],
        toml::Value::Boolean(b) => vec![b.to_string()],
        toml::Value::Array(list) if list.iter().all(|v| !v.is_array()) => {
            list.iter().map(texts).collect::<Option<Vec<_>>>()?.concat()
        }
        _ => return None,
    })
}

fn words(arg: &clap::Arg, flag: &str, value: &toml::Value) -> Vec<String> {
    let texts = texts(value).unwrap_or_default();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return match texts.first().map(String::as_str) {
            Some("true" | "1" | "yes" | "on") => vec![format!("--{flag}")],
            Some("false" | "0" | "no" | "off" | "") | None => Vec::new(),
            // Told as a value that does not fit.
            Some(other) => vec![format!("--{flag}={other}")],
        };
    }
    texts.into_iter().map(|text| format!("--{flag}={text}")).collect()
}

#[cfg(test)]
mod tests;
