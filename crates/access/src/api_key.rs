//! API keys: `phk_<env>_<id, 12>_<secret, 32><checksum, 6>` in base 62.
//!
//! In:     the operating system's randomness; the text a client presents.
//! Out:    the text, shown once; its HMAC-SHA-256 under the installation's pepper, which alone is stored.
//! Never:  looks a key up whose checksum is wrong: a typing error costs no query.

use hmac::{Hmac, Mac};
use ph_model::{ClusterId, KeyId, OrgId, Secret};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::credential::random;
use crate::error::{Error, Refused};
use crate::role::Role;
use crate::tenant::{Actor, Origin, TenantCtx};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 12;
const SECRET: usize = 32;
const CHECK: usize = 6;

/// The installation's secret that stored keys are hashed with, kept apart from the database.
#[derive(Clone)]
pub struct Pepper(Secret<[u8; 32]>);

impl Pepper {
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(Secret::new(random()?)))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// For the file it is sealed in.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// The text of a key, well formed and with a right checksum. Not yet known to be good.
#[derive(Clone)]
pub struct ApiKeyText {
    text: Secret<String>,
    id_at: usize,
}

impl ApiKeyText {
    /// A new key for the environment `env` (lower-case letters and digits).
    pub fn generate(env: &str) -> Result<Self, Error> {
        let body = format!("phk_{env}_{}_{}", base62::<ID>()?, base62::<SECRET>()?);
        let text = format!("{body}{}", checksum(&body));
        Ok(Self { text: Secret::new(text), id_at: 4 + env.len() + 1 })
    }

    /// Reads what a client presents; a wrong form or checksum is `Malformed`.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix("phk_").ok_or(Refused::Malformed)?;
        let parts: Vec<&str> = rest.split('_').collect();
        let [env, id, tail] = parts.as_slice() else { return Err(Refused::Malformed) };
        let word = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric());
        let sized = !env.is_empty() && env.len() <= 16 && id.len() == ID && tail.len() == SECRET + CHECK;
        if !sized || !word(env) || !word(id) || !word(tail) {
            return Err(Refused::Malformed);
        }
        let (body, check) = text.split_at(text.len() - CHECK);
        if checksum(body) != check {
            return Err(Refused::Malformed);
        }
        Ok(Self { text: Secret::new(text.to_owned()), id_at: 4 + env.len() + 1 })
    }

    /// The text to show once.
    pub fn text(&self) -> &Secret<String> {
        &self.text
    }

    /// The part that finds the key's record; not secret.
    pub fn public_id(&self) -> &str {
        self.text.expose().get(self.id_at..self.id_at + ID).unwrap_or_default()
    }

    /// Up to the secret: enough to tell keys apart on a screen.
    pub fn prefix(&self) -> &str {
        self.text.expose().get(..self.id_at + ID).unwrap_or_default()
    }

    /// What is stored in place of the text.
    pub fn mac(&self, pepper: &Pepper) -> [u8; 32] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(pepper.expose()) {
            Ok(mac) => mac,
            // HMAC takes keys of any length.
            Err(_) => unreachable!("hmac key of 32 bytes"),
        };
        mac.update(self.text.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// A key as the state store keeps it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub id: KeyId,
    pub org: OrgId,
    pub name: String,
    pub role: Role,
    /// Made for a bot.
    pub bot: bool,
    /// What it sends is this cluster's.
    pub cluster: Option<ClusterId>,
    pub mac: [u8; 32],
    /// Whether the organisation and the key are active.
    pub active: bool,
    pub expires_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
}

impl StoredKey {
    /// The tenant, when `presented` is this key and the key still lives.
    pub fn admit(
        &self,
        presented: &ApiKeyText,
        pepper: &Pepper,
        origin: Origin,
        now_ms: i64,
    ) -> Result<TenantCtx, Refused> {
        if !bool::from(presented.mac(pepper).ct_eq(&self.mac)) {
            return Err(Refused::Unknown);
        }
        self.alive(now_ms)?;
        let actor = Actor::Key { id: self.id, name: self.name.clone(), bot: self.bot, cluster: self.cluster };
        Ok(TenantCtx::verified(self.org, actor, Some(self.role), origin))
    }

    /// Whether the key may still be used at `now_ms`.
    pub fn alive(&self, now_ms: i64) -> Result<(), Refused> {
        if !self.active {
            return Err(Refused::Revoked);
        }
        match self.expires_ms {
            Some(end) if now_ms >= end => Err(Refused::Expired),
            _ => Ok(()),
        }
    }
}

fn base62<const N: usize>() -> Result<String, Error> {
    let mut out = String::with_capacity(N);
    while out.len() < N {
        // 248 is the largest multiple of 62 in a byte; the rest would favour the first letters.
        for b in random::<N>()?.into_iter().filter(|b| *b < 248) {
            if out.len() < N {
                out.push(char::from(ALPHABET[usize::from(b % 62)]));
            }
        }
    }
    Ok(out)
}

fn checksum(body: &str) -> String {
    let mut n = u64::from(crc32c::crc32c(body.as_bytes()));
    let mut out = [b'0'; CHECK];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(n % 62) as usize];
        n /= 62;
    }
    out.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests;
