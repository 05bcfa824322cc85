//! The TLS handshake that sees what is really served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::core::Fault;
use crate::ports::Probe;

/// What faults say.
const SERVICE: &str = "the endpoint";
/// How long a whole probe may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Probes by TCP and rustls. The server name is sent (SNI) where it is a DNS name; an address never
/// is (RFC 6066 section 3).
#[derive(Clone, Debug)]
pub struct TlsProbe {
    config: Arc<ClientConfig>,
}

impl Default for TlsProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsProbe {
    /// A probe; the process's crypto provider must be installed.
    pub fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Witness { provider }))
            .with_no_client_auth();
        // A resumed session shows the certificate of the first one, not what is served now.
        config.resumption = Resumption::disabled();
        Self { config: Arc::new(config) }
    }
}

#[async_trait]
impl Probe for TlsProbe {
    async fn served(&self, address: SocketAddr, server_name: &str) -> Result<Vec<Vec<u8>>, Fault> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| Fault::Refused {
            service: SERVICE,
            code: "BadServerName".to_owned(),
            message: format!("`{server_name}` is neither a DNS name nor an address"),
        })?;
        match tokio::time::timeout(TIMEOUT, self.handshake(address, name)).await {
            Ok(result) => result,
            Err(_) => Err(unreachable(&format!("no handshake within {} s", TIMEOUT.as_secs()))),
        }
    }
}

impl TlsProbe {
    async fn handshake(
        &self,
        address: SocketAddr,
        name: ServerName<'static>,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let tcp = TcpStream::connect(address).await.map_err(|e| unreachable(&e))?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let tls = connector.connect(name, tcp).await.map_err(|e| Fault::Failing {
            service: SERVICE,
            message: format!("the TLS handshake failed: {e}"),
            retry_after: None,
        })?;
        let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
        Ok(chain.iter().map(|der| der.to_vec()).collect())
    }
}

fn unreachable(problem: &impl ToString) -> Fault {
    Fault::Unreachable { service: SERVICE, problem: problem.to_string() }
}

/// Takes any certificate, since which one is served is the question. The peer must still prove that
/// it has the key; nothing is sent after the handshake, and who asks compares fingerprints.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
