//! Entra ID, as far as machines sign in: discovery, keys, client credentials, managed identity.
//!
//! Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.

mod http;
mod key;
mod token;

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use self::key::SigningKey;
use super::installation::Installation;

pub(super) use self::http::{identity_routes, routes};
pub(super) use self::key::Error;
pub(super) use self::token::Refusal;

/// Life of an access token, in seconds.
const TOKEN_SECONDS: i64 = 3600;
/// Life of the federated token in the file.
const FEDERATED: TimeDelta = TimeDelta::hours(24);
/// The audience of a federated token.
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// The identity provider of one tenant.
pub(super) struct Entra {
    facts: Installation,
    /// Signs access tokens.
    signing: SigningKey,
    /// Signs the federated token: another issuer, as a cluster's would be.
    federation: SigningKey,
    clock: fn() -> DateTime<Utc>,
}

impl Entra {
    /// The provider with the keys kept in `dir`, made there at first use.
    pub(super) fn open(
        dir: &Path,
        facts: Installation,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Self, Error> {
        Ok(Self {
            facts,
            signing: SigningKey::open(&dir.join("signing-key.pem"))?,
            federation: SigningKey::open(&dir.join("federation-key.pem"))?,
            clock,
        })
    }

    /// Where a client is sent to sign in.
    pub(super) fn authority(&self) -> String {
        format!("{}/{}", self.facts.entra_url(), self.facts.tenant)
    }

    fn issuer(&self) -> String {
        format!("{}/v2.0", self.authority())
    }
}
