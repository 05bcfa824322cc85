//! Every effect the operator can have on the world, on one page.
//!
//! Adapters implement these traits, `reconcile` uses them, `app` joins the two. None of them
//! decides anything; a failure is a [`Fault`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Object;
pub use crate::api::ObjectKey;
use crate::core::app_registration::{Application, Deleted, Grant, Identity, Properties};
use crate::core::certificate::{LeafRequest, Pair, RootRequest};
use crate::core::container_group::{Body, Group, GroupId, Scope};
use crate::core::outcome::Event;
pub use crate::core::requests::{Approval, Requests};
use crate::core::{Fault, Secret};

mod identity;
mod tenure;

pub use identity::{Azure, Clients};
pub use tenure::{Fence, Identity as HomeIdentity, Lease, MARGIN, Seat};

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
}

/// The wall clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Randomness.
pub trait Random: Send + Sync {
    /// Fills `bytes` from a cryptographic source.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault>;

    /// A random UUID (RFC 9562 section 5.4).
    fn uuid(&self) -> Result<String, Fault> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }
}

/// The cryptographic source of the process.
#[derive(Clone, Copy, Debug)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| Fault::Store {
            what: "randomness".to_owned(),
            problem: "the system gives none".to_owned(),
        })
    }
}

/// Container groups in ARM.
#[async_trait]
pub trait ContainerGroups: Send + Sync {
    /// One group with its instance view; `None` is ARM's 404 and nothing else.
    async fn get(&self, id: &GroupId) -> Result<Option<Group>, Fault>;
    /// All groups of a scope, without instance view. A group missing here is a hint, no proof.
    async fn list(&self, scope: &Scope) -> Result<Vec<Group>, Fault>;
    /// Sends the whole body, once; returns when ARM has accepted it.
    async fn put(&self, id: &GroupId, body: &Body) -> Result<(), Fault>;
    /// Replaces the tags (PATCH): restarts nothing.
    async fn tag(&self, id: &GroupId, tags: &BTreeMap<String, String>) -> Result<(), Fault>;
    /// Asks for deletion; a group that is not there is success.
    async fn delete(&self, id: &GroupId) -> Result<(), Fault>;
    /// Output of one container: its newest `tail` lines, or all that ARM keeps.
    async fn logs(
        &self,
        id: &GroupId,
        container: &str,
        tail: Option<u32>,
        timestamps: bool,
    ) -> Result<String, Fault>;
    /// Starts one process, without arguments, on a terminal of a container.
    async fn exec(
        &self,
        id: &GroupId,
        container: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecSession>, Fault>;
}

/// Size of a terminal, in characters; fixed when an exec session starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TerminalSize {
    /// Height.
    pub rows: u16,
    /// Width.
    pub cols: u16,
}

/// A running exec session; dropping it ends it.
#[async_trait]
pub trait ExecSession: Send {
    /// Sends input to the process.
    async fn send(&mut self, input: &[u8]) -> Result<(), Fault>;
    /// The next piece of output; `None` when the process ended. Cancel safe.
    async fn receive(&mut self) -> Result<Option<Vec<u8>>, Fault>;
}

/// Resource groups in ARM.
#[async_trait]
pub trait ResourceGroups: Send + Sync {
    /// Whether the resource group exists.
    async fn exists(&self, subscription: &str, name: &str) -> Result<bool, Fault>;
    /// Makes it; one that exists already is left as it is.
    async fn create(&self, subscription: &str, name: &str, location: &str) -> Result<(), Fault>;
}

/// Any resource of ARM, by its id: for what is made once, from a laptop.
#[async_trait]
pub trait Resources: Send + Sync {
    /// One resource; `None` is ARM's 404 of the resource itself.
    async fn get(&self, id: &str, api_version: &str) -> Result<Option<Value>, Fault>;
    /// The resources of a list.
    async fn list(&self, id: &str, api_version: &str) -> Result<Vec<Value>, Fault>;
    /// Makes or replaces a resource; returns when ARM has accepted it.
    async fn put(&self, id: &str, api_version: &str, body: &Value) -> Result<(), Fault>;
    /// Asks for deletion; a resource that is not there is success.
    async fn delete(&self, id: &str, api_version: &str) -> Result<(), Fault>;
}

/// Applications in Microsoft Entra ID, through Microsoft Graph.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Who we are there.
    async fn identity(&self) -> Result<Identity, Fault>;
    /// One application; `None` is Graph's 404 and nothing else.
    async fn application(&self, key: &ApplicationKey) -> Result<Option<Application>, Fault>;
    /// Makes the application of that name, or changes the one that is there; says whether the name
    /// could be had.
    async fn upsert(&self, unique_name: &str, properties: &Properties) -> Result<Named, Fault>;
    /// Changes the properties that are given, lists whole.
    async fn update(&self, object_id: &str, properties: &Properties) -> Result<(), Fault>;
    /// Deletes an application and its service principal; one that is not there is success.
    async fn delete(&self, object_id: &str) -> Result<(), Fault>;
    /// Object id of an application's service principal.
    async fn principal(&self, app_id: &str) -> Result<Option<String>, Fault>;
    /// Makes the service principal of an application.
    async fn create_principal(&self, app_id: &str) -> Result<(), Fault>;
    /// The deleted application of that name.
    async fn deleted_application(&self, unique_name: &str) -> Result<Option<Deleted>, Fault>;
    /// Object id of an application's deleted service principal.
    async fn deleted_principal(&self, app_id: &str) -> Result<Option<String>, Fault>;
    /// Brings a deleted object back.
    async fn restore(&self, object_id: &str) -> Result<(), Fault>;
    /// Consent of all users to what the service principal `client` asks of `resource`.
    async fn consent(&self, client: &str, resource: &str) -> Result<Option<Grant>, Fault>;
    /// Consents for all users.
    async fn give_consent(
        &self,
        client: &str,
        resource: &str,
        scopes: &BTreeSet<String>,
    ) -> Result<(), Fault>;
    /// Changes the scopes of a consent.
    async fn change_consent(&self, id: &str, scopes: &BTreeSet<String>) -> Result<(), Fault>;
    /// Takes a consent back; one that is not there is success.
    async fn revoke_consent(&self, id: &str) -> Result<(), Fault>;
}

/// What a service principal may do in Microsoft Graph.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Whether it may make applications, and change those that it owns.
    async fn may_own_applications(&self, principal: &str) -> Result<bool, Fault>;
    /// What an administrator has to do for that.
    async fn grant(&self, principal: &str) -> String;
}

/// What names an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ApplicationKey {
    /// The name that its maker chose.
    UniqueName(String),
    /// Application (client) id.
    AppId(String),
}

/// Whether a name could be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Named {
    /// The application is there.
    Done,
    /// A deleted object holds it.
    Taken,
}

/// A TLS handshake with what is really served.
#[async_trait]
pub trait Probe: Send + Sync {
    /// The certificates that `address` presents for `server_name`, leaf first, in DER form. Nothing
    /// is sent after the handshake, so they need not be trusted: they are what is asked for.
    async fn served(&self, address: SocketAddr, server_name: &str) -> Result<Vec<Vec<u8>>, Fault>;
}

/// Making of keys and certificates; where the randomness of keys lives.
pub trait Authority: Send + Sync {
    /// A new self-signed root.
    fn root(&self, request: &RootRequest) -> Result<Pair, Fault>;
    /// A new leaf with a new key, signed by `root`; its chain is the leaf alone.
    fn leaf(&self, root: &Pair, request: &LeafRequest) -> Result<Pair, Fault>;
}

/// What the ledger holds of an object: all that must survive the loss of its manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The object.
    pub key: ObjectKey,
    /// Minted at the first sight; never reused.
    pub uid: String,
    /// Counts changes of the spec, from 1.
    pub generation: i64,
    /// First sight.
    pub created: DateTime<Utc>,
    /// The last good manifest, as JSON.
    pub manifest: Value,
    /// File (and line) of the manifest.
    pub place: Option<String>,
    /// How far our claim goes.
    pub phase: Phase,
    /// When deletion was asked for.
    pub deletion: Option<DateTime<Utc>>,
    /// No source has the manifest any more.
    pub orphaned: bool,
    /// Why the manifest that is there now cannot be used, with its place.
    pub invalid: Option<String>,
    /// Values fixed at the first claim, such as the subscription.
    #[serde(default)]
    pub pinned: BTreeMap<String, String>,
}

/// How far a claim goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Phase {
    /// Seen in a source; nothing was written for it.
    Seen,
    /// Claimed, before the first write.
    Claimed,
    /// Our mark was seen on the thing itself: it is ours even if the mark goes away.
    Made,
}

/// What the operator knows of its objects.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// One entry.
    async fn entry(&self, key: &ObjectKey) -> Result<Option<Entry>, Fault>;
    /// All entries, sorted by key.
    async fn entries(&self) -> Result<Vec<Entry>, Fault>;
    /// The entries of one kind that an object can name or be named by, sorted by key: those of its
    /// namespace.
    async fn beside(&self, object: &ObjectKey, kind: &str) -> Result<Vec<Entry>, Fault>;
    /// Writes an entry.
    async fn record(&self, entry: &Entry) -> Result<(), Fault>;
    /// Forgets an object whole: entry, memory, status, requests, leaf key.
    async fn release(&self, key: &ObjectKey) -> Result<(), Fault>;
    /// What the last pass left for the next.
    async fn memory(&self, key: &ObjectKey) -> Result<Option<Value>, Fault>;
    /// Replaces it.
    async fn remember(&self, key: &ObjectKey, memory: &Value) -> Result<(), Fault>;
    /// The published status.
    async fn status(&self, key: &ObjectKey) -> Result<Option<Value>, Fault>;
    /// Publishes a status.
    async fn publish(&self, key: &ObjectKey, status: &Value) -> Result<(), Fault>;
    /// Adds an event; a repeated one is counted.
    async fn emit(&self, key: &ObjectKey, event: &Event, now: DateTime<Utc>) -> Result<(), Fault>;
    /// Events, oldest first; of one object or all.
    async fn events(&self, key: Option<&ObjectKey>) -> Result<Vec<CountedEvent>, Fault>;
    /// Problems of the sources that belong to no object, replaced whole at each scan.
    async fn set_problems(&self, problems: &[String]) -> Result<(), Fault>;
    /// The problems of the last scan.
    async fn problems(&self) -> Result<Vec<String>, Fault>;
}

/// An event that happened so many times.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedEvent {
    /// The object.
    pub object: ObjectKey,
    /// The event.
    pub event: Event,
    /// How often.
    pub count: u32,
    /// First time.
    pub first: DateTime<Utc>,
    /// Last time.
    pub last: DateTime<Utc>,
}

/// Secret texts and key pairs, readable by the operator alone.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// All keys of the secret `name` of a namespace, where there are namespaces.
    async fn secret(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Secret>>, Fault>;
    /// Sets one key; in a cluster, in the namespace that the home speaks of.
    async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<(), Fault>;
    /// Deletes one key, or the whole secret; says whether there was one.
    async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool, Fault>;
    /// Names and keys of all secrets that were set this way.
    async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>, Fault>;
    /// The key pair of an object: an issuer's root, a group's leaf.
    async fn pair(&self, key: &ObjectKey) -> Result<Option<Pair>, Fault>;
    /// Stores a key pair whole, or not at all.
    async fn set_pair(&self, key: &ObjectKey, pair: &Pair) -> Result<(), Fault>;
    /// The key of the digests in ARM tags; made at the first call, the same for the home's life.
    async fn digest_key(&self) -> Result<Secret, Fault>;
}

/// The port through which verbs reach a running daemon.
#[async_trait]
pub trait RequestBox: Send + Sync {
    /// What is asked of an object.
    async fn requests(&self, key: &ObjectKey) -> Result<Requests, Fault>;
    /// Replaces what is asked.
    async fn set_requests(&self, key: &ObjectKey, requests: &Requests) -> Result<(), Fault>;
    /// Objects of which something new is asked; a lost item is made good by the next pass.
    fn changes(&self) -> BoxStream<'static, ObjectKey>;
}

/// What a source of manifests says.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is wanted like this. Its metadata carries uid, generation, creation and deletion
    /// time, and the marks of [`crate::api::annotations`].
    Apply(Box<Object>),
    /// The ledger has released the object.
    Delete(ObjectKey),
    /// All objects that exist now have been said.
    Listed,
}
