//! Azure's instance metadata service: whether it answers, and waiting until it has a token.
//! <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use tokio::time::Instant;

use crate::azure::Error;
use crate::azure::fault::is_passing;
use crate::core::fault::describe;
use crate::tls;

/// The same address in every cloud; never routed.
pub(super) const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// On a laptop nobody answers there, not even with a refusal.
const PATIENCE: Duration = Duration::from_secs(1);
/// A token comes fast or not yet.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A container group runs before its identity does, after updates too: for so long it may still come
/// (MicrosoftDocs/azure-docs #61447, #71206).
const LATENESS: Duration = Duration::from_mins(3);
/// Pauses between two attempts: doubled each time, from the shortest to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// A managed identity that is asked again while its service is not ready.
#[derive(Debug)]
pub(super) struct Patient(pub(super) Arc<dyn TokenCredential>);

#[async_trait::async_trait]
impl TokenCredential for Patient {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let end = Instant::now() + LATENESS;
        let (mut pause, longest) = PAUSES;
        loop {
            let error = match self.0.get_token(scopes, options.clone()).await {
                Err(error) if is_passing(&error) && Instant::now() + pause < end => error,
                outcome => return outcome,
            };
            tracing::warn!(
                problem = describe(&error),
                "the managed identity is not ready; it is asked again"
            );
            tokio::time::sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}

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
    use std::sync::Mutex;

    use azure_core::error::ErrorKind;
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

    /// Answers with errors of these statuses, one after the other, then with a token.
    #[derive(Debug)]
    struct Late(Mutex<Vec<u16>>);

    #[async_trait::async_trait]
    impl TokenCredential for Late {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let mut left = self.0.lock().unwrap();
            let Some(status) = left.pop() else {
                return Ok(AccessToken::new("t", azure_core::time::OffsetDateTime::UNIX_EPOCH));
            };
            let kind = match status {
                0 => ErrorKind::Io,
                status => ErrorKind::HttpResponse {
                    status: status.into(),
                    error_code: None,
                    raw_response: None,
                },
            };
            Err(azure_core::Error::with_message(kind, "not now"))
        }
    }

    /// What comes of these statuses, after how many seconds.
    async fn outcome(statuses: &[u16]) -> (bool, u64) {
        let begin = Instant::now();
        let late = Late(Mutex::new(statuses.iter().rev().copied().collect()));
        let outcome = Patient(Arc::new(late)).get_token(&["x/.default"], None).await;
        (outcome.is_ok(), begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_identity_is_waited_for_and_a_wrong_one_is_not() {
        assert_eq!(outcome(&[]).await, (true, 0));
        // Nobody there, then not ready, throttled, broken: 1 + 2 + 4 + 8 + 10 seconds.
        assert_eq!(outcome(&[0, 404, 410, 429, 500]).await, (true, 25));
        assert_eq!(outcome(&[400]).await, (false, 0));
        assert_eq!(outcome(&[404, 400]).await, (false, 1));
        let (found, seconds) = outcome(&[0; 1000]).await;
        assert!(!found && (170..=180).contains(&seconds), "{seconds}");
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        let (service, mut tasks) = service(&[]).await;
        tasks.join_next().await;
        assert!(!service.answers().await);
    }
}
