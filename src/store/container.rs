//! Blobs in two containers of Azure Storage, by the official client.
//!
//! One call is one request (a list is one a page), repeated where the service asks for it: 429 and 5xx
//! after `Retry-After`, else after a growing pause. A repeated write whose first answer was lost finds
//! itself in its way; that shows as a conflict, which is read again like any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::{
    ClientOptions, Etag, ExponentialRetryOptions, RequestContent, RetryOptions, StatusCode,
    Transport,
};
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientDownloadOptions, BlobContainerClientListBlobsOptions,
    BlockBlobClientUploadOptions,
};
use azure_storage_blob::{
    BlobClient, BlobContainerClient, BlobContainerClientOptions, StorageError,
};
use futures::TryStreamExt as _;
use url::Url;

use super::cached::{Read, Remote};
use super::lease::BlobLease;
use super::{Expected, Version, fault};
use crate::core::Fault;
use crate::ports::Lease;
use crate::tls;

const SERVICE: &str = "Azure Storage";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one call is repeated.
const PATIENCE: i64 = 30;
/// What the second container is called: the first one's name, and this.
const SECRETS_SUFFIX: &str = "-secrets";
/// First segments of what is in the second container.
const SECRET: [&str; 3] = ["secrets", "pairs", "digest-key"];
/// The blob whose lease says who works on the home. It has no content.
const LEASE: &str = "lease";

/// Where a home in Azure is, and who opens it.
pub struct BlobHome {
    /// The container: `https://ACCOUNT.blob.core.windows.net/CONTAINER`. The one for secrets is beside
    /// it, `CONTAINER-secrets`; both exist.
    pub url: Url,
    /// Gets tokens for `https://storage.azure.com`.
    pub credential: Arc<dyn TokenCredential>,
    /// PEM of the only CA to trust; empty: the system's.
    pub ca_pem: Vec<u8>,
}

/// The two containers of a home.
pub(super) struct Container {
    plain: BlobContainerClient,
    secret: BlobContainerClient,
}

impl Container {
    /// Makes the clients; nothing is asked yet.
    pub(super) fn open(home: BlobHome) -> Result<Self, Fault> {
        let place = home.url.to_string();
        let secret = beside(&home.url).ok_or_else(|| fault(place.clone(), &"is no container"))?;
        let http = http_client(&home.ca_pem).map_err(|e| fault(place.clone(), &e))?;
        let client = |url: Url| {
            let credential = Some(Arc::clone(&home.credential));
            BlobContainerClient::new(url, credential, Some(options(http.clone())))
                .map_err(|e| fault(place.clone(), &e))
        };
        Ok(Self { plain: client(home.url.clone())?, secret: client(secret)? })
    }

    fn container(&self, name: &str) -> &BlobContainerClient {
        let room = name.split('/').next().unwrap_or_default();
        if SECRET.contains(&room) { &self.secret } else { &self.plain }
    }

    fn blob(&self, name: &str) -> BlobClient {
        self.container(name).blob_client(name)
    }
}

#[async_trait]
impl Remote for Container {
    async fn get(&self, name: &str, known: Option<&Version>) -> Result<Read, Fault> {
        let if_none_match = known.map(etag);
        let options = BlobClientDownloadOptions { if_none_match, ..Default::default() };
        let found = match self.blob(name).download(Some(options)).await {
            Ok(found) => found,
            Err(e) if e.http_status() == Some(StatusCode::NotModified) => return Ok(Read::Same),
            Err(e) if is_absent(&e) => return Ok(Read::Absent),
            Err(e) => return Err(told(self.place(name), e)),
        };
        let version = version(found.properties.etag.as_ref());
        let content = found.body.collect().await.map_err(|e| told(self.place(name), e))?;
        Ok(Read::Is(version, content.to_vec()))
    }

    async fn put(
        &self,
        name: &str,
        content: Vec<u8>,
        expected: &Expected,
    ) -> Result<Option<Version>, Fault> {
        let (if_match, if_none_match) = match expected {
            Expected::Anything => (None, None),
            Expected::Nothing => (None, Some(Etag::from("*"))),
            Expected::Same(version) => (Some(etag(version)), None),
        };
        let options = BlockBlobClientUploadOptions {
            if_match,
            if_none_match,
            blob_content_type: Some("application/octet-stream".to_owned()),
            ..Default::default()
        };
        let content = RequestContent::from(content);
        match self.blob(name).upload(content, Some(options)).await {
            Ok(written) => Ok(Some(version(written.etag.as_ref()))),
            Err(e) if is_conflict(&e) && *expected != Expected::Anything => Ok(None),
            Err(e) => Err(told(self.place(name), e)),
        }
    }

    async fn delete(&self, name: &str, expected: &Expected) -> Result<bool, Fault> {
        let if_match = match expected {
            Expected::Same(version) => Some(etag(version)),
            Expected::Anything => None,
            // What is not there need not be deleted; what is there is not as expected.
            Expected::Nothing => return Ok(matches!(self.get(name, None).await?, Read::Absent)),
        };
        let options = BlobClientDeleteOptions { if_match, ..Default::default() };
        match self.blob(name).delete(Some(options)).await {
            Ok(_) => Ok(true),
            Err(e) if is_absent(&e) => Ok(true),
            // Whether it is another one or gone by a repeated request of ours, a read tells.
            Err(e) if is_conflict(&e) && *expected != Expected::Anything => Ok(false),
            Err(e) => Err(told(self.place(name), e)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<BTreeMap<String, Version>, Fault> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()),
            ..Default::default()
        };
        let failed = |e| told(self.place(prefix), e);
        let mut pages =
            self.container(prefix).list_blobs(Some(options)).map_err(failed)?.into_pages();
        let mut found = BTreeMap::new();
        while let Some(page) = pages.try_next().await.map_err(failed)? {
            for blob in page.into_model().map_err(failed)?.blob_items {
                let tag = blob.properties.as_ref().and_then(|properties| properties.etag.as_ref());
                if let Some(name) = blob.name {
                    found.insert(name, version(tag));
                }
            }
        }
        Ok(found)
    }

    fn place(&self, name: &str) -> String {
        if name.is_empty() {
            return self.plain.url().to_string();
        }
        format!("{}/{name}", self.container(name).url())
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        BlobLease::take(self.blob(LEASE), self.place(LEASE)).await
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        BlobLease::is_taken(&self.blob(LEASE), self.place(LEASE)).await
    }
}

/// The URL of the container for secrets.
fn beside(url: &Url) -> Option<Url> {
    let name = url.path_segments()?.next_back().filter(|name| !name.is_empty())?;
    let name = format!("{name}{SECRETS_SUFFIX}");
    let mut url = url.clone();
    url.path_segments_mut().ok()?.pop().push(&name);
    Some(url)
}

fn http_client(ca_pem: &[u8]) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let tls = tls::client_config(ca_pem)?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // The client counts the bytes of a range by itself.
        .no_gzip()
        .no_deflate()
        .build()?;
    Ok(client)
}

fn options(http: reqwest::Client) -> BlobContainerClientOptions {
    let retry = ExponentialRetryOptions {
        max_total_elapsed: azure_core::time::Duration::seconds(PATIENCE),
        ..Default::default()
    };
    BlobContainerClientOptions {
        client_options: ClientOptions {
            retry: RetryOptions::exponential(retry),
            transport: Some(Transport::new(Arc::new(http))),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// A LIST spells an `ETag` without the quotes that a header has.
fn version(tag: Option<&Etag>) -> Version {
    let tag = tag.map(|tag| tag.as_ref().trim_matches('"')).unwrap_or_default();
    Version(tag.as_bytes().to_vec())
}

fn etag(version: &Version) -> Etag {
    Etag::from(format!("\"{}\"", String::from_utf8_lossy(&version.0)))
}

/// No such blob. A container that is not there is another matter.
pub(super) fn is_absent(e: &azure_core::Error) -> bool {
    e.http_status() == Some(StatusCode::NotFound) && code(e) == "BlobNotFound"
}

/// Somebody else was first: 412, and 409 where a blob was to be made that is there.
fn is_conflict(e: &azure_core::Error) -> bool {
    match e.http_status() {
        Some(StatusCode::PreconditionFailed) => true,
        Some(StatusCode::Conflict) => code(e) == "BlobAlreadyExists",
        _ => false,
    }
}

/// The service's code of an error; empty where it has none.
pub(super) fn code(e: &azure_core::Error) -> &str {
    match e.kind() {
        ErrorKind::HttpResponse { error_code: Some(code), .. } => code,
        _ => "",
    }
}

/// An error of the client as ours.
pub(super) fn told(what: String, e: azure_core::Error) -> Fault {
    let Some(status) = e.http_status() else {
        return Fault::Unreachable { service: SERVICE, problem: format!("{what}: {}", chain(&e)) };
    };
    let code = code(&e).to_owned();
    let words = StorageError::try_from(e).ok().and_then(|error| error.message);
    // After the first line come the request's id and time.
    let words = words.as_deref().and_then(|words| words.lines().next()).unwrap_or_default();
    let message = format!("{what}: {code}: {words}");
    match u16::from(status) {
        401 | 403 => Fault::NotGranted {
            service: SERVICE,
            message,
            remedy:
                "the operator needs the role Storage Blob Data Contributor at both containers of \
                     the home, a reader Storage Blob Data Reader at the first"
                    .to_owned(),
        },
        404 if code == "ContainerNotFound" => {
            fault(what, &"the container does not exist; make it, and the one for secrets beside it")
        }
        408 | 429 => Fault::Throttled { service: SERVICE, retry_after: None },
        409 => Fault::Busy { service: SERVICE, message, retry_after: None },
        500.. => Fault::Failing { service: SERVICE, message, retry_after: None },
        _ => Fault::Refused { service: SERVICE, code, message },
    }
}

/// An error with its causes: the outermost often says little.
fn chain(e: &azure_core::Error) -> String {
    let mut text = e.to_string();
    let mut cause = std::error::Error::source(e);
    while let Some(e) = cause {
        let words = e.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_for_secrets_is_beside_the_other() {
        for (url, expected) in [
            (
                "https://a.blob.core.windows.net/home",
                "https://a.blob.core.windows.net/home-secrets",
            ),
            ("https://localhost:1/a/home", "https://localhost:1/a/home-secrets"),
        ] {
            assert_eq!(beside(&url.parse().unwrap()).unwrap().as_str(), expected);
        }
        assert_eq!(beside(&"https://a.blob.core.windows.net/".parse().unwrap()), None);
    }

    #[test]
    fn both_spellings_of_an_etag_are_one() {
        let (header, listed) = (Etag::from("\"0x8D\""), Etag::from("0x8D"));
        assert_eq!(version(Some(&header)), version(Some(&listed)));
        assert_eq!(etag(&version(Some(&listed))), header);
    }
}
