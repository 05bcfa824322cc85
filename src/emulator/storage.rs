//! The blob endpoint of storage accounts: tokens, roles and faults are checked here, blobs are kept by
//! Azurite, which checks neither.
//!
//! Accounts are served in path style, as Azurite serves them (`https://localhost:PORT/ACCOUNT/…`): who
//! has a name below `localhost` resolved is not the same everywhere. What is not understood is refused.

mod access;
mod answer;
mod azurite;
mod operation;
mod shared_key;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::response::Response;

use self::answer::Refused;
use self::azurite::Azurite;
use self::operation::{Asked, What};
use self::shared_key::AccountKey;
use super::entra::Entra;
use super::faults::{Effect, Operation};
use super::http::{insert, reset};
use super::requests::Requests;
use super::world::World;

pub(super) use self::azurite::Error as StorageError;

/// Largest body of a request; what local Azure is for is much smaller.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// The version of the service that our own requests speak.
const VERSION: &str = "2024-11-04";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-ms-version");
const DATE: HeaderName = HeaderName::from_static("x-ms-date");
/// Headers that belong to one connection (RFC 9110, 7.6.1), and those that are made anew.
const NOT_FORWARDED: [HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::AUTHORIZATION,
    header::DATE,
];

/// The storage accounts' data.
pub(super) struct Storage {
    world: Arc<World>,
    entra: Arc<Entra>,
    azurite: Azurite,
    /// What account keys are derived from.
    secret: String,
    http: reqwest::Client,
}

/// What serving takes.
#[derive(Clone)]
struct Service {
    storage: Arc<Storage>,
    requests: Arc<Requests>,
}

/// Every path of the blob endpoint.
pub(super) fn routes(storage: Arc<Storage>, requests: &Arc<Requests>) -> Router {
    Router::new().fallback(serve).with_state(Service { storage, requests: Arc::clone(requests) })
}

/// Answers one request, and notes it.
async fn serve(State(service): State<Service>, request: Request) -> Response {
    let storage = &service.storage;
    let arrived = (storage.world.clock)();
    let (parts, body) = request.into_parts();
    let asked = Asked::parse(&parts.method, &parts.uri, &parts.headers);
    let operation = asked.as_ref().map_or(Operation::Other, Asked::operation);
    let answer = match asked {
        Some(asked) => storage.answer(&parts, body, &asked).await,
        None => Some(Refused::not_known(&parts).into_response(&parts.headers, arrived)),
    };
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let status = answer.as_ref().map(|answer| answer.status().as_u16());
    service.requests.note(arrived, method, path, operation, status);
    answer.unwrap_or_else(reset)
}

impl Storage {
    /// The accounts of `world`, with Azurite's program and directory. `secret` is local Azure's own.
    pub(super) fn new(
        world: Arc<World>,
        entra: Arc<Entra>,
        (program, dir): (PathBuf, PathBuf),
        secret: &str,
    ) -> Result<Self, StorageError> {
        let azurite = Azurite::new(program, dir, secret.to_owned());
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { world, entra, azurite, secret: secret.to_owned(), http })
    }

    /// Whether blobs can be served on this machine at all.
    pub(super) fn check_installed(&self) -> Result<(), StorageError> {
        self.azurite.check_installed().map(drop)
    }

    /// The keys of an account, as name and value.
    pub(super) fn keys(&self, account: &str) -> [(&'static str, String); 2] {
        ["key1", "key2"]
            .map(|name| (name, AccountKey::derive(&self.secret, account, name).to_base64()))
    }

    /// Makes a container; one that is there is success.
    pub(super) async fn create_container(
        &self,
        account: &str,
        name: &str,
    ) -> Result<(), StorageError> {
        self.own(&Method::PUT, account, &format!("/{account}/{name}?restype=container"), 409).await
    }

    /// Deletes a container; none is success.
    pub(super) async fn delete_container(
        &self,
        account: &str,
        name: &str,
    ) -> Result<(), StorageError> {
        let path = format!("/{account}/{name}?restype=container");
        self.own(&Method::DELETE, account, &path, 404).await
    }

    /// Deletes every container of an account.
    pub(super) async fn empty(&self, account: &str) -> Result<(), StorageError> {
        let (_, body) = self.ask(&Method::GET, account, &format!("/{account}?comp=list")).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        for name in text.split("<Name>").skip(1).filter_map(|rest| rest.split('<').next()) {
            self.delete_container(account, name).await?;
        }
        Ok(())
    }

    /// Stops what runs for it.
    pub(super) async fn stop(&self) {
        self.azurite.stop().await;
    }

    /// Removes every blob.
    pub(super) async fn reset(&self) -> Result<(), StorageError> {
        self.azurite.reset().await
    }

    /// None where the connection is to end without an answer.
    async fn answer(&self, parts: &Parts, body: Body, asked: &Asked) -> Option<Response> {
        let refuse =
            |refused: Refused| Some(refused.into_response(&parts.headers, (self.world.clock)()));
        if let Err(refused) = self.authorize(parts, asked) {
            return refuse(refused);
        }
        let effects = self.world.outward(asked.operation(), asked.container.as_deref());
        let mut lost = false;
        for effect in effects {
            match effect {
                Effect::Latency { millis } => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                Effect::Reset => return None,
                Effect::BlobAnswerLost => lost = true,
                other => return refuse(Refused::fault(&other, asked)),
            }
        }
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
            return refuse(Refused::too_large());
        };
        let done = self.forward(&asked.account, (&parts.method, &parts.uri), &parts.headers, body);
        let (response, body) = match done.await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(%error, "blobs cannot be served");
                return refuse(Refused::busy(None));
            }
        };
        self.note(asked, response.status().is_success());
        (!lost).then(|| answer::passed(&response, body))
    }

    /// Containers that came or went at the endpoint are known to ARM.
    fn note(&self, asked: &Asked, done: bool) {
        if let (Some(container), true) = (&asked.container, done)
            && let What::CreateContainer | What::DeleteContainer = asked.what
        {
            let there = asked.what == What::CreateContainer;
            self.world
                .with(|azure, now| azure.note_container(now, &asked.account, container, there));
        }
    }

    /// A request of local Azure itself; `fine` is as good as success.
    async fn own(
        &self,
        method: &Method,
        account: &str,
        path: &str,
        fine: u16,
    ) -> Result<(), StorageError> {
        let (response, body) = self.ask(method, account, path).await?;
        if response.status().is_success() || response.status() == fine {
            return Ok(());
        }
        Err(StorageError::Refused(String::from_utf8_lossy(&body).into_owned()))
    }

    async fn ask(
        &self,
        method: &Method,
        account: &str,
        path: &str,
    ) -> Result<(Passed, Bytes), StorageError> {
        let uri: Uri = path.parse().map_err(|_| StorageError::Refused(path.to_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
        self.forward(account, (method, &uri), &headers, Bytes::new()).await
    }

    /// Sends a request to Azurite, signed anew.
    async fn forward(
        &self,
        account: &str,
        (method, uri): (&Method, &Uri),
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(Passed, Bytes), StorageError> {
        let accounts = self.world.look(|azure, _| azure.account_names());
        let base = self.azurite.url(&accounts).await?;
        let mut headers = headers.clone();
        for name in NOT_FORWARDED {
            headers.remove(name);
        }
        // RFC 1123, as HTTP has it.
        let date = (self.world.clock)().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        insert(&mut headers, DATE, &date);
        insert(&mut headers, header::CONTENT_LENGTH, &body.len().to_string());
        let key = self.azurite.key(account);
        let signature = key.authorization(account, (method, uri), &headers);
        insert(&mut headers, header::AUTHORIZATION, &signature);
        let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let request = self.http.request(method.clone(), format!("{base}{path}"));
        let sent = request.headers(headers).body(body).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                if error.is_connect() {
                    self.azurite.lost(&base).await;
                }
                return Err(error.into());
            }
        };
        let passed = Passed { status: response.status(), headers: response.headers().clone() };
        Ok((passed, response.bytes().await?))
    }
}

/// The head of an answer of Azurite.
struct Passed {
    status: axum::http::StatusCode,
    headers: HeaderMap,
}

impl Passed {
    fn status(&self) -> axum::http::StatusCode {
        self.status
    }
}
