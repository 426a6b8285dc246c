//! `pilothouse config init|show|path|edit`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use crate::args::Cli;
use crate::commands::logs::config as logs;
use crate::failure::{Doing, Failure, Outcome};
use crate::out;

/// The file of flags: where it is, what it says.
///
/// Each flag of `logs` can stand in it below `[logs]`, and commands can be saved as `[logs.alias.NAME]`.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Write a file with every flag explained, none set.
    Init,
    /// Print what the file and the environment set, and what is wrong with it.
    Show(FileArg),
    /// Print where the file is.
    Path,
    /// Open the file in $VISUAL or $EDITOR, then say what is wrong with it.
    Edit,
}

#[derive(clap::Args, Debug)]
pub struct FileArg {
    /// Another file than ~/.config/pilothouse/config.toml.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CONFIG")]
    config: Option<PathBuf>,
}

pub fn run(command: Command) -> Outcome {
    match command {
        Command::Init => {
            let path = logs::path()?;
            init(&path)?;
            println(&format!("{}: every flag is explained in it", path.display()))
        }
        Command::Path => println(&logs::path()?.display().to_string()),
        Command::Show(file) => show(file.config.as_deref()),
        Command::Edit => edit(),
    }
}

fn println(text: &str) -> Outcome {
    let mut out = out::stdout();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn described() -> clap::Command {
    let mut root = Cli::command();
    root.build();
    root
}

fn logs_command(root: &clap::Command) -> Result<&clap::Command, Failure> {
    root.find_subcommand("logs").ok_or_else(|| Failure::failed("logs is no command"))
}

fn init(path: &Path) -> Outcome {
    let root = described();
    let text = logs::template(logs_command(&root)?);
    let act = || format!("write {}", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).doing(act)?;
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(
                Failure::usage(format!("{} exists already", path.display())).next("pilothouse config edit")
            );
        }
        other => other.doing(act)?,
    };
    file.write_all(text.as_bytes()).doing(act)
}

fn show(named: Option<&Path>) -> Outcome {
    let root = described();
    let file = logs::read(named)?;
    let added = logs::shown(logs_command(&root)?, &file)?;
    logs::check(&root, &added)?;
    let mut out = out::stdout();
    for one in &added {
        writeln!(out, "{}   ({})", one.words.join(" "), one.from)?;
    }
    for (name, values) in &file.alias {
        let words: Vec<String> = values.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        writeln!(out, "@{name}: {}", words.join(", "))?;
    }
    out.flush()?;
    Ok(())
}

fn edit() -> Outcome {
    let path = logs::path()?;
    if !path.exists() {
        init(&path)?;
    }
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // It may have arguments of its own: `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = std::process::Command::new(program).args(words).arg(&path).status().map_err(|e| {
        Failure::failed(format!("start {program}: {e}")).next("set EDITOR to an editor that is installed")
    })?;
    if !status.success() {
        return Err(Failure::failed(format!("{program} ended with {status}"))
            .next("the file is as the editor left it"));
    }
    show(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_writes_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/config.toml");
        init(&path).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("# output = "));
        assert_eq!(init(&path).unwrap_err().exit_code(), 2);
    }
}
