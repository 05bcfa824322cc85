//! Certificates: which leaf is wanted, what the stored one is, and why it must be replaced.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Secret;
use super::issuer::Constraints;

mod facts;
mod policy;
mod provided;

pub use facts::{LeafFacts, Unreadable, fingerprint, hex, key_matches};
pub use policy::{Desired, Observed, Policy, Violation, renewal_time, violation};
pub use provided::{Check, CheckFailed, check_provided, check_root, read_root};

/// A certificate chain with its private key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pair {
    /// PEM, leaf first.
    pub chain_pem: String,
    /// PEM, PKCS#8.
    pub key_pem: Secret,
    /// When it was issued: tells which of two pairs is newer.
    pub generation: i64,
}

/// The names of a leaf.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Names {
    /// DNS names, lower case.
    pub dns: BTreeSet<String>,
    /// IP addresses.
    pub ip: BTreeSet<IpAddr>,
}

impl Names {
    /// Whether the DNS names stand for `name`: a wildcard does for one label (RFC 9525 section 6.3).
    pub fn covers(&self, name: &str) -> bool {
        self.dns.iter().any(|pattern| covers(pattern, name))
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    let below = |pattern: &str| {
        let (label, rest) = name.split_once('.')?;
        Some(rest == pattern && label != "*")
    };
    pattern == name || pattern.strip_prefix("*.").and_then(below).unwrap_or(false)
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dns = self.dns.iter().cloned();
        let all: Vec<_> = dns.chain(self.ip.iter().map(IpAddr::to_string)).collect();
        f.write_str(&all.join(", "))
    }
}

/// Algorithm of a leaf's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256.
    EcdsaP256,
    /// RSA with 2048 bits.
    Rsa2048,
}

/// A root to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootRequest {
    /// Common name of the subject.
    pub common_name: String,
    /// What it may sign, put into name constraints.
    pub constraints: Constraints,
    /// Now.
    pub now: DateTime<Utc>,
    /// Its life.
    pub life: Duration,
}

/// A leaf to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeafRequest {
    /// Subject alternative names; never empty.
    pub names: Names,
    /// Algorithm of the new key.
    pub algorithm: KeyAlgorithm,
    /// Now: the leaf's generation, and its start less a minute for clocks that are behind.
    pub now: DateTime<Utc>,
    /// Its life.
    pub life: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (pattern, name, want) in [
            ("a.b.c", "a.b.c", true),
            ("*.b.c", "a.b.c", true),
            ("*.b.c", "*.b.c", true),
            ("*.b.c", "b.c", false),
            ("*.b.c", "x.a.b.c", false),
            ("*.b.c", "a.xb.c", false),
            ("a.b.c", "b.c", false),
        ] {
            assert_eq!(covers(pattern, name), want, "{pattern} {name}");
        }
    }
}
