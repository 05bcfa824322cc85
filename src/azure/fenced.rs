//! The last thing before the network: no write begins without leave.

use std::future::poll_fn;
use std::sync::{PoisonError, RwLock};
use std::task::Poll;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request};
use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until};

use crate::ports::Fence;

/// An HTTP client that asks the fence before each write, gives a write up when its leave ends, and keeps
/// no connection longer than a term: what an earlier term left in one must not leave in a later.
#[derive(Debug)]
pub(super) struct Fenced {
    tls: ClientConfig,
    fence: Fence,
    client: RwLock<(Instant, reqwest::Client)>,
}

impl Fenced {
    /// A client on our own TLS set-up.
    pub(super) fn new(tls: &ClientConfig, fence: Fence) -> Result<Self, reqwest::Error> {
        let client = RwLock::new((Instant::now(), super::arm::http_client(tls)?));
        Ok(Self { tls: tls.clone(), fence, client })
    }

    /// The client of this term.
    fn client(&self, now: Instant) -> azure_core::Result<reqwest::Client> {
        let (made, client) = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        if self.fence.term().is_none_or(|term| now < made + term) {
            return Ok(client);
        }
        let fresh = super::arm::http_client(&self.tls)
            .map_err(|e| Error::with_error(ErrorKind::Other, e, "the HTTP client"))?;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = (now, fresh.clone());
        Ok(fresh)
    }
}

#[async_trait]
impl HttpClient for Fenced {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let client = self.client(Instant::now())?;
        if matches!(request.method(), Method::Get | Method::Head) {
            return client.execute_request(request).await;
        }
        let leave = || {
            let leave = self.fence.check(Instant::now());
            leave.map_err(|fault| Error::with_error(ErrorKind::Other, fault, "not sent"))
        };
        leave()?;
        tracing::debug!(path = request.url().path(), "a write begins");
        let mut answer = std::pin::pin!(client.execute_request(request));
        loop {
            // Asked each time that the client may send, for the process may have been stopped since.
            let send = poll_fn(|context| match leave() {
                Ok(()) => answer.as_mut().poll(context),
                Err(late) => Poll::Ready(Err(late)),
            });
            let Some(end) = self.fence.end() else { return send.await };
            tokio::select! {
                // Where the lease was renewed meanwhile, the same write goes on.
                () = sleep_until(end) => leave()?,
                answer = send => return answer,
            }
        }
    }
}
