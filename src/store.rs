//! What the operator remembers: ledger, status, secrets, requests, events.
//!
//! A home is a set of named blobs. What they mean is here; where they lie is behind `Blobs`: files
//! of a directory (`files`).
//!
//! | blob | content |
//! |---|---|
//! | `home` | the home's id, and the cloud that it belongs to |
//! | `heartbeat` | when the daemon was last alive |
//! | `problems` | problems of the sources that belong to no object |
//! | `digest-key` | key of the digests in ARM tags |
//! | `ledger/KIND/NAME` | an [`Entry`](crate::ports::Entry) |
//! | `memory/KIND/NAME`, `status/KIND/NAME`, `events/KIND/NAME` | what passes leave and tell |
//! | `requests/KIND/NAME` | [`crate::ports::Requests`] |
//! | `pairs/KIND/NAME` | chain, key and generation: one blob, so never half written |
//! | `secrets/NAME/KEY` | a secret text as it is |
//!
//! All but secrets and the digest key are JSON. Every name from outside is one segment, escaped, so
//! that none can climb or hide.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::core::Fault;
use crate::ports::{Lease, ObjectKey, Random};

mod files;
mod ledger;
mod names;
mod requests;
mod seat;
mod secrets;

/// Named blobs. A name is made of escaped segments with `/` between.
#[async_trait]
trait Blobs: Send + Sync {
    /// The content of a blob, if there is one.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Fault>;
    /// Replaces a blob whole.
    async fn put(&self, name: &str, content: Vec<u8>) -> Result<(), Fault>;
    /// Makes a blob where there is none.
    async fn create(&self, name: &str, content: Vec<u8>) -> Result<(), Fault>;
    /// Deletes a blob; one that is not there is success.
    async fn delete(&self, name: &str) -> Result<(), Fault>;
    /// The next segments below `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault>;
    /// An item whenever something below `prefix` may have changed.
    fn hints(&self, prefix: &str) -> BoxStream<'static, ()>;
    /// The name of a blob for people.
    fn place(&self, name: &str) -> String;
    /// Takes all blobs for one writer; `None` where another has them.
    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault>;
    /// Whether somebody has taken them.
    async fn is_taken(&self) -> Result<bool, Fault>;
}

/// A home: implements [`crate::ports::Seat`], [`crate::ports::Ledger`], [`crate::ports::Secrets`] and
/// [`crate::ports::RequestBox`].
pub struct Store {
    blobs: Arc<dyn Blobs>,
    random: Arc<dyn Random>,
    id: String,
    /// Held while a blob is read, changed and written.
    writing: Mutex<()>,
}

impl Store {
    /// Opens the home in the directory `dir`; a new one is made and gets its id.
    ///
    /// # Errors
    /// The directory cannot be read or written, or its file `home` is broken.
    pub async fn open(dir: &Path, random: Arc<dyn Random>) -> Result<Self, Fault> {
        let blobs: Arc<dyn Blobs> = Arc::new(files::Files::open(dir)?);
        let id = seat::identify(&*blobs, &*random).await?;
        Ok(Self { blobs, random, id, writing: Mutex::new(()) })
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        read(&*self.blobs, name).await
    }

    async fn write<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), Fault> {
        self.blobs.put(name, encode(&*self.blobs, name, value)?).await
    }

    /// All objects that have a blob below `room`, sorted.
    async fn keys(&self, room: &str) -> Result<Vec<ObjectKey>, Fault> {
        keys(&*self.blobs, room).await
    }
}

async fn keys(blobs: &dyn Blobs, room: &str) -> Result<Vec<ObjectKey>, Fault> {
    let mut keys = Vec::new();
    for kind in blobs.list(room).await? {
        for name in blobs.list(&format!("{room}/{kind}")).await? {
            if let (Some(kind), Some(name)) = (names::unescape(&kind), names::unescape(&name)) {
                keys.push(ObjectKey::new(kind, name));
            }
        }
    }
    keys.sort();
    Ok(keys)
}

async fn read<T: DeserializeOwned>(blobs: &dyn Blobs, name: &str) -> Result<Option<T>, Fault> {
    let Some(content) = blobs.get(name).await? else { return Ok(None) };
    // serde's text would repeat what stands there; line and column are enough to find it.
    serde_json::from_slice(&content).map(Some).map_err(|e| Fault::Store {
        what: blobs.place(name),
        problem: format!(
            "is broken at line {}, column {}; it is left as it is",
            e.line(),
            e.column()
        ),
    })
}

fn encode<T: Serialize>(blobs: &dyn Blobs, name: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec_pretty(value).map_err(|e| fault(blobs.place(name), &e))
}

fn fault(what: String, problem: &dyn std::fmt::Display) -> Fault {
    Fault::Store { what, problem: problem.to_string() }
}
