//! A server on loopback that notes every request and answers as a test says; it knows nothing of
//! ARM.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use aci_operator::tls;
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::Version;
use axum::response::{IntoResponse as _, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::task::JoinSet;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path_and_query: String,
    pub(crate) version: Version,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A running server; ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The CA of its certificate.
    pub(crate) ca_pem: Vec<u8>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Over TLS; `answer` gets each request with the number of those before it.
    pub(crate) fn https(answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> Self {
        Self::https_with(Router::new(), answer)
    }

    /// The same, with routes of its own.
    pub(crate) fn https_with(
        routes: Router,
        answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let (ca_pem, chain_pem, key_pem) = certificates();
        let (seen, routes) = noting(routes, answer);
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let mut config = tls::server_config(&chain_pem, &key_pem).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let config = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let server = axum_server::from_tcp_rustls(listener, config).unwrap();
            server.serve(routes.into_make_service()).await.unwrap();
        });
        Self { address, ca_pem, seen, _tasks: tasks }
    }

    /// In the clear, for a client that takes it.
    pub(crate) fn http(answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> Self {
        let (seen, routes) = noting(Router::new(), answer);
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await.unwrap();
        });
        Self { address, ca_pem: Vec::new(), seen, _tasks: tasks }
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests with this method came so far.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method).count()
    }
}

fn listener() -> TcpListener {
    tls::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn noting(
    routes: Router,
    answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static,
) -> (Arc<Mutex<Vec<Seen>>>, Router) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let answer = Arc::new(answer);
    let routes = routes.fallback(move |request: Request| {
        let (seen, answer) = (Arc::clone(&noted), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let one = Seen {
                method: parts.method.to_string(),
                version: parts.version,
                path_and_query: parts.uri.path_and_query().unwrap().to_string(),
                authorization: parts
                    .headers
                    .get("authorization")
                    .map(|value| value.to_str().unwrap().to_owned()),
                body: to_bytes(body, usize::MAX).await.unwrap(),
            };
            let mut seen = seen.lock().unwrap();
            let before = seen.len();
            seen.push(one.clone());
            drop(seen);
            answer(&one, before)
        }
    });
    (seen, routes)
}

/// CA, chain and key, in PEM.
fn certificates() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    (ca.pem().into_bytes(), leaf.pem().into_bytes(), key.serialize_pem().into_bytes())
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    with_headers(status, &[("content-type", "application/json")], body.to_string())
}

/// An answer with ARM's error body.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    json(status, &serde_json::json!({"error": {"code": code, "message": message}}))
}

/// An answer with headers.
pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: String) -> Response {
    let mut answer = (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}
