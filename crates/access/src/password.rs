//! Passwords: argon2id, what is refused, and what is stored.
//!
//! In:     10–128 bytes that a person chose.
//! Out:    a PHC string; a check that costs the same whether or not the account has a password.
//! Never:  limits how many run at once (each takes 19 MiB); the caller does.
//! Source: RFC 9106; OWASP's parameters m=19456 KiB, t=2, p=1.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ph_model::{OrgId, Secret, UserId};

use crate::credential::random;
use crate::error::{Error, Refused};
use crate::role::Role;
use crate::tenant::{Actor, Origin, TenantCtx};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A stored password in PHC form.
#[derive(Clone, Debug)]
pub struct PasswordHash(pub Secret<String>);

/// Why a new password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    #[error("password is shorter than 10 bytes")]
    TooShort,
    #[error("password is longer than 128 bytes")]
    TooLong,
    #[error("password is one of the commonest; choose another")]
    Common,
    #[error("password contains the e-mail address; choose another")]
    Address,
}

/// Whether `password` may be chosen by the owner of `email`.
pub fn check_password(password: &str, email: &str) -> Result<(), PasswordFault> {
    if password.len() < 10 {
        return Err(PasswordFault::TooShort);
    }
    if password.len() > 128 {
        return Err(PasswordFault::TooLong);
    }
    let lower = password.to_lowercase();
    if COMMON.lines().any(|word| word == lower) {
        return Err(PasswordFault::Common);
    }
    if !email.is_empty() && lower.contains(&email.to_lowercase()) {
        return Err(PasswordFault::Address);
    }
    Ok(())
}

/// Hashes a password. Blocks for tens of milliseconds and takes 19 MiB.
pub fn hash_password(password: &Secret<String>) -> Result<PasswordHash, Error> {
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(Error::Password)?;
    let hash = hasher()?.hash_password(password.expose().as_bytes(), &salt).map_err(Error::Password)?;
    Ok(PasswordHash(Secret::new(hash.to_string())))
}

impl PasswordHash {
    /// Whether `password` is the one. Without a stored hash the same work is done and the answer is no.
    /// Blocks for tens of milliseconds and takes 19 MiB.
    pub fn verify(stored: Option<&PasswordHash>, password: &Secret<String>) -> Result<bool, Error> {
        let Some(stored) = stored else {
            hash_password(password)?;
            return Ok(false);
        };
        let parsed = argon2::password_hash::PasswordHash::new(stored.0.expose()).map_err(Error::Password)?;
        Ok(hasher()?.verify_password(password.expose().as_bytes(), &parsed).is_ok())
    }
}

/// A member of an organisation as the state store keeps it, for signing in by password.
#[derive(Clone, Debug)]
pub struct StoredMember {
    pub org: OrgId,
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    /// Whether user, membership and organisation are all active.
    pub active: bool,
    pub password: Option<PasswordHash>,
}

impl StoredMember {
    /// The tenant, when `password` is the member's. An absent member costs the same work and is refused alike.
    /// Blocks for tens of milliseconds and takes 19 MiB.
    pub fn admit(
        member: Option<&StoredMember>,
        password: &Secret<String>,
        origin: Origin,
    ) -> Result<TenantCtx, Error> {
        let stored = member.and_then(|m| m.password.as_ref());
        let right = PasswordHash::verify(stored, password)?;
        match member {
            Some(m) if right && m.active => {
                let actor = Actor::User { id: m.user, email: m.email.clone() };
                Ok(TenantCtx::verified(m.org, actor, Some(m.role), origin))
            }
            Some(_) if right => Err(Refused::Suspended.into()),
            _ => Err(Refused::Unknown.into()),
        }
    }
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| Error::Password(e.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The commonest passwords of at least ten characters, one a line, lower case.
const COMMON: &str = include_str!("password/common.txt");

#[cfg(test)]
mod tests;
