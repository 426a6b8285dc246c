//! Opaque credentials: session tokens, one-time links, join tokens, device secrets; and the records they are checked against.
//!
//! In:     256 bits of the operating system's randomness; the text a client presents.
//! Out:    the text, shown once, and its SHA-256, which alone is stored.
//! Never:  keeps or prints the text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ph_model::{OrgId, Secret, SessionId, UserId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::error::{Error, Refused};
use crate::role::Role;
use crate::tenant::{Actor, Origin, TenantCtx};

/// What an opaque credential is for; its prefix says so, and one kind is never accepted in place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpaqueKind {
    Session,
    SignInLink,
    Join,
    Device,
}

impl OpaqueKind {
    pub fn prefix(self) -> &'static str {
        match self {
            OpaqueKind::Session => "phs_",
            OpaqueKind::SignInLink => "phl_",
            OpaqueKind::Join => "phj_",
            OpaqueKind::Device => "phd_",
        }
    }
}

/// SHA-256 of an opaque credential: what is stored and looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Compares without telling by time where two hashes differ.
    pub fn matches(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A credential of 256 random bits with a prefix that names its kind.
#[derive(Clone)]
pub struct Opaque {
    kind: OpaqueKind,
    text: Secret<String>,
}

impl Opaque {
    /// A new one. `Unavailable` when the system has no randomness.
    pub fn generate(kind: OpaqueKind) -> Result<Self, Error> {
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random::<32>()?));
        Ok(Self { kind, text: Secret::new(text) })
    }

    /// Reads what a client presents; anything but the exact form of this kind is `Malformed`.
    pub fn parse(kind: OpaqueKind, text: &str) -> Result<Self, Refused> {
        let body = text.strip_prefix(kind.prefix()).ok_or(Refused::Malformed)?;
        if body.len() != 43 {
            return Err(Refused::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| Refused::Malformed)?;
        if bytes.len() != 32 {
            return Err(Refused::Malformed);
        }
        Ok(Self { kind, text: Secret::new(text.to_owned()) })
    }

    pub fn kind(&self) -> OpaqueKind {
        self.kind
    }

    /// The text to show once.
    pub fn text(&self) -> &Secret<String> {
        &self.text
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.text.expose().as_bytes()).into())
    }
}

/// A session as the state store keeps it, with the member it belongs to.
#[derive(Clone, Debug)]
pub struct StoredSession {
    pub id: SessionId,
    pub org: OrgId,
    pub user: UserId,
    pub email: String,
    pub role: Role,
    pub token: TokenHash,
    /// Whether user, membership and organisation are all active.
    pub active: bool,
    pub created_ms: i64,
    pub last_used_ms: i64,
    /// Absolute end.
    pub expires_ms: i64,
}

impl StoredSession {
    /// A session unused for this long is over.
    pub const IDLE_MS: i64 = 12 * 3_600_000;
    /// A session is over this long after sign-in, used or not.
    pub const ABSOLUTE_MS: i64 = 7 * 24 * 3_600_000;

    /// The tenant, when `presented` is this session's token and the session still lives.
    pub fn admit(&self, presented: &Opaque, origin: Origin, now_ms: i64) -> Result<TenantCtx, Refused> {
        if presented.kind() != OpaqueKind::Session || !presented.hash().matches(&self.token) {
            return Err(Refused::Unknown);
        }
        self.alive(now_ms)?;
        let actor = Actor::User { id: self.user, email: self.email.clone() };
        Ok(TenantCtx::verified(self.org, actor, Some(self.role), origin).in_session(self.id))
    }

    /// Whether the session may still be used at `now_ms`.
    pub fn alive(&self, now_ms: i64) -> Result<(), Refused> {
        if now_ms >= self.expires_ms || now_ms - self.last_used_ms >= Self::IDLE_MS {
            return Err(Refused::Expired);
        }
        if self.active { Ok(()) } else { Err(Refused::Suspended) }
    }
}

/// A one-time sign-in link as the state store keeps it.
#[derive(Clone, Debug)]
pub struct StoredLink {
    pub id: Uuid,
    pub org: OrgId,
    pub user: UserId,
    pub email: String,
    pub role: Role,
    pub token: TokenHash,
    pub active: bool,
    pub expires_ms: i64,
    pub used_ms: Option<i64>,
}

impl StoredLink {
    pub const LIFE_MS: i64 = 30 * 60_000;

    /// The tenant that the link signs in. The caller still has to spend it, in one transaction with the new session.
    pub fn admit(&self, presented: &Opaque, origin: Origin, now_ms: i64) -> Result<TenantCtx, Refused> {
        if presented.kind() != OpaqueKind::SignInLink || !presented.hash().matches(&self.token) {
            return Err(Refused::Unknown);
        }
        if self.used_ms.is_some() {
            return Err(Refused::Revoked);
        }
        if now_ms >= self.expires_ms {
            return Err(Refused::Expired);
        }
        if !self.active {
            return Err(Refused::Suspended);
        }
        let actor = Actor::User { id: self.user, email: self.email.clone() };
        Ok(TenantCtx::verified(self.org, actor, Some(self.role), origin))
    }
}

/// A terminal's sign-in as the state store keeps it, once a signed-in person has approved it.
#[derive(Clone, Debug)]
pub struct StoredDevice {
    pub secret: TokenHash,
    pub org: OrgId,
    pub user: UserId,
    pub email: String,
    pub role: Role,
    pub active: bool,
    pub expires_ms: i64,
}

impl StoredDevice {
    pub const LIFE_MS: i64 = 10 * 60_000;

    /// The tenant that approved. The caller still has to spend the approval, in one transaction with the new session.
    pub fn admit(&self, presented: &Opaque, origin: Origin, now_ms: i64) -> Result<TenantCtx, Refused> {
        if presented.kind() != OpaqueKind::Device || !presented.hash().matches(&self.secret) {
            return Err(Refused::Unknown);
        }
        if now_ms >= self.expires_ms {
            return Err(Refused::Expired);
        }
        if !self.active {
            return Err(Refused::Suspended);
        }
        let actor = Actor::User { id: self.user, email: self.email.clone() };
        Ok(TenantCtx::verified(self.org, actor, Some(self.role), origin))
    }
}

/// A code that a person reads in a terminal and confirms in a browser: `KRTB-7M4Q`, 40 bits, no look-alikes.
pub fn device_code() -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let bytes = random::<8>()?;
    let mut code = String::with_capacity(9);
    for (i, b) in bytes.iter().enumerate() {
        if i == 4 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(b & 31)]));
    }
    Ok(code)
}

/// `N` bytes of the operating system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
