//! Entra ID of one tenant: discovery, keys, sign-in and consent, every grant, managed identity.
//!
//! What is decided is decided in pure modules, with the time as an argument; HTTP is thin.

mod authorize;
mod back;
mod check;
mod claims;
mod client;
mod device;
mod http;
mod key;
mod key_ring;
mod ledger;
mod page;
mod refused;
mod resource;
mod scope;
mod sign_in;
mod token;

use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use self::key::SigningKey;
use self::key_ring::KeyRing;
use self::ledger::Ledger;
use super::directory::Directory;
use super::installation::Installation;
use super::kept::Kept;
use crate::files;

pub(super) use self::check::Refusal;
pub(super) use self::http::{Site, identity_routes};
pub(super) use self::key::Error;

/// Life of an access token, in seconds.
const TOKEN_SECONDS: i64 = 3600;
/// Life of the federated token in the file.
const FEDERATED: TimeDelta = TimeDelta::hours(24);
/// The audience of a federated token.
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// The identity provider of one tenant.
pub(super) struct Entra {
    facts: Installation,
    /// Sign tokens.
    signing: KeyRing,
    /// Signs the federated token: another issuer, as a cluster's would be.
    federation: SigningKey,
    /// Applications, users and what they consented to.
    directory: Arc<Kept<Directory>>,
    /// Codes and refresh tokens.
    ledger: Kept<Ledger>,
    clock: fn() -> DateTime<Utc>,
}

impl Entra {
    /// The provider with keys and sign-ins kept in `dir`, made there at first use.
    pub(super) fn open(
        dir: &Path,
        facts: Installation,
        directory: Arc<Kept<Directory>>,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Self, Error> {
        let file = dir.join("sign-ins.json");
        let ledger = match files::read(&file)? {
            Some(saved) => serde_json::from_slice(&saved).map_err(io::Error::from)?,
            None => Ledger::default(),
        };
        Ok(Self {
            facts,
            signing: KeyRing::open(&dir.join("signing-key.pem"))?,
            federation: SigningKey::open(&dir.join("federation-key.pem"))?,
            directory,
            ledger: Kept::new(ledger, file),
            clock,
        })
    }

    /// Where a client is sent to sign in.
    pub(super) fn authority(&self) -> String {
        format!("{}/{}", self.facts.entra_url(), self.facts.tenant)
    }

    /// Signs with a new key from now on. The old ones stay published, or are dropped.
    pub(super) fn rotate_keys(&self, drop_old: bool) -> Result<(), Error> {
        self.signing.rotate(drop_old)
    }

    /// Forgets every code and refresh token.
    pub(super) fn wipe(&self) {
        self.ledger.with(|ledger| *ledger = Ledger::default());
    }

    /// Sees to it, for ever, that codes and tokens get on disk.
    pub(super) async fn keep_saving(&self) {
        self.ledger.keep_saving().await;
    }

    /// Puts on disk what is not there yet.
    pub(super) fn flush(&self) {
        self.ledger.flush();
    }

    fn issuer(&self) -> String {
        format!("{}/v2.0", self.authority())
    }
}
