//! `pilothouse login URL`
//!
//! Out:    a session or an API key in the credentials file.
//! Source: the flow of RFC 8628: the terminal shows a code, a signed-in person confirms it in the browser.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use ph_api::{DeviceGranted, DevicePoll, DeviceStarted, Me};
use ph_model::Secret;
use reqwest::{Method, StatusCode};

use crate::api::{Api, origin_name, read_ca};
use crate::credentials::{self, Signed};
use crate::failure::{Doing, Failure, Outcome, code};

/// Sign this terminal in to a server.
///
/// Shows a code and the address where a signed-in person confirms it. The session is kept in credentials.json below
/// $XDG_CONFIG_HOME/pilothouse, readable by you alone.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse login https://ops.example.org\n  pilothouse login https://10.0.0.5:8000 --ca ca.pem\n  pilothouse login https://ops.example.org --key-stdin < key.txt"
)]
pub struct Args {
    /// Address of the server.
    #[arg(value_name = "URL")]
    server: String,
    /// PEM file of the authority that signed the server's certificate; kept with the sign-in.
    #[arg(long, value_name = "FILE", env = "PILOTHOUSE_CA")]
    ca: Option<PathBuf>,
    /// Read an API key from standard input instead: for scripts.
    #[arg(long)]
    key_stdin: bool,
}

pub async fn run(args: Args) -> Outcome {
    let name = origin_name(&args.server)?;
    let mut known = credentials::load()?;
    let ca = match &args.ca {
        Some(file) => Some(read_ca(file)?),
        None => known.servers.get(&name).and_then(|s| s.ca.clone()),
    };
    let api = Api::new(&name, ca.as_deref())?;
    let mut signed = if args.key_stdin { by_key(api, &name).await? } else { by_device(api).await? };
    signed.ca = ca;
    eprintln!("signed in to {name} as {}, organisation {}", signed.email, signed.organisation);
    known.servers.insert(name.clone(), signed);
    known.current = Some(name);
    credentials::save(&known)
}

async fn by_key(api: Api, server: &str) -> Result<Signed, Failure> {
    let key = secret_from_stdin("API key")?;
    if !key.expose().starts_with("phk_") {
        return Err(Failure::usage("what came on standard input is no API key: those begin with phk_")
            .next("make one with `pilothouse key create NAME`, or in the browser"));
    }
    let api = api.with_token(key.clone());
    let me: Me = api.get("me").await.map_err(|e| match e.exit_code() {
        code::DENIED => Failure::new(code::DENIED, format!("{server} does not take this API key: {}", e.text()))
            .next("copy the key whole; a revoked or lost one is replaced with `pilothouse key create NAME`, or in the browser"),
        _ => e,
    })?;
    let email = if me.email.is_empty() { me.name } else { me.email };
    Ok(Signed { token: key.expose().clone(), email, organisation: me.org.slug, expires_ms: None, ca: None })
}

/// One line of standard input; on a terminal it is asked for.
pub fn secret_from_stdin(what: &str) -> Result<Secret<String>, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("{what}: ");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).doing(|| format!("read the {what} from standard input"))?;
    let text = line.trim();
    if text.is_empty() {
        return Err(Failure::usage(format!("no {what} came on standard input")));
    }
    Ok(Secret::new(text.to_owned()))
}

async fn by_device(api: Api) -> Result<Signed, Failure> {
    let started: DeviceStarted = api.post("auth/device", &serde_json::json!({})).await?;
    eprintln!("Open {}\nand confirm the code {}", started.verify_url, started.code);
    let ask = DevicePoll { device_secret: started.device_secret };
    let pause = Duration::from_millis(started.poll_ms.clamp(500, 30_000));
    loop {
        tokio::time::sleep(pause).await;
        if jiff::Timestamp::now().as_millisecond() > started.expires_ms {
            return Err(
                Failure::new(code::DENIED, "nobody confirmed the code in time").next("run this again")
            );
        }
        let answer = match api.send(Method::POST, "auth/device/poll", Some(&ask)).await {
            Ok(answer) => answer,
            Err(e) if e.exit_code() == code::UNREACHABLE => {
                tracing::warn!(error = e.text(), "the server does not answer; still waiting");
                continue;
            }
            Err(e) => return Err(e.code(code::DENIED)),
        };
        if answer.status() == StatusCode::ACCEPTED {
            continue;
        }
        let granted: DeviceGranted = api.answer(answer).await?;
        return Ok(Signed {
            token: granted.token,
            email: granted.email,
            organisation: granted.org.slug,
            expires_ms: Some(granted.expires_ms),
            ca: None,
        });
    }
}
