//! `pilothouse completions SHELL`

use std::io::Write;

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Outcome;
use crate::out;

/// Print the completions of a shell.
///
/// bash: `pilothouse completions bash > /etc/bash_completion.d/pilothouse`;
/// zsh: `pilothouse completions zsh > "${fpath[1]}/_pilothouse"`;
/// fish: `pilothouse completions fish > ~/.config/fish/completions/pilothouse.fish`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pilothouse", &mut script);
    let mut out = out::stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(())
}
