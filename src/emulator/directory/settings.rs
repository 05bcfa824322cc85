//! What a directory is told once.

use std::fmt;

use chrono::TimeDelta;
use uuid::Uuid;

/// The fixed facts of one tenant.
#[derive(Clone)]
pub struct DirectorySettings {
    /// The tenant's id.
    pub tenant: Uuid,
    /// Identifiers are derived from it, with a counter.
    pub seed: String,
    /// Client secrets are derived from it, with a counter; it is secret itself.
    pub secret_seed: String,
    /// Where Graph is, without a trailing slash: `https://localhost:8444`.
    pub base_url: String,
    /// How long a write takes to show in reads. Real Graph promises nothing; seconds are usual.
    pub lag: TimeDelta,
    /// `appId` of the client that `local env` hands out: it may do everything in the directory.
    pub client: Uuid,
    /// `appId` of the managed identity: it has no rights in the directory until it is granted some.
    pub managed_identity: Uuid,
}

/// How long a write takes to show where nobody says otherwise.
pub const LAG: TimeDelta = TimeDelta::seconds(2);

impl Default for DirectorySettings {
    /// A small deterministic tenant for tests.
    fn default() -> Self {
        Self {
            tenant: Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002),
            seed: String::new(),
            secret_seed: String::new(),
            base_url: "https://graph.test".to_owned(),
            lag: LAG,
            client: Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0003),
            managed_identity: Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0004),
        }
    }
}

impl fmt::Debug for DirectorySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectorySettings")
            .field("tenant", &self.tenant)
            .field("base_url", &self.base_url)
            .field("lag", &self.lag)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
