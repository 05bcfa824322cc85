//! Whether we run in Azure: its instance metadata service answers.
//! <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::azure::Error;
use crate::tls;

/// The same address in every cloud; never routed.
pub(super) const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// On a laptop nobody answers there, not even with a refusal.
const PATIENCE: Duration = Duration::from_secs(1);
/// A token comes fast or not yet.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for the metadata service, which speaks plain HTTP: no root is trusted, and no proxy is
/// used, for it would speak of another machine's identity.
pub(super) fn client() -> Result<reqwest::Client, Error> {
    let tls = tls::client_config_only(&[])?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
        .no_proxy()
        .timeout(TOKEN_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    Ok(builder.build()?)
}

/// The metadata service.
pub(super) struct Service {
    client: reqwest::Client,
    url: String,
    seen: AtomicBool,
}

impl Service {
    /// The one at `url`; nothing is known of it yet.
    pub(super) fn new(client: reqwest::Client, url: &str) -> Self {
        Self { client, url: url.to_owned(), seen: AtomicBool::new(false) }
    }

    /// Whether it answers, or ever did. It refuses a request without its header with 400, which no
    /// portal or proxy that may sit at the address would do.
    pub(super) async fn answers(&self) -> bool {
        if self.seen.load(Ordering::Relaxed) {
            return true;
        }
        let answer = self.client.get(&self.url).timeout(PATIENCE).send().await;
        let found = answer.is_ok_and(|answer| answer.status() == 400);
        self.seen.fetch_or(found, Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// A service at an address that gives the answers one after the other, then nothing more.
    async fn service(answers: &'static [&'static str]) -> (Service, JoinSet<()>) {
        tls::install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                let head = "content-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(format!("HTTP/1.1 {answer}\r\n{head}").as_bytes()).await.unwrap();
            }
        });
        (Service::new(client().unwrap(), &url), tasks)
    }

    #[tokio::test]
    async fn only_its_refusal_is_an_answer_and_is_remembered() {
        let (service, mut tasks) =
            service(&["200 OK", "302 Found", "403 Forbidden", "400 Bad Request"]).await;
        for expected in [false, false, false, true] {
            assert_eq!(service.answers().await, expected);
        }
        tasks.join_next().await;
        assert!(service.answers().await, "the service is gone, and we are where we were");
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        let (service, mut tasks) = service(&[]).await;
        tasks.join_next().await;
        assert!(!service.answers().await);
    }
}
