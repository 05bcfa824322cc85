//! The transport: one request to ARM, one answer or one fault.
//!
//! Traps of the pipeline and of ARM, avoided here: names are encoded segment by segment and cannot
//! climb; a link of the server's is followed on our own origin only, for the token goes with it; the
//! pipeline's checks are skipped, because they cannot read an error message with a JSON escape in
//! it; its retries are off, because a repeated write restarts containers and its waits have no end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    ClientOptions, Context, HttpClient, Method, Pipeline, PipelineSendOptions, RawResponse,
    Request, RetryOptions, Transport,
};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

use super::fault::{self, ARM, Refusal};
use super::limits::{self, Limits, Quota};
use super::{Cloud, Error, Observer};
use crate::core::Fault;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// ARM itself gives up after 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
/// Tries of a read that brings no answer at all, and the pause between them.
const READ_TRIES: u32 = 3;
const READ_PAUSE: Duration = Duration::from_millis(100);
/// A list that goes on beyond so many pages goes in circles.
const MOST_PAGES: usize = 1000;

/// Azure Resource Manager.
pub(super) struct Arm {
    endpoint: Url,
    pipeline: Pipeline,
    limits: Arc<Mutex<Limits>>,
    /// Whose requests they are, for the limits.
    principal: String,
    observer: Observer,
}

/// A request.
pub(super) struct Call<'a> {
    /// What it is for: the label of metrics and logs.
    pub(super) operation: &'static str,
    /// How.
    pub(super) method: Method,
    /// Where.
    pub(super) url: Url,
    /// Whose limits it counts against.
    pub(super) subscription: &'a str,
    /// Which.
    pub(super) quotas: &'a [Quota],
    /// What it says.
    pub(super) body: Option<&'a Value>,
}

/// Why a request brought no success.
#[derive(Debug)]
pub(super) enum Failure {
    /// ARM answered.
    Refused(Refusal),
    /// It did not, or was not asked.
    Fault(Fault),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The answer; nothing where the refusal says, as `is_absence` reads it, that the thing is not there.
pub(super) fn or_absent<T>(
    answer: Result<T, Failure>,
    is_absence: fn(&Refusal) -> bool,
) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Failure::Refused(refusal)) if is_absence(&refusal) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

impl Arm {
    /// ARM of `cloud`, where `limits` count what a principal asks.
    pub(super) fn new(
        cloud: &Cloud,
        client: Arc<dyn HttpClient>,
        credential: Arc<dyn TokenCredential>,
        observer: Observer,
        (limits, principal): (Arc<Mutex<Limits>>, &str),
    ) -> Result<Self, Error> {
        let endpoint = https(&cloud.resource_manager)?;
        let scope = format!("{}/.default", cloud.audience.trim_end_matches('/'));
        let pipeline = pipeline(client, credential, scope);
        Ok(Self { endpoint, pipeline, limits, principal: principal.to_owned(), observer })
    }

    /// A URL below the endpoint.
    ///
    /// # Errors
    /// A segment that is no name.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Fault> {
        if let Some(bad) = segments.iter().find(|segment| !is_name(segment)) {
            return Err(Fault::Refused {
                service: ARM,
                code: "InvalidName".to_owned(),
                message: format!("{bad:?} cannot be part of a resource's address"),
            });
        }
        let mut url = self.endpoint.clone();
        // An https URL always has a path; this cannot fail.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }

    /// Sends a request and gives the body of a success. A read is sent again where no answer came.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let most = if call.method == Method::Get { READ_TRIES } else { 1 };
        let mut tried = 1;
        loop {
            match self.send(call).await {
                Err(Failure::Fault(Fault::Unreachable { service: ARM, .. })) if tried < most => {
                    sleep(READ_PAUSE * tried).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// Sends a request whose success is JSON.
    pub(super) async fn json(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let body = self.call(call).await?;
        serde_json::from_slice(&body).map_err(|_| {
            // The parser's words could quote the body.
            Failure::Fault(Fault::Failing {
                service: ARM,
                message: format!("the answer to {} is not JSON", call.operation),
                retry_after: None,
            })
        })
    }

    /// All elements of a list, page after page.
    pub(super) async fn list(&self, mut call: Call<'_>) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut page = self.json(&call).await?;
            if let Some(Value::Array(elements)) = page.get_mut("value").map(Value::take) {
                all.extend(elements);
            }
            match page["nextLink"].as_str().filter(|link| !link.is_empty()) {
                Some(link) => call.url = self.follow(link)?,
                None => return Ok(all),
            }
        }
        Err(Failure::Fault(untrusted("the list does not end")))
    }

    /// A URL that the server gave us: on our own origin, or nothing.
    fn follow(&self, link: &str) -> Result<Url, Fault> {
        match self.endpoint.join(link) {
            Ok(url) if url.origin() == self.endpoint.origin() => Ok(url),
            _ => Err(untrusted("a link leads away from Resource Manager and is not followed")),
        }
    }

    async fn send(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let (principal, subscription) = (self.principal.as_str(), call.subscription);
        let budget = "our own budget for ARM";
        limits::admit(&self.limits, principal, subscription, call.quotas, budget).await?;
        let mut request = request(call);
        let skip = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let answer = self.pipeline.send(&Context::default(), &mut request, Some(skip)).await;
        self.note(call, &answer);
        let answer = answer.map_err(|error| fault::lost(ARM, &error))?;
        let (status, headers, body) = answer.deconstruct();
        if status.is_success() {
            return Ok(body.as_ref().to_vec());
        }
        Err(Failure::Refused(Refusal::read(status.into(), &headers, body.as_ref())))
    }

    fn note(&self, call: &Call<'_>, answer: &azure_core::Result<RawResponse>) {
        let status = answer.as_ref().map_or(0, |answer| answer.status().into());
        (self.observer)(call.operation, status);
        tracing::debug!(operation = call.operation, path = call.url.path(), status, "asked ARM");
    }
}

/// A pipeline that signs in for `scope` and repeats nothing.
pub(super) fn pipeline(
    client: Arc<dyn HttpClient>,
    credential: Arc<dyn TokenCredential>,
    scope: String,
) -> Pipeline {
    let bearer = BearerTokenAuthorizationPolicy::new(credential, [scope]);
    Pipeline::new(
        option_env!("CARGO_PKG_NAME"),
        option_env!("CARGO_PKG_VERSION"),
        options(client),
        Vec::new(),
        vec![Arc::new(bearer)],
        None,
    )
}

/// Options of a pipeline that repeats nothing.
pub(super) fn options(client: Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(client)),
        ..ClientOptions::default()
    }
}

/// An HTTP client on our own TLS set-up, which follows no redirect.
pub(super) fn http_client(tls: &ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// The URL itself where tokens may be sent to it.
pub(super) fn https(url: &Url) -> Result<Url, Error> {
    if url.scheme() == "https" && url.host().is_some() {
        Ok(url.clone())
    } else {
        Err(Error::Endpoint(url.to_string()))
    }
}

/// `url` would drop `.` and `..` without a word and keep what a proxy may take for a separator.
fn is_name(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && !segment.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'))
}

fn request(call: &Call<'_>) -> Request {
    let mut request = Request::new(call.url.clone(), call.method);
    request.insert_header(ACCEPT, "application/json");
    if let Some(body) = call.body {
        request.insert_header(CONTENT_TYPE, "application/json");
        request.set_body(body.to_string().into_bytes());
    } else if call.method == Method::Post {
        request.insert_header(CONTENT_LENGTH, "0");
    }
    request
}

fn untrusted(message: &str) -> Fault {
    Fault::Refused { service: ARM, code: "UntrustedAnswer".to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["rg", "a.b", "...", "%2e%2e", "été", "a b", "x?y#z"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../x", "a\\b", "a\nb", "a\0"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn tokens_go_to_https_alone() {
        assert!(https(&Url::parse("https://localhost:1").unwrap()).is_ok());
        assert!(https(&Url::parse("http://localhost:1").unwrap()).is_err());
    }
}
