//! `pilothouse sign-in-link [USER]`

use std::io::Write;
use std::path::PathBuf;

use crate::failure::Outcome;
use crate::{local, out};

/// Make a one-time link that signs a member in, on the server's machine.
///
/// The link works once and for 30 minutes. Opening it lets the member set a password. Making it leaves an audit row.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse sign-in-link\n  pilothouse sign-in-link ann@example.org --data /var/lib/pilothouse"
)]
pub struct Args {
    /// Address of the member, or what stands before its `@`. Default: the owner.
    #[arg(value_name = "USER")]
    user: Option<String>,
    /// The server's data directory. Default: $XDG_DATA_HOME/pilothouse.
    #[arg(long, value_name = "DIR", env = "PILOTHOUSE_DATA")]
    data: Option<PathBuf>,
}

pub async fn run(args: Args) -> Outcome {
    let data = local::data_dir(args.data.as_deref())?;
    let marker = local::marker(&data)?;
    let (token, member) = local::link(&data, args.user.as_deref()).await?;
    let mut out = out::stdout();
    writeln!(out, "{}", ph_server::auth::link_text(&marker.public_url, &token))?;
    out.flush()?;
    eprintln!("signs {} in, once, within 30 minutes", member.email);
    Ok(())
}
