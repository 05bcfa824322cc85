//! DER in, facts out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::oid_registry::OID_EC_P256;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{KeyAlgorithm, Names, Pair};
use crate::core::issuer::Constraints;

/// What of a certificate decides anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeafFacts {
    /// Serial number in lower-case hexadecimal, without leading zeros.
    pub serial: String,
    /// SHA-256 of the DER form, in lower-case hexadecimal.
    pub fingerprint: String,
    /// Subject alternative names.
    pub names: Names,
    /// Start of its life.
    pub not_before: DateTime<Utc>,
    /// End of its life.
    pub not_after: DateTime<Utc>,
    /// Algorithm of its key, if it is one that the operator makes.
    pub algorithm: Option<KeyAlgorithm>,
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// Key identifier of the signer, in hexadecimal (RFC 5280 section 4.2.1.1).
    pub authority_key: Option<String>,
    /// Key identifier of its own key, in hexadecimal (RFC 5280 section 4.2.1.2).
    pub subject_key: Option<String>,
    /// What it may sign if it is an authority, from its name constraints.
    pub constraints: Constraints,
}

/// Why something is no certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl LeafFacts {
    /// The facts of one certificate in DER form.
    pub fn from_der(der: &[u8]) -> Result<Self, Unreadable> {
        use x509_parser::extensions::ParsedExtension::{
            AuthorityKeyIdentifier, SubjectKeyIdentifier,
        };
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|e| Unreadable(format!("not a certificate: {e}")))?;
        let mut facts = Self {
            serial: hex(certificate.raw_serial()).trim_start_matches('0').to_owned(),
            fingerprint: fingerprint(der),
            names: names(&certificate),
            not_before: time(certificate.validity().not_before.timestamp())?,
            not_after: time(certificate.validity().not_after.timestamp())?,
            algorithm: algorithm(&certificate),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            is_ca: certificate.is_ca(),
            authority_key: None,
            subject_key: None,
            constraints: constraints(&certificate),
        };
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                AuthorityKeyIdentifier(id) => {
                    facts.authority_key = id.key_identifier.as_ref().map(|id| hex(id.0));
                }
                SubjectKeyIdentifier(id) => facts.subject_key = Some(hex(id.0)),
                _ => {}
            }
        }
        Ok(facts)
    }

    /// The facts of all certificates of a PEM text, in order; at least one.
    pub fn from_pem(pem: &str) -> Result<Vec<Self>, Unreadable> {
        let ders: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| Unreadable(format!("not PEM: {e}")))?;
        if ders.is_empty() {
            return Err(Unreadable("holds no PEM block `CERTIFICATE`".to_owned()));
        }
        ders.iter().map(|der| Self::from_der(der)).collect()
    }
}

/// SHA-256 of `der`, in lower-case hexadecimal.
pub fn fingerprint(der: &[u8]) -> String {
    hex(digest(&SHA256, der).as_ref())
}

/// Whether the private key belongs to the first certificate of the chain.
///
/// # Errors
/// A key or a chain that cannot be read.
pub fn key_matches(pair: &Pair) -> Result<bool, Unreadable> {
    let chain = CertificateDer::pem_slice_iter(pair.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Unreadable(format!("the chain is not PEM: {e}")))?;
    let key = PrivateKeyDer::from_pem_slice(pair.key_pem.reveal().as_bytes())
        .map_err(|_| Unreadable("the key is not PEM of a private key".to_owned()))?;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|_| Unreadable("the key is of a kind that is not supported".to_owned()))?;
    let certified = rustls::sign::CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(true),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => Ok(false),
        Err(e) => Err(Unreadable(format!("the key cannot be compared with the chain: {e}"))),
    }
}

fn algorithm(certificate: &X509Certificate<'_>) -> Option<KeyAlgorithm> {
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match key.parsed() {
        Ok(PublicKey::EC(_)) if curve == Some(OID_EC_P256) => Some(KeyAlgorithm::EcdsaP256),
        Ok(PublicKey::RSA(key)) if key.key_size() == 2048 => Some(KeyAlgorithm::Rsa2048),
        _ => None,
    }
}

fn names(certificate: &X509Certificate<'_>) -> Names {
    let (mut dns, mut ip) = (BTreeSet::new(), BTreeSet::new());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => drop(dns.insert(name.to_ascii_lowercase())),
            GeneralName::IPAddress(octets) => ip.extend(address(octets)),
            _ => {}
        }
    }
    Names { dns, ip }
}

/// The permitted subtrees, without the `localhost` that every root of ours permits. A type of name of
/// which no subtree speaks is free (RFC 5280 section 4.2.1.10).
fn constraints(certificate: &X509Certificate<'_>) -> Constraints {
    let mut found = Constraints { permitted_domains: Vec::new(), ip_addresses: true };
    let extension = certificate.name_constraints().ok().flatten();
    let permitted = extension.and_then(|extension| extension.value.permitted_subtrees.as_deref());
    for subtree in permitted.unwrap_or_default() {
        match subtree.base {
            GeneralName::DNSName(name) => found.permitted_domains.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(_) => found.ip_addresses = false,
            _ => {}
        }
    }
    if found.permitted_domains.len() > 1 {
        found.permitted_domains.retain(|domain| domain != "localhost");
    }
    found
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(octets).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn time(timestamp: i64) -> Result<DateTime<Utc>, Unreadable> {
    DateTime::from_timestamp(timestamp, 0)
        .ok_or_else(|| Unreadable("its life is beyond what can be counted".to_owned()))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
