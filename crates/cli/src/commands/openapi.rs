//! `pilothouse openapi`

use std::io::Write;

use crate::failure::Outcome;
use crate::out;

/// Print the OpenAPI document of this version's API, as a server gives it at /api/v1/openapi.json.
#[derive(clap::Args, Debug)]
pub struct Args {}

pub fn run() -> Outcome {
    let mut out = out::stdout();
    writeln!(out, "{}", ph_server::openapi())?;
    out.flush()?;
    Ok(())
}
