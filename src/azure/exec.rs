//! Exec sessions: a WebSocket on another host and port than ARM's.
//!
//! The first frame is the password, as text; input goes as binary frames, output comes as text or
//! binary, empty messages mean nothing, and a close with 1000 is the end of the process.
//! <https://learn.microsoft.com/azure/container-instances/container-instances-exec>
//!
//! tungstenite prints every frame at trace level, password and input included: the set-up of logging
//! caps it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::core::Fault;
use crate::core::fault::describe;
use crate::ports::{ExecSession, Fence};

/// How faults of a session name their service.
const EXEC: &str = "exec";
/// For name, TCP, TLS, WebSocket and password together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of one message of output.
const LARGEST_MESSAGE: usize = 1 << 20;

/// ARM's answer to a request for a session; the password opens it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invitation {
    web_socket_uri: String,
    password: String,
}

/// Opens sessions.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: Arc<ClientConfig>,
    domains: Vec<String>,
    fence: Fence,
}

impl Dialer {
    /// Sessions on hosts of `domains` alone; no input without leave of `fence`.
    pub(super) fn new(tls: Arc<ClientConfig>, domains: Vec<String>, fence: Fence) -> Self {
        Self { tls, domains, fence }
    }

    /// Opens the session that ARM invites to.
    pub(super) async fn open(&self, invitation: Invitation) -> Result<Session, Fault> {
        let url = self.check(&invitation.web_socket_uri)?;
        match timeout(CONNECT_TIMEOUT, self.connect(&url, invitation.password)).await {
            Ok(session) => session,
            Err(_) => {
                Err(unreachable(format!("no session within {} s", CONNECT_TIMEOUT.as_secs())))
            }
        }
    }

    /// The address decides who gets our password and our key: only TLS, only the cloud's own hosts.
    fn check(&self, raw: &str) -> Result<Url, Fault> {
        let url = Url::parse(raw).ok().filter(|url| url.scheme() == "wss");
        let known = |host: &str| {
            let below = |domain: &String| {
                host.strip_suffix(domain.as_str())
                    .is_some_and(|head| head.is_empty() || head.ends_with('.'))
            };
            self.domains.iter().any(below)
        };
        url.filter(|url| url.host_str().is_some_and(known)).ok_or_else(|| Fault::Refused {
            service: EXEC,
            code: "UntrustedAnswer".to_owned(),
            message: "the session's address is not a wss URL of this cloud".to_owned(),
        })
    }

    async fn connect(&self, url: &Url, password: String) -> Result<Session, Fault> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let name = ServerName::try_from(host.to_owned()).map_err(|e| unreachable(describe(&e)))?;
        let stream =
            TcpStream::connect((host, port)).await.map_err(|e| unreachable(describe(&e)))?;
        // Input is short lines; none should wait for the next.
        stream.set_nodelay(true).map_err(|e| unreachable(describe(&e)))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        let stream = tls.connect(name, stream).await.map_err(|e| unreachable(describe(&e)))?;
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE));
        let (mut socket, _) = client_async_with_config(url.as_str(), stream, Some(config))
            .await
            .map_err(|e| lost(&e))?;
        socket.send(Message::text(password)).await.map_err(|e| lost(&e))?;
        Ok(Session { socket, ended: false, fence: self.fence.clone() })
    }
}

/// An open session.
pub(super) struct Session {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    ended: bool,
    fence: Fence,
}

#[async_trait]
impl ExecSession for Session {
    async fn send(&mut self, input: &[u8]) -> Result<(), Fault> {
        self.fence.check(Instant::now())?;
        self.socket.send(Message::binary(input.to_vec())).await.map_err(|e| lost(&e))
    }

    async fn receive(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        while !self.ended {
            match self.socket.next().await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    let output = message.into_data();
                    if !output.is_empty() {
                        return Ok(Some(output.to_vec()));
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    closed(frame)?;
                    self.ended = true;
                }
                // tungstenite answers pings by itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(&error)),
                None => {
                    return Err(unreachable("the connection ended before the process".to_owned()));
                }
            }
        }
        Ok(None)
    }
}

fn closed(frame: Option<CloseFrame>) -> Result<(), Fault> {
    match frame {
        Some(frame) if frame.code == CloseCode::Normal => Ok(()),
        Some(frame) => Err(Fault::Failing {
            service: EXEC,
            message: format!("closed with {}: {}", u16::from(frame.code), frame.reason.as_str()),
            retry_after: None,
        }),
        None => Err(unreachable("closed without a reason".to_owned())),
    }
}

fn lost(error: &tungstenite::Error) -> Fault {
    match error {
        tungstenite::Error::Http(answer) if matches!(answer.status().as_u16(), 401 | 403) => {
            Fault::Forbidden { service: EXEC, message: format!("status {}", answer.status()) }
        }
        other => unreachable(describe(other)),
    }
}

fn unreachable(problem: String) -> Fault {
    Fault::Unreachable { service: EXEC, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wss_and_only_the_clouds_own_hosts() {
        crate::tls::install_provider();
        let config = crate::tls::client_config_only(&[]).unwrap();
        let dialer =
            Dialer::new(config, vec!["atlas.cloudapp.azure.com".to_owned()], Fence::open());
        for good in [
            "wss://x.eastus.atlas.cloudapp.azure.com:19390/exec",
            "wss://x.atlas.cloudapp.azure.com:19390/exec?a=b",
        ] {
            assert!(dialer.check(good).is_ok(), "{good}");
        }
        for bad in [
            "ws://x.eastus.atlas.cloudapp.azure.com/",
            "https://x.eastus.atlas.cloudapp.azure.com/",
            "wss://evil.example/",
            "wss://xatlas.cloudapp.azure.com/",
            "wss://atlas.cloudapp.azure.com.evil.example/",
            "wss://x.atlas.cloudapp.azure.com@evil.example/",
            "wss://10.0.0.1:19390/",
            "",
        ] {
            assert!(dialer.check(bad).is_err(), "{bad}");
        }
    }
}
