//! Resume tokens: signed, so that no client can choose an offset, and bound to organisation, actor and channel.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ph_model::OrgId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const LIFE_MS: i64 = 10 * 60_000;

/// The process's own key. Channels live in this process, so tokens of an earlier one must not be taken.
pub struct TokenKey([u8; 32]);

/// Who resumes what.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    pub org: OrgId,
    pub actor: &'a str,
    pub channel: &'a str,
}

impl TokenKey {
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    pub fn sign(&self, holder: Holder<'_>, (epoch, offset): (u64, u64), now_ms: i64) -> String {
        let mut body = Vec::with_capacity(56);
        body.extend_from_slice(&epoch.to_be_bytes());
        body.extend_from_slice(&offset.to_be_bytes());
        body.extend_from_slice(&(now_ms + LIFE_MS).to_be_bytes());
        let mac = self.mac(holder, &body);
        body.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(body)
    }

    /// Epoch and offset; `None` when the token is forged, another's, or too old.
    pub fn open(&self, holder: Holder<'_>, token: &str, now_ms: i64) -> Option<(u64, u64)> {
        let raw = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, mac) = raw.split_at_checked(24)?;
        if !bool::from(self.mac(holder, body).ct_eq(mac)) {
            return None;
        }
        let number =
            |range: std::ops::Range<usize>| Some(u64::from_be_bytes(body.get(range)?.try_into().ok()?));
        let expires = i64::try_from(number(16..24)?).ok()?;
        (now_ms < expires).then_some((number(0..8)?, number(8..16)?))
    }

    /// Hash with the key in front and behind; inputs are length-prefixed, so no two mean the same bytes.
    fn mac(&self, holder: Holder<'_>, body: &[u8]) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.0);
        for part in
            [holder.org.as_bytes().as_slice(), holder.actor.as_bytes(), holder.channel.as_bytes(), body]
        {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        let mut outer = Sha256::new();
        outer.update(self.0);
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    //! Only the holder, only in time, only unchanged.

    use super::*;

    #[test]
    fn tokens_are_bound() {
        let key = TokenKey::generate().unwrap();
        let org = OrgId::from_bytes([1; 16]);
        let holder = Holder { org, actor: "user:a", channel: "clusters" };
        let t = key.sign(holder, (3, 9), 1_000);
        assert_eq!(key.open(holder, &t, 2_000), Some((3, 9)));
        assert_eq!(key.open(holder, &t, 1_000 + LIFE_MS), None);
        assert_eq!(key.open(Holder { actor: "user:b", ..holder }, &t, 2_000), None);
        assert_eq!(key.open(Holder { channel: "agents", ..holder }, &t, 2_000), None);
        assert_eq!(key.open(Holder { org: OrgId::from_bytes([2; 16]), ..holder }, &t, 2_000), None);
        assert_eq!(TokenKey::generate().unwrap().open(holder, &t, 2_000), None);
        for garbage in ["", "AAAA", "é"] {
            assert_eq!(key.open(holder, garbage, 2_000), None);
        }
    }
}
