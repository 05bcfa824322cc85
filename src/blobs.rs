//! One blob container of Azure Storage, by the official client.
//!
//! One call is one request (a list is one a page), repeated where the service asks for it: 429 and 5xx
//! after `Retry-After`, else after a growing pause. A repeated write whose first answer was lost finds
//! itself in its way; that shows as a conflict, which is read again like any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{
    ClientOptions, Etag, ExponentialRetryOptions, RequestContent, RetryOptions, StatusCode,
    Transport,
};
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientDownloadOptions, BlobContainerClientListBlobsOptions,
    BlockBlobClientUploadOptions,
};
use azure_storage_blob::{BlobClient, BlobContainerClient, BlobContainerClientOptions};
use futures::TryStreamExt as _;
use url::Url;

use crate::core::Fault;
use crate::tls;

mod error;

use error::is_conflict;
pub use error::{code, is_absent, told};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one call is repeated, in seconds.
const PATIENCE: i64 = 30;

/// What tells one content of a blob from the next: its `ETag`, or, of a file, the content itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version(pub Vec<u8>);

/// What must be there for a write to happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// No such blob.
    Nothing,
    /// What was read.
    Same(Version),
}

/// What a look at a blob found.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// No such blob.
    Absent,
    /// The version that was known.
    Same,
    /// Another one, with its content.
    Is(Version, Vec<u8>),
}

/// Who speaks to Azure Storage. A clone is cheap and shares connections.
#[derive(Clone)]
pub struct Access {
    credential: Arc<dyn TokenCredential>,
    http: reqwest::Client,
}

impl Access {
    /// Access with tokens of `credential` for `https://storage.azure.com`. `ca_pem` are the only
    /// authorities to trust; empty: the system's.
    ///
    /// # Errors
    /// The authorities are not PEM.
    pub fn new(credential: Arc<dyn TokenCredential>, ca_pem: &[u8]) -> Result<Self, Fault> {
        let http = http_client(ca_pem).map_err(|e| store("the client of Azure Storage", &e))?;
        Ok(Self { credential, http })
    }
}

/// One container.
#[derive(Clone)]
pub struct Container {
    client: Arc<BlobContainerClient>,
}

impl Container {
    /// The container at `url`; nothing is asked yet.
    ///
    /// # Errors
    /// It is no `https` URL.
    pub fn open(url: &Url, access: &Access) -> Result<Self, Fault> {
        let credential = Some(Arc::clone(&access.credential));
        let options = Some(options(access.http.clone()));
        let client = BlobContainerClient::new(url.clone(), credential, options)
            .map_err(|e| store(url.as_str(), &e))?;
        Ok(Self { client: Arc::new(client) })
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        self.client.url()
    }

    /// A blob for people: its URL, its name as it is.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.url())
    }

    /// The client of one blob.
    pub fn blob(&self, name: &str) -> BlobClient {
        self.client.blob_client(name)
    }

    /// A blob; of one whose version is `known`, that it is the same.
    ///
    /// # Errors
    /// The service refuses, fails or does not answer; the container does not exist.
    pub async fn get(&self, name: &str, known: Option<&Version>) -> Result<Read, Fault> {
        let if_none_match = known.map(etag);
        let options = BlobClientDownloadOptions { if_none_match, ..Default::default() };
        let found = match self.blob(name).download(Some(options)).await {
            Ok(found) => found,
            Err(e) if e.http_status() == Some(StatusCode::NotModified) => return Ok(Read::Same),
            Err(e) if is_absent(&e) => return Ok(Read::Absent),
            Err(e) => return Err(told(&self.place(name), e)),
        };
        let version = version(found.properties.etag.as_ref());
        let content = found.body.collect().await.map_err(|e| told(&self.place(name), e))?;
        Ok(Read::Is(version, content.to_vec()))
    }

    /// Writes a blob whole: its new version, `None` where it is not as expected.
    ///
    /// # Errors
    /// As of [`Container::get`].
    pub async fn put(
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
            Err(e) => Err(told(&self.place(name), e)),
        }
    }

    /// Deletes a blob, and says whether none is there now: not where it is other than expected.
    ///
    /// # Errors
    /// As of [`Container::get`].
    pub async fn delete(&self, name: &str, expected: &Expected) -> Result<bool, Fault> {
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
            Err(e) => Err(told(&self.place(name), e)),
        }
    }

    /// The versions of all blobs whose names begin with `prefix`.
    ///
    /// # Errors
    /// As of [`Container::get`].
    pub async fn list(&self, prefix: &str) -> Result<BTreeMap<String, Version>, Fault> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()),
            ..Default::default()
        };
        let failed = |e| told(&self.place(prefix), e);
        let mut pages = self.client.list_blobs(Some(options)).map_err(failed)?.into_pages();
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
}

/// A fault of what is our own.
fn store(what: &str, problem: &dyn std::fmt::Display) -> Fault {
    Fault::Store { what: what.to_owned(), problem: problem.to_string() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_etag_are_one() {
        let (header, listed) = (Etag::from("\"0x8D\""), Etag::from("0x8D"));
        assert_eq!(version(Some(&header)), version(Some(&listed)));
        assert_eq!(etag(&version(Some(&listed))), header);
    }
}
