//! The signed token a page carries: which session it shows, and what it showed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::rendered::Fingerprint;

/// Names one page session, unguessably.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

impl SessionId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// How often a session was adopted by a socket. A token of an earlier generation is a used one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What a token says.
///
/// # Shape
///
/// `base64url(version 1 | session 16 | generation 4 | fingerprint 0 or 8n | mac 16)`: 50 characters and 11 a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) session: SessionId,
    pub(crate) generation: Generation,
    pub(crate) shown: Fingerprint,
}

/// Why a token was refused. All of it means: it was not made with this server's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page's token was not made by this server; load the page again")]
pub(crate) struct TokenError;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 16 + 4;
const MAC: usize = 16;

/// Signs and checks tokens. Keyed once; each use clones the keyed state.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let keyed = Hmac::<Sha256>::new_from_slice(secret);
        Self(keyed.expect("HMAC takes a key of any length"))
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac
    }

    pub(crate) fn sign(&self, token: &Token) -> String {
        let mut bytes = Vec::with_capacity(HEAD + 8 * token.shown.hashes().len() + MAC);
        bytes.push(VERSION);
        bytes.extend(token.session.0.to_be_bytes());
        bytes.extend(token.generation.0.to_be_bytes());
        token.shown.hashes().iter().for_each(|hash| bytes.extend(hash.to_be_bytes()));
        let mac = self.mac(&bytes).finalize().into_bytes();
        bytes.extend(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Signs any text; for what travels in a cookie.
    pub(crate) fn sign_text(&self, text: &str) -> String {
        let mac = self.mac(text.as_bytes()).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(&mac[..MAC]))
    }

    pub(crate) fn verify_text(&self, signed: &str) -> Result<String, TokenError> {
        let (text, mac) = signed.split_once('.').ok_or(TokenError)?;
        let text = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok().filter(|mac| mac.len() == MAC).ok_or(TokenError)?;
        self.mac(&text).verify_truncated_left(&mac).map_err(|_| TokenError)?;
        String::from_utf8(text).map_err(|_| TokenError)
    }

    pub(crate) fn verify(&self, text: &str) -> Result<Token, TokenError> {
        if text.len() > 1024 {
            return Err(TokenError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        let split = bytes.len().checked_sub(MAC).filter(|&split| split >= HEAD).ok_or(TokenError)?;
        let (said, mac) = bytes.split_at(split);
        self.mac(said).verify_truncated_left(mac).map_err(|_| TokenError)?;
        let (head, hashes) = said.split_at(HEAD);
        if head[0] != VERSION || hashes.len() % 8 != 0 {
            return Err(TokenError);
        }
        let session = u128::from_be_bytes(head[1..17].try_into().map_err(|_| TokenError)?);
        let generation = u32::from_be_bytes(head[17..21].try_into().map_err(|_| TokenError)?);
        let hashes = hashes.as_chunks::<8>().0.iter().map(|&hash| u64::from_be_bytes(hash)).collect();
        let (session, generation) = (SessionId(session), Generation(generation));
        Ok(Token { session, generation, shown: Fingerprint::from_hashes(hashes) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn signed_tokens_verify_and_changed_ones_do_not(
            session: u128, generation: u32, hashes in proptest::collection::vec(any::<u64>(), 0..20),
            flip in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let signer = Signer::new(b"secret");
            let shown = Fingerprint::from_hashes(hashes);
            let token = Token { session: SessionId(session), generation: Generation(generation), shown };
            let text = signer.sign(&token);
            prop_assert_eq!(signer.verify(&text), Ok(token));
            prop_assert_eq!(Signer::new(b"other").verify(&text), Err(TokenError));

            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(signer.verify(&URL_SAFE_NO_PAD.encode(bytes)), Err(TokenError));
        }

        #[test]
        fn any_text_is_refused_calmly(text in ".{0,200}") {
            prop_assert_eq!(Signer::new(b"secret").verify(&text), Err(TokenError));
        }
    }
}
