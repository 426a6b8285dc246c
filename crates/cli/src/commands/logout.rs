//! `pilothouse logout`

use ph_model::Secret;
use reqwest::Method;

use crate::api::{Api, origin_name};
use crate::credentials;
use crate::failure::{Failure, Outcome};

/// End this terminal's session and forget it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Server to sign out of. Default: the one signed in to last.
    #[arg(value_name = "URL", env = "PILOTHOUSE_SERVER")]
    server: Option<String>,
}

pub async fn run(args: Args) -> Outcome {
    let mut known = credentials::load()?;
    let name = match args.server.or(known.current.clone()) {
        Some(server) => origin_name(&server)?,
        None => return Err(Failure::failed("this terminal is not signed in to any server")),
    };
    let Some(signed) = known.servers.remove(&name) else {
        let others: Vec<_> = known.servers.keys().cloned().collect();
        let failure = Failure::failed(format!("this terminal is not signed in to {name}"));
        return Err(if others.is_empty() {
            failure
        } else {
            failure.next(format!("signed in to {}", others.join(", ")))
        });
    };
    if known.current.as_deref() == Some(name.as_str()) {
        known.current = known.servers.keys().next().cloned();
    }
    // An API key is no session: it is forgotten here and stays good until it is revoked.
    let is_session = signed.token.starts_with("phs_");
    let ended = if is_session {
        let api = Api::new(&name, signed.ca.as_deref())?.with_token(Secret::new(signed.token));
        api.send::<()>(Method::POST, "auth/sign-out", None).await.map(drop)
    } else {
        Ok(())
    };
    credentials::save(&known)?;
    match ended {
        Ok(()) if is_session => eprintln!("signed out of {name}"),
        Ok(()) => eprintln!("the key for {name} is forgotten here; `pilothouse key revoke ID` ends it"),
        Err(e) if e.exit_code() == crate::failure::code::DENIED => {
            eprintln!("the session at {name} was over already")
        }
        Err(e) => eprintln!(
            "forgotten here, but {name} was not told ({}); the session ends there by itself",
            e.text()
        ),
    }
    Ok(())
}
