//! The server's own machine: what its data directory lets its owner do without a sign-in.
//!
//! In:     the data directory: `state.db`, `server.json` (where the server listens), `tls/ca.pem`.
//! Out:    one-time sign-in links; a session of the owner for one command. Each leaves its audit row.

use std::path::{Path, PathBuf};

use ph_access::{Entry, Opaque, OpaqueKind, Role, TenantCtx};
use ph_api::LinkSignIn;
use ph_model::{OrgId, Secret};
use ph_store::state::{MemberRecord, NewLink, State};
use reqwest::Method;
use serde::Deserialize;

use crate::api::Api;
use crate::credentials;
use crate::failure::{Doing, Failure};

/// What the server writes about itself at each start.
#[derive(Debug)]
pub struct Marker {
    pub public_url: url::Url,
    pub pid: u32,
}

#[derive(Deserialize)]
struct MarkerFile {
    public_url: String,
    pid: u32,
}

/// The data directory: as given, else the default.
pub fn data_dir(given: Option<&Path>) -> Result<PathBuf, Failure> {
    given.map_or_else(credentials::data_dir, |d| Ok(d.to_owned()))
}

/// What the server in `data` last wrote about itself.
pub fn marker(data: &Path) -> Result<Marker, Failure> {
    let path = data.join("server.json");
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Failure::failed(format!("no server has run with the data directory {}: {e}", data.display()))
            .next("start it (`pilothouse serve`), or name its directory with --data DIR")
    })?;
    let act = || format!("read {}", path.display());
    let file: MarkerFile = serde_json::from_str(&text).doing(act)?;
    Ok(Marker { public_url: file.public_url.parse().doing(act)?, pid: file.pid })
}

/// A one-time link for a member, by address, by what stands before its `@`, or (without a name) for the owner. Recorded.
pub async fn link(data: &Path, user: Option<&str>) -> Result<(Secret<String>, MemberRecord), Failure> {
    if !data.join("state.db").is_file() {
        return Err(Failure::failed(format!("{} holds no state of a server", data.display())).next(
            "run this on the server's machine, as the server's user; name its directory with --data DIR",
        ));
    }
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let state = State::open(data, now_ms).await?;
    let made = make_link(&state, user, now_ms).await;
    state.close().await;
    made
}

/// The same with the state of a server that runs in this process.
pub async fn make_link(
    state: &State,
    user: Option<&str>,
    now_ms: i64,
) -> Result<(Secret<String>, MemberRecord), Failure> {
    let mut members: Vec<(OrgId, MemberRecord)> = Vec::new();
    for org in state.organisation_ids().await? {
        let ctx = TenantCtx::system(org, "sign-in-link");
        members.extend(state.members(&ctx).await?.into_iter().map(|m| (org, m)));
    }
    let (org, member) = pick(members, user)?;
    let token = Opaque::generate(OpaqueKind::SignInLink)?;
    let ctx = TenantCtx::system(org, "sign-in-link");
    let new = NewLink { token: token.hash(), created_ms: now_ms };
    let entry = Entry::change("sign_in_link.create", format!("user {}", member.email));
    state.create_link(&ctx, member.user, new, entry).await?;
    Ok((token.text().clone(), member))
}

fn pick(members: Vec<(OrgId, MemberRecord)>, user: Option<&str>) -> Result<(OrgId, MemberRecord), Failure> {
    let known: Vec<String> = members.iter().map(|(_, m)| m.email.clone()).collect();
    let means = |m: &MemberRecord| match user {
        None => m.role == Role::Owner,
        Some(name) => {
            m.email.eq_ignore_ascii_case(name)
                || m.email.split_once('@').is_some_and(|(local, _)| local.eq_ignore_ascii_case(name))
        }
    };
    let mut meant = members.into_iter().filter(|(_, m)| means(m));
    match (meant.next(), meant.next(), user) {
        (Some(one), None, _) | (Some(one), Some(_), None) => Ok(one),
        (Some(_), Some(_), Some(name)) => Err(Failure::usage(format!("`{name}` is more than one member"))
            .next(format!("give the whole address; members are {}", known.join(", ")))),
        (None, ..) => Err(Failure::failed(format!("no member is called {}", user.unwrap_or("owner")))
            .next(format!("members are {}", known.join(", ")))),
    }
}

/// A session of the owner at the server that runs with `data`, for this command alone.
pub async fn open(data: &Path) -> Result<Api, Failure> {
    let marker = marker(data)?;
    let ca = std::fs::read_to_string(data.join("tls/ca.pem")).ok();
    let api = Api::new(marker.public_url.as_str(), ca.as_deref())?;
    let (token, _) = link(data, None).await?;
    let ask = LinkSignIn { token: token.expose().clone() };
    let answer = api.send(Method::POST, "auth/link", Some(&ask)).await?;
    let cookie = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|v| v.to_str().ok()?.split(';').next()?.split_once('='))
        .find(|(name, _)| matches!(*name, "__Host-ph" | "ph"))
        .map(|(_, token)| Secret::new(token.to_owned()));
    let session = cookie
        .ok_or_else(|| Failure::failed(format!("{} gave no session for its own link", marker.public_url)))?;
    Ok(api.with_token(session).borrowed())
}
