//! The signing keys of the tenant: the first signs, all of them are published.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::key::{Error, SigningKey, generate};
use crate::files;

const END: &str = "-----END PRIVATE KEY-----";

/// Keys in one file, newest first.
pub(super) struct KeyRing {
    keys: Mutex<Vec<SigningKey>>,
    file: PathBuf,
}

impl KeyRing {
    /// The keys in `file`; one is made there at first use.
    pub(super) fn open(file: &Path) -> Result<Self, Error> {
        let ring = Self { keys: Mutex::new(Vec::new()), file: file.to_owned() };
        match files::read(file)? {
            Some(pem) => ring.put(&String::from_utf8_lossy(&pem))?,
            None => ring.rotate(false)?,
        }
        Ok(ring)
    }

    /// Signs with a new key from now on. The old ones stay published, or are dropped.
    pub(super) fn rotate(&self, drop_old: bool) -> Result<(), Error> {
        let kept = if drop_old { None } else { files::read(&self.file)? };
        let pem = generate()? + &String::from_utf8_lossy(&kept.unwrap_or_default());
        files::write(&self.file, pem.as_bytes())?;
        self.put(&pem)
    }

    fn put(&self, pem: &str) -> Result<(), Error> {
        let each = pem.split_inclusive(END).filter(|block| block.contains(END));
        let keys: Result<Vec<_>, _> =
            each.map(|block| SigningKey::read(block.as_bytes())).collect();
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys?;
        Ok(())
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, Error> {
        self.with(|keys| keys.first().ok_or(Error::Empty)?.sign(claims))
    }

    /// The claims of a token that one of the keys signed; times and names are the caller's to check.
    pub(super) fn open_token(&self, token: &str) -> Option<Value> {
        self.with(|keys| keys.iter().find(|key| key.is_named_by(token))?.open_token(token))
    }

    /// The public halves, as a key set shows them.
    pub(super) fn jwks(&self, issuer: &str) -> Value {
        let keys: Vec<Value> = self.with(|keys| keys.iter().map(|key| key.jwk(issuer)).collect());
        json!({"keys": keys})
    }

    fn with<R>(&self, act: impl FnOnce(&[SigningKey]) -> R) -> R {
        act(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(ring: &KeyRing) -> Vec<String> {
        let shown = ring.jwks("i");
        shown["keys"].as_array().unwrap().iter().map(|key| key["kid"].to_string()).collect()
    }

    #[test]
    fn keys_turn_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.pem");
        let ring = KeyRing::open(&file).unwrap();
        let old = ring.sign(&json!({"n": 1})).unwrap();
        ring.rotate(false).unwrap();
        let new = ring.sign(&json!({"n": 2})).unwrap();
        let both = kids(&ring);
        assert_eq!(both.len(), 2);
        let ring = KeyRing::open(&file).unwrap();
        assert_eq!(kids(&ring), both);
        assert_eq!(ring.open_token(&old).unwrap()["n"], 1);
        assert_eq!(ring.open_token(&new).unwrap()["n"], 2);
        ring.rotate(true).unwrap();
        assert_eq!(kids(&ring).len(), 1);
        assert_eq!(ring.open_token(&new), None);
    }
}
