//! RS256 keys that survive restarts.

use std::io;
use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::files;

/// Why a signing key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its file.
    #[error("cannot keep a signing key: {0}")]
    Files(#[from] io::Error),
    /// Its making.
    #[error("cannot make a signing key: {0}")]
    Generate(#[from] rcgen::Error),
    /// Its use.
    #[error("cannot use a signing key: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// There is none.
    #[error("there is no signing key")]
    Empty,
}

/// A key pair and its identifier.
pub(super) struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Jwk,
}

impl SigningKey {
    /// The key in the file `path`, made there at first use.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(pem) = files::read(path)? {
            return Self::read(&pem);
        }
        let pem = generate()?;
        files::write(path, pem.as_bytes())?;
        Self::read(pem.as_bytes())
    }

    /// The key in a PEM text.
    pub(super) fn read(pem: &[u8]) -> Result<Self, Error> {
        let encoding = EncodingKey::from_rsa_pem(pem)?;
        let public = Jwk::from_encoding_key(&encoding, Algorithm::RS256)?;
        let kid = public.thumbprint(ThumbprintHash::SHA256)?;
        Ok(Self { kid, encoding, decoding: DecodingKey::from_jwk(&public)?, public })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, Error> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        Ok(jsonwebtoken::encode(&header, claims, &self.encoding)?)
    }

    /// Whether a token names this key.
    pub(super) fn is_named_by(&self, token: &str) -> bool {
        jsonwebtoken::decode_header(token)
            .is_ok_and(|header| header.kid.as_ref() == Some(&self.kid))
    }

    /// The claims of a token that this key signed; times and names are the caller's to check.
    pub(super) fn open_token(&self, token: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Some(jsonwebtoken::decode(token, &self.decoding, &validation).ok()?.claims)
    }

    /// The public half, as a key set shows it.
    pub(super) fn jwk(&self, issuer: &str) -> Value {
        let AlgorithmParameters::RSA(rsa) = &self.public.algorithm else { return Value::Null };
        json!({"kty": "RSA", "use": "sig", "kid": self.kid, "n": rsa.n, "e": rsa.e, "issuer": issuer})
    }
}

/// A new key, in PEM.
pub(super) fn generate() -> Result<String, Error> {
    let size = rcgen::RsaKeySize::_2048;
    Ok(rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size)?.serialize_pem())
}
