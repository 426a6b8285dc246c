//! `pilothouse version`

use serde_json::json;

use crate::failure::Outcome;
use crate::out;

/// Print the version of this binary.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: out::Format,
}

pub fn run(args: &Args) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    match args.output {
        out::Format::Table => {
            use std::io::Write;
            let mut out = out::stdout();
            writeln!(out, "pilothouse {version} ({target})")?;
            out.flush()?;
            Ok(())
        }
        out::Format::Json => out::json(&json!({"version": version, "target": target})),
    }
}
