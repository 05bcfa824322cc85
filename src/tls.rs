//! The one TLS set-up: rustls with aws-lc-rs, certificates always verified.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not PEM, or not of the expected kind.
    #[error("the PEM text does not hold what is expected: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// rustls refuses the material.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Makes aws-lc-rs the process's crypto provider. Called once, first thing; later calls do nothing.
pub fn install_provider() {
    // An error only says that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A client that trusts the certificates of `pem` and no others, or, where it is empty, the system's
/// roots (or those of `SSL_CERT_FILE`, `SSL_CERT_DIR`).
pub fn client_config(pem: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    if pem.is_empty() {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(trusting(roots));
    }
    client_config_only(pem)
}

/// A client that trusts the certificates of `pem` and nothing else, even where there are none.
pub fn client_config_only(pem: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(trusting(roots))
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// A server that presents `chain_pem` (leaf first) with the private key `key_pem`.
pub fn server_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<ServerConfig, Error> {
    let key = PrivateKeyDer::from_pem_slice(key_pem)?;
    Ok(ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates(chain_pem)?, key)?)
}

/// All certificates of a PEM text, in order.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    Ok(CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?)
}
