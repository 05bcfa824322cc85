//! Whether we run in Azure: its instance metadata service answers.
//! <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::azure::Error;
use crate::tls;

/// The same address in every cloud; never routed.
const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
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
    seen: AtomicBool,
}

impl Service {
    /// Nothing is known of it yet.
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self { client, seen: AtomicBool::new(false) }
    }

    /// Whether it answers, or ever did. It refuses a request without its header with 400, which no
    /// portal or proxy that may sit at the address would do.
    pub(super) async fn answers(&self) -> bool {
        if self.seen.load(Ordering::Relaxed) {
            return true;
        }
        let answer = self.client.get(TOKEN_URL).timeout(PATIENCE).send().await;
        let found = answer.is_ok_and(|answer| answer.status() == 400);
        self.seen.fetch_or(found, Ordering::Relaxed);
        found
    }
}
