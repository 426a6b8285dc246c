//! What only someone with the data directory may do: make a sign-in link.
//!
//! In:     the data directory of a server on this machine; the server may run meanwhile.
//! Never:  over the network.

use std::path::Path;

use ph_access::{Entry, Opaque, OpaqueKind, Origin, TenantCtx};
use ph_model::Secret;
use ph_store::state::{NewLink, State};
use serde::Deserialize;
use url::Url;

use super::link_text;
use crate::clock::Clock;
use crate::gateway::error::Error;

#[derive(Deserialize)]
struct Marker {
    public_url: String,
}

/// A one-time link for the person with this e-mail address, good for 30 minutes and recorded in the audit chain.
pub async fn sign_in_link(data: &Path, email: &str, clock: &Clock) -> Result<Secret<String>, Error> {
    if !data.join("state.db").exists() {
        return Err(Error::Config(format!(
            "{} holds no server's data; run this on the server's machine, with the same --data and as the same user",
            data.display()
        )));
    }
    let now = clock.now_ms();
    let state = State::open(data, now).await?;
    let made = make(&state, email, now).await;
    state.close().await;
    Ok(Secret::new(link_text(&public_url(data)?, &made?)))
}

async fn make(state: &State, email: &str, now: i64) -> Result<Secret<String>, Error> {
    let Some(member) = state.member_by_email(email).await? else {
        let known = known(state).await?;
        return Err(Error::Config(format!("no user {email}; users are: {}", known.join(", "))));
    };
    let origin = Origin { user_agent: "sign-in-link".to_owned(), ..Origin::default() };
    let ctx = TenantCtx::system(member.org, "sign-in-link").seen_from(origin);
    let token = Opaque::generate(OpaqueKind::SignInLink)?;
    let link = NewLink { token: token.hash(), created_ms: now };
    let entry = Entry::change("sign_in_link.create", format!("user {}", member.email));
    state.create_link(&ctx, member.user, link, entry).await?;
    Ok(token.text().clone())
}

async fn known(state: &State) -> Result<Vec<String>, Error> {
    let mut emails = Vec::new();
    for org in state.organisation_ids().await? {
        let members = state.members(&TenantCtx::system(org, "sign-in-link")).await?;
        emails.extend(members.into_iter().map(|m| m.email));
    }
    emails.sort_unstable();
    emails.dedup();
    Ok(emails)
}

/// Where the server was last started with this data.
fn public_url(data: &Path) -> Result<Url, Error> {
    let path = data.join("server.json");
    let text =
        std::fs::read(&path).map_err(|cause| Error::File { act: "read", path: path.clone(), cause })?;
    let marker: Marker = serde_json::from_slice(&text).map_err(|_| Error::KeyFile { path: path.clone() })?;
    marker.public_url.parse().map_err(|_| Error::KeyFile { path })
}
