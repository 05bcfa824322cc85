//! The local certificate authority: keys and certificates made here, with rcgen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
    SignatureAlgorithm,
};

use crate::core::certificate::{KeyAlgorithm, LeafFacts, LeafRequest, Pair, RootRequest};
use crate::core::issuer::Constraints;
use crate::core::{Fault, Secret, names};
use crate::ports::Authority;

/// What faults say.
const SERVICE: &str = "the local certificate authority";
/// How far a certificate's start lies back, for clocks that are behind.
const BACKDATED: TimeDelta = TimeDelta::minutes(1);
/// Longest common name (RFC 5280 appendix A.1, `ub-common-name`).
const COMMON_NAME_MAX: usize = 64;

/// Makes roots and leaves in this process.
///
/// A root is ECDSA P-256, signs leaves and nothing else (`pathLenConstraint` 0), and carries its
/// issuer's constraints as critical name constraints (RFC 5280 section 4.2.1.10). They bind by type
/// of name: without permitted domains DNS names are free, and only where addresses are excluded are
/// addresses bound, to loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalAuthority;

impl Authority for LocalAuthority {
    fn root(&self, request: &RootRequest) -> Result<Pair, Fault> {
        let key = KeyPair::generate().map_err(|e| refused(&e))?;
        let end = end(request.now, request.life)?;
        let mut params = params(request.now, end)?;
        params.distinguished_name.push(DnType::CommonName, request.common_name.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(name_constraints(&request.constraints)?);
        let certificate = params.self_signed(&key).map_err(|e| refused(&e))?;
        Ok(pair(&certificate.pem(), &key, request.now))
    }

    fn leaf(&self, root: &Pair, request: &LeafRequest) -> Result<Pair, Fault> {
        let facts = LeafFacts::from_pem(&root.chain_pem).map_err(|e| unusable_root(&e))?;
        let root_end = facts.first().map_or(request.now, |facts| facts.not_after);
        let root_key = KeyPair::from_pem(root.key_pem.reveal())
            .map_err(|_| unusable_root(&"its key cannot be read"))?;
        let issuer =
            Issuer::from_ca_cert_pem(&root.chain_pem, root_key).map_err(|e| unusable_root(&e))?;

        let key = KeyPair::generate_for(algorithm(request.algorithm)).map_err(|e| refused(&e))?;
        let end = end(request.now, request.life)?.min(root_end);
        let mut params = params(request.now, end)?;
        params.subject_alt_names = alternative_names(request)?;
        if let Some(name) = request.names.dns.iter().find(|name| name.len() <= COMMON_NAME_MAX) {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(|e| refused(&e))?;
        Ok(pair(&certificate.pem(), &key, request.now))
    }
}

/// What roots and leaves have in common: life, serial number, key identifiers.
fn params(now: DateTime<Utc>, end: DateTime<Utc>) -> Result<CertificateParams, Fault> {
    let mut params = CertificateParams::default();
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| refused(&"no randomness"))?;
    // Positive, and always 16 octets long (RFC 5280 section 4.1.2.2 allows 20).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(now - BACKDATED);
    params.not_after = epoch + since_epoch(end);
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = rcgen::DistinguishedName::new();
    Ok(params)
}

/// Whole seconds since 1970, none for times before.
fn since_epoch(time: DateTime<Utc>) -> Duration {
    Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0))
}

fn end(now: DateTime<Utc>, life: Duration) -> Result<DateTime<Utc>, Fault> {
    let life = TimeDelta::from_std(life).map_err(|_| refused(&"the life is too long"))?;
    now.checked_add_signed(life).ok_or_else(|| refused(&"the life is too long"))
}

fn name_constraints(constraints: &Constraints) -> Result<NameConstraints, Fault> {
    let mut permitted_subtrees = Vec::new();
    for domain in constraints.domain_subtrees() {
        // The encoder panics on what is not ASCII; a wildcard there means nothing.
        let name = names::dns_name(&domain)
            .map_err(|problem| refused(&format!("the domain `{domain}` {problem}")))?;
        if name.starts_with('*') {
            return Err(refused(&format!("the domain `{domain}` must not be a wildcard")));
        }
        permitted_subtrees.push(GeneralSubtree::DnsName(name));
    }
    if !constraints.ip_addresses {
        for (loopback, prefix) in
            [(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)]
        {
            let subnet = CidrSubnet::from_addr_prefix(loopback, prefix);
            permitted_subtrees.push(GeneralSubtree::IpAddress(subnet));
        }
    }
    Ok(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() })
}

fn alternative_names(request: &LeafRequest) -> Result<Vec<SanType>, Fault> {
    let mut names = Vec::new();
    for name in &request.names.dns {
        names.push(SanType::DnsName(name.as_str().try_into().map_err(|e| refused(&e))?));
    }
    names.extend(request.names.ip.iter().copied().map(SanType::IpAddress));
    if names.is_empty() {
        return Err(refused(&"a leaf must have a name"));
    }
    Ok(names)
}

fn algorithm(algorithm: KeyAlgorithm) -> &'static SignatureAlgorithm {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        // 2048 bits where nothing else is said.
        KeyAlgorithm::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
    }
}

fn pair(chain_pem: &str, key: &KeyPair, now: DateTime<Utc>) -> Pair {
    Pair {
        chain_pem: chain_pem.to_owned(),
        key_pem: Secret::new(key.serialize_pem()),
        generation: now.timestamp(),
    }
}

fn refused(problem: &impl ToString) -> Fault {
    Fault::Refused { service: SERVICE, code: "CannotMake".to_owned(), message: problem.to_string() }
}

fn unusable_root(problem: &impl ToString) -> Fault {
    Fault::Refused {
        service: SERVICE,
        code: "UnusableRoot".to_owned(),
        message: problem.to_string(),
    }
}
