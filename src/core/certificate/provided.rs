//! Whether a chain and its key can be used, check by check.

use std::fmt;

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{LeafFacts, Names, Pair, key_matches};
use crate::core::Secret;

/// A check of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Check {
    /// Chain and key can be read.
    Readable,
    /// The key belongs to the first certificate.
    KeyMatches,
    /// Each certificate is signed by the next, and only the first is no authority.
    Order,
    /// No certificate's life is yet to begin.
    NotYetValid,
    /// No certificate's life is over.
    NotExpired,
    /// The first certificate names all that it must.
    NamesCovered,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Which check failed, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{check}: {message}")]
pub struct CheckFailed {
    /// The check.
    pub check: Check,
    /// For people: what is wrong and what to do.
    pub message: String,
}

/// Checks the user's chain (PEM, leaf first) and key (PEM), and gives the leaf's facts.
///
/// `wanted` are the names that clients use; a wildcard stands for one label (RFC 6125 section
/// 6.4.3). The chain may stop short of its root.
///
/// # Errors
/// The first check that fails.
pub fn check_provided(
    chain_pem: &str,
    key_pem: &Secret,
    wanted: &Names,
    now: DateTime<Utc>,
) -> Result<LeafFacts, CheckFailed> {
    let pair = Pair { chain_pem: chain_pem.to_owned(), key_pem: key_pem.clone(), generation: 0 };
    let facts = check_pair(&pair, now)?;
    check_order(chain_pem, &facts)?;
    let Some(leaf) = facts.into_iter().next() else {
        return fail(Check::Readable, "holds no certificate");
    };
    check_names(&leaf.names, wanted)?;
    Ok(leaf)
}

/// Checks a stored root and gives its facts.
///
/// # Errors
/// The first check that fails.
pub fn check_root(pair: &Pair, now: DateTime<Utc>) -> Result<LeafFacts, CheckFailed> {
    match check_pair(pair, now)?.into_iter().next() {
        Some(root) if root.is_ca => Ok(root),
        _ => fail(Check::Order, "the stored root is no authority"),
    }
}

/// Reads a root that was put by: PEM of its certificate, then of its key.
///
/// # Errors
/// The first check that fails.
pub fn read_root(text: &str, now: DateTime<Utc>) -> Result<Pair, CheckFailed> {
    let Some(at) = text.find("-----BEGIN PRIVATE KEY-----") else {
        return fail(Check::Readable, "holds no private key (PEM, PKCS#8)");
    };
    let (chain, key) = text.split_at(at);
    let mut pair = Pair { chain_pem: chain.to_owned(), key_pem: Secret::new(key), generation: 0 };
    pair.generation = check_root(&pair, now)?.not_before.timestamp();
    Ok(pair)
}

/// Readable, key and life.
fn check_pair(pair: &Pair, now: DateTime<Utc>) -> Result<Vec<LeafFacts>, CheckFailed> {
    let unreadable =
        |e: super::Unreadable| CheckFailed { check: Check::Readable, message: e.to_string() };
    let facts = LeafFacts::from_pem(&pair.chain_pem).map_err(unreadable)?;
    if !key_matches(pair).map_err(unreadable)? {
        return fail(Check::KeyMatches, "the key does not belong to the first certificate");
    }
    for each in &facts {
        if now < each.not_before {
            let message = format!("{} is valid from {}", each.subject, each.not_before);
            return fail(Check::NotYetValid, message);
        }
        if now >= each.not_after {
            let message = format!("{} has expired at {}", each.subject, each.not_after);
            return fail(Check::NotExpired, message);
        }
    }
    Ok(facts)
}

fn check_order(chain_pem: &str, facts: &[LeafFacts]) -> Result<(), CheckFailed> {
    if facts.first().is_some_and(|leaf| leaf.is_ca) {
        return fail(Check::Order, "the first certificate is an authority's: put the leaf first");
    }
    if let Some(other) = facts.iter().skip(1).find(|facts| !facts.is_ca) {
        return fail(Check::Order, format!("{} is no authority", other.subject));
    }
    let ders: Vec<_> =
        CertificateDer::pem_slice_iter(chain_pem.as_bytes()).filter_map(Result::ok).collect();
    for ((lower, upper), signed) in ders.iter().zip(ders.iter().skip(1)).zip(facts) {
        if !is_signed_by(lower, upper) {
            let message = format!("{} is not signed by the one that follows it", signed.subject);
            return fail(Check::Order, message);
        }
    }
    Ok(())
}

fn is_signed_by(lower: &[u8], upper: &[u8]) -> bool {
    let (Ok((_, lower)), Ok((_, upper))) =
        (X509Certificate::from_der(lower), X509Certificate::from_der(upper))
    else {
        return false;
    };
    lower.issuer() == upper.subject() && lower.verify_signature(Some(upper.public_key())).is_ok()
}

fn check_names(found: &Names, wanted: &Names) -> Result<(), CheckFailed> {
    let missing = Names {
        dns: wanted.dns.iter().filter(|name| !found.covers(name)).cloned().collect(),
        ip: wanted.ip.difference(&found.ip).copied().collect(),
    };
    if missing == Names::default() {
        return Ok(());
    }
    fail(Check::NamesCovered, format!("the certificate does not name {missing}, only {found}"))
}

fn fail<T>(check: Check, message: impl Into<String>) -> Result<T, CheckFailed> {
    Err(CheckFailed { check, message: message.into() })
}
