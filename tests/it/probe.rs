//! The probe against real listeners.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use aci_operator::core::Fault;
use aci_operator::core::certificate::Pair;
use aci_operator::core::issuer::Constraints;
use aci_operator::ports::Probe as _;
use aci_operator::probe::TlsProbe;
use aci_operator::tls;

use crate::pki;

/// Presents the present pair, and notes the server names that clients send.
#[derive(Debug)]
struct Endpoint {
    pair: Mutex<Arc<CertifiedKey>>,
    seen: Mutex<Vec<Option<String>>>,
}

impl ResolvesServerCert for Endpoint {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.seen.lock().unwrap().push(hello.server_name().map(str::to_owned));
        Some(self.pair.lock().unwrap().clone())
    }
}

fn certified(chain_of: &Pair, key_of: &Pair) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::from_pem_slice(key_of.key_pem.reveal().as_bytes()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let chain = tls::certificates(chain_of.chain_pem.as_bytes()).unwrap();
    Arc::new(CertifiedKey::new(chain, key))
}

async fn listen(
    pair: Arc<CertifiedKey>,
    version: &'static SupportedProtocolVersion,
) -> (SocketAddr, Arc<Endpoint>, JoinSet<()>) {
    tls::install_provider();
    let endpoint = Arc::new(Endpoint { pair: Mutex::new(pair), seen: Mutex::default() });
    let config = ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_cert_resolver(endpoint.clone());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            drop(acceptor.accept(tcp).await);
        }
    });
    (address, endpoint, tasks)
}

fn ders(pair: &Pair) -> Vec<Vec<u8>> {
    tls::certificates(pair.chain_pem.as_bytes()).unwrap().iter().map(|der| der.to_vec()).collect()
}

#[tokio::test]
async fn what_is_served_now_is_seen() {
    let root = pki::root(Constraints::default());
    let mut first = pki::leaf(&root, &["mon-dns.com"]);
    first.chain_pem.push_str(&root.chain_pem);
    let second = pki::leaf(&root, &["other.org"]);
    for version in [&TLS12, &TLS13] {
        let (address, endpoint, _tasks) = listen(certified(&first, &first), version).await;
        let probe = TlsProbe::new();
        assert_eq!(probe.served(address, "mon-dns.com").await.unwrap(), ders(&first));
        *endpoint.pair.lock().unwrap() = certified(&second, &second);
        assert_eq!(probe.served(address, "mon-dns.com").await.unwrap(), ders(&second));
        assert_eq!(probe.served(address, "127.0.0.1").await.unwrap(), ders(&second));
        let name = Some("mon-dns.com".to_owned());
        assert_eq!(*endpoint.seen.lock().unwrap(), [name.clone(), name, None]);
    }
}

#[tokio::test]
async fn a_peer_without_the_key_proves_nothing() {
    let root = pki::root(Constraints::default());
    let (chain, other) = (pki::leaf(&root, &["a.b"]), pki::leaf(&root, &["a.b"]));
    let (address, _endpoint, _tasks) = listen(certified(&chain, &other), &TLS13).await;
    let fault = TlsProbe::new().served(address, "a.b").await.unwrap_err();
    assert!(matches!(&fault, Fault::Failing { .. }), "{fault:?}");
    assert!(fault.to_string().contains("BadSignature"), "{fault}");
}

#[tokio::test]
async fn faults_tell_what_is_wrong() {
    tls::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let probe = TlsProbe::new();
    let bad = probe.served(address, "not a name").await.unwrap_err();
    assert!(matches!(bad, Fault::Refused { .. }), "{bad:?}");

    let (hung_up, ()) = tokio::join!(probe.served(address, "a.b"), async {
        drop(listener.accept().await);
    });
    assert!(matches!(hung_up, Err(Fault::Failing { .. })), "{hung_up:?}");

    // Bound, so that nobody else takes the port, and not listening.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = probe.served(deaf.local_addr().unwrap(), "a.b").await.unwrap_err();
    assert!(matches!(nobody, Fault::Unreachable { .. }), "{nobody:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_is_not_waited_for() {
    tls::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = TlsProbe::new().served(address, "a.b").await.unwrap_err();
    assert!(silent.to_string().contains("within 3 s"), "{silent}");
}
