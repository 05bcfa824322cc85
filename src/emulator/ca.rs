//! The certificate authority of local Azure's own HTTPS, and the bundle that clients trust.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::files;

/// Life of the root.
const ROOT_DAYS: u64 = 3650;
/// Life of a server certificate; one is made at each start.
const LEAF_DAYS: u64 = 397;
/// Characters in a line of PEM (RFC 7468).
const PEM_LINE: usize = 64;

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its files.
    #[error("cannot keep the certificate authority's files: {0}")]
    Files(#[from] io::Error),
    /// Its key or certificates.
    #[error("cannot make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// A root and its key.
pub(super) struct Authority {
    pub(super) root_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The authority kept in `dir`, made there at first use.
    pub(super) fn open(dir: &Path, now: DateTime<Utc>) -> Result<Self, Error> {
        let (root, key) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        if let (Some(root), Some(key)) = (text(&root)?, text(&key)?) {
            let issuer = Issuer::from_ca_cert_pem(&root, KeyPair::from_pem(&key)?)?;
            return Ok(Self { root_pem: root, issuer });
        }
        let pair = KeyPair::generate()?;
        let params = root_params(now);
        let root_pem = params.self_signed(&pair)?.pem();
        files::write(&key, pair.serialize_pem().as_bytes())?;
        files::write(&root, root_pem.as_bytes())?;
        Ok(Self { root_pem, issuer: Issuer::new(params, pair) })
    }

    /// A new server certificate for the names of loopback: chain and key, in PEM.
    pub(super) fn leaf(&self, now: DateTime<Utc>) -> Result<(String, String), Error> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        lifetime(&mut params, now, LEAF_DAYS);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let pair = KeyPair::generate()?;
        let leaf = params.signed_by(&pair, &self.issuer)?;
        Ok((format!("{}{}", leaf.pem(), self.root_pem), pair.serialize_pem()))
    }

    /// The system's roots and ours, for clients that take one file.
    pub(super) fn bundle(&self) -> String {
        let system = rustls_native_certs::load_native_certs().certs;
        system.iter().map(|root| pem(root)).chain([self.root_pem.clone()]).collect()
    }
}

fn root_params(now: DateTime<Utc>) -> CertificateParams {
    let mut params = CertificateParams::default();
    lifetime(&mut params, now, ROOT_DAYS);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "aci-operator local Azure");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From yesterday, so that clocks that lag a little agree.
fn lifetime(params: &mut CertificateParams, now: DateTime<Utc>, days: u64) {
    let date = |at: DateTime<Utc>| {
        let (month, day) = (at.month().to_le_bytes()[0], at.day().to_le_bytes()[0]);
        rcgen::date_time_ymd(at.year(), month, day)
    };
    params.not_before = date(now - Days::new(1));
    params.not_after = date(now + Days::new(days));
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines = encoded.as_bytes().chunks(PEM_LINE).map(String::from_utf8_lossy);
    let body = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn text(path: &Path) -> io::Result<Option<String>> {
    Ok(files::read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::UnixTime;

    use super::*;
    use crate::tls;

    #[test]
    fn the_root_stays_and_signs_for_loopback() {
        tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let first = Authority::open(dir.path(), now).unwrap();
        let again = Authority::open(dir.path(), now).unwrap();
        assert_eq!(first.root_pem, again.root_pem);
        assert!(again.bundle().ends_with(&first.root_pem));
        let (chain, key) = again.leaf(now).unwrap();
        tls::server_config(chain.as_bytes(), key.as_bytes()).unwrap();
        let leaf = tls::certificates(chain.as_bytes()).unwrap().remove(0);
        let root = tls::certificates(first.root_pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(root);
        let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build().unwrap();
        let at = Duration::from_millis(u64::try_from(now.timestamp_millis()).unwrap());
        for name in ["localhost", "127.0.0.1", "::1"] {
            let at = UnixTime::since_unix_epoch(at);
            let name = name.try_into().unwrap();
            verifier.verify_server_cert(&leaf, &[], &name, &[], at).unwrap();
        }
    }
}
