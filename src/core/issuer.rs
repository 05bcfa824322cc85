//! `Issuer`: which certificate signs, and what it may sign.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::names;

mod plan;

pub use plan::{Desired, Memory, Observed, Step, plan};

/// What an issuer may sign, fixed for the life of its root.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Constraints {
    /// Domains, with all names below them; empty: any name.
    pub permitted_domains: Vec<String>,
    /// Whether addresses other than loopback may be signed.
    pub ip_addresses: bool,
}

impl Constraints {
    /// Whether the DNS name may be signed; `localhost` always may.
    pub fn permit_name(&self, name: &str) -> bool {
        self.permitted_domains.is_empty()
            || name == "localhost"
            || self.permitted_domains.iter().any(|domain| names::is_within(name, domain))
    }

    /// Whether the address may be signed; loopback always may.
    pub fn permit_address(&self, address: &IpAddr) -> bool {
        self.ip_addresses || address.is_loopback()
    }

    /// The dNSName subtrees of the root, sorted; none where any name may be signed.
    pub fn domain_subtrees(&self) -> BTreeSet<String> {
        if self.permitted_domains.is_empty() {
            return BTreeSet::new();
        }
        let domains = self.permitted_domains.iter().map(String::as_str).chain(["localhost"]);
        domains.map(|domain| domain.trim_start_matches('.').to_ascii_lowercase()).collect()
    }

    /// Whether both permit the same names and addresses, however they are written.
    pub fn same_as(&self, other: &Self) -> bool {
        self.ip_addresses == other.ip_addresses && self.domain_subtrees() == other.domain_subtrees()
    }
}
