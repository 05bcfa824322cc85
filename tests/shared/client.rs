//! An HTTP/1.1 client that trusts one authority, never repeats a request, and forgives nothing.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;

use aci_operator::tls;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Where to connect, whom to expect there, and whom to trust.
#[derive(Clone)]
pub(super) struct Endpoint {
    address: SocketAddr,
    pub(super) name: String,
    config: Arc<ClientConfig>,
}

impl Endpoint {
    /// `name` is a DNS name or an address: the certificate must name it.
    pub(super) fn new(address: SocketAddr, name: &str, authority_pem: &str) -> Self {
        tls::install_provider();
        let config = tls::client_config_only(authority_pem.as_bytes()).unwrap();
        Self { address, name: name.to_owned(), config }
    }

    pub(super) async fn connect(&self) -> Result<Connection> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(self.name.clone()).unwrap();
        let stream = TlsConnector::from(self.config.clone()).connect(name, tcp).await?;
        Ok(Connection { stream: BufReader::new(stream), open: true })
    }
}

pub(super) struct Connection {
    stream: BufReader<TlsStream<TcpStream>>,
    /// The server has not said that it will close.
    pub(super) open: bool,
}

pub(super) struct Response {
    pub(super) status: String,
    pub(super) headers: String,
    pub(super) body: String,
}

impl Connection {
    /// The serial number, in hex, of the certificate that the server showed, verified.
    pub(super) fn serial(&self) -> String {
        let (_, session) = self.stream.get_ref().get_ref();
        let leaf = &session.peer_certificates().unwrap()[0];
        let (_, leaf) = X509Certificate::from_der(leaf).unwrap();
        format!("{:x}", leaf.tbs_certificate.serial)
    }

    pub(super) async fn get(&mut self, path: &str, headers: &str) -> Result<Response> {
        let request = format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let status = self.line().await?;
        let mut headers = String::new();
        let mut length = 0;
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("connection", "close")) => self.open = false,
                None => break,
                Some(_) => {}
            }
            headers += &(line + "\n");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Response { status, headers, body: String::from_utf8(body).unwrap() })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "closed instead of an answer"));
        }
        Ok(line.trim_end().to_owned())
    }
}
