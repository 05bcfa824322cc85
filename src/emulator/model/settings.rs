//! What a local Azure is told once.

use std::net::Ipv4Addr;
use std::time::Duration;

use uuid::Uuid;

/// The fixed facts of one local Azure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one subscription's id.
    pub subscription: String,
    /// The one tenant's id.
    pub tenant: String,
    /// First address of the /16 from which public addresses come, one a group.
    pub network: Ipv4Addr,
    /// What identifiers are derived from, with a counter.
    pub seed: String,
    /// The least time from a write to its end.
    pub provisioning: Duration,
    /// Container groups in one page of a LIST.
    pub page: usize,
    /// Where the blob endpoints of storage accounts are: a URL without the last slash.
    pub blob: String,
    /// Object ids of the service principals that own the subscription from the start.
    pub owners: Vec<Uuid>,
}

impl Default for Settings {
    /// A small deterministic Azure for tests: 2 s to provision, pages of 100.
    fn default() -> Self {
        Self {
            subscription: "00000000-0000-4000-8000-000000000001".to_owned(),
            tenant: "00000000-0000-4000-8000-000000000002".to_owned(),
            network: Ipv4Addr::new(127, 10, 0, 0),
            seed: String::new(),
            provisioning: Duration::from_secs(2),
            page: 100,
            blob: "https://localhost:10000".to_owned(),
            owners: Vec::new(),
        }
    }
}
