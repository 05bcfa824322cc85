//! What the operator remembers: ledger, status, secrets, requests, events.
//!
//! A home is a set of named blobs. What they mean is here; where they lie is behind `Blobs`: files
//! of a directory (`files`), or blobs of Azure (`container`, behind what is remembered of them,
//! `cached`). There, secrets, pairs and the digest key are in a second container: who may read status may
//! not read keys.
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

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::blobs::{Access, Expected, Version};
use crate::core::Fault;
use crate::ports::{Fence, Lease, ObjectKey, Random, Requests};

mod cached;
mod container;
mod files;
mod lease;
mod ledger;
mod names;
mod requests;
mod seat;
mod secrets;

/// Named blobs. A name is made of escaped segments with `/` between.
#[async_trait]
trait Blobs: Send + Sync {
    /// A blob, if there is one.
    async fn get(&self, name: &str) -> Result<Option<Found>, Fault>;
    /// Makes or replaces a blob whole, and says whether it did: not where it is other than `expected`.
    async fn put(&self, name: &str, content: Vec<u8>, expected: Expected) -> Result<bool, Fault>;
    /// Deletes a blob, and says whether none is there now: not where it is other than `expected`.
    async fn delete(&self, name: &str, expected: Expected) -> Result<bool, Fault>;
    /// The next segments below `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault>;
    /// Everything below `prefix`, by name.
    async fn all(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>, Fault>;
    /// An item whenever something below `prefix` may have changed.
    fn hints(&self, prefix: &str) -> BoxStream<'static, ()>;
    /// The name of a blob for people.
    fn place(&self, name: &str) -> String;
    /// Takes all blobs for one writer; `None` where another has them.
    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault>;
    /// Whether somebody has taken them.
    async fn is_taken(&self) -> Result<bool, Fault>;
}

/// A blob as it was read.
struct Found {
    content: Vec<u8>,
    version: Version,
}

/// What becomes of a blob.
enum Edit<T> {
    Keep,
    Write(T),
    Delete,
}

/// So often a blob is read again that somebody else wrote meanwhile.
const ATTEMPTS: usize = 20;

/// A home: implements [`crate::ports::Seat`], [`crate::ports::Ledger`], [`crate::ports::Secrets`] and
/// [`crate::ports::RequestBox`].
pub struct Store {
    blobs: Arc<dyn Blobs>,
    random: Arc<dyn Random>,
    id: String,
    /// The requests of each object as this process read them last: what it changes is their difference.
    asked: Mutex<BTreeMap<ObjectKey, Requests>>,
}

impl Store {
    /// Opens the home in the directory `dir`; a new one is made and gets its id.
    ///
    /// # Errors
    /// The directory cannot be read or written, or its file `home` is broken.
    pub async fn open(dir: &Path, random: Arc<dyn Random>) -> Result<Self, Fault> {
        Self::over(Arc::new(files::Files::open(dir)?), random).await
    }

    /// Opens the home in the blob container at `url`, such as
    /// `https://ACCOUNT.blob.core.windows.net/CONTAINER`; a new one gets its id. The container and the one
    /// for secrets, `CONTAINER-secrets`, exist. What only the daemon writes is written with leave of `fence`.
    ///
    /// # Errors
    /// The container cannot be read, or, where it is new, written; its blob `home` is broken.
    pub async fn open_container(
        url: &Url,
        access: &Access,
        fence: Fence,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        let containers = container::Containers::open(url, access, fence)?;
        Self::over(Arc::new(cached::Cached::new(Arc::new(containers))), random).await
    }

    async fn over(blobs: Arc<dyn Blobs>, random: Arc<dyn Random>) -> Result<Self, Fault> {
        let id = seat::identify(&*blobs, &*random).await?;
        Ok(Self { blobs, random, id, asked: Mutex::default() })
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        read(&*self.blobs, name).await
    }

    async fn write<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), Fault> {
        let content = encode(&*self.blobs, name, value)?;
        self.blobs.put(name, content, Expected::Anything).await.map(drop)
    }

    /// Changes a blob so that nobody's change is lost: where somebody else wrote since it was read,
    /// `edit` is asked again.
    async fn update<T: DeserializeOwned + Serialize>(
        &self,
        name: &str,
        mut edit: impl FnMut(Option<T>) -> Edit<T> + Send,
    ) -> Result<(), Fault> {
        for _ in 0..ATTEMPTS {
            let (before, expected) = match self.blobs.get(name).await? {
                Some(found) => (
                    Some(decode(&*self.blobs, name, &found.content)?),
                    Expected::Same(found.version),
                ),
                None => (None, Expected::Nothing),
            };
            // Nothing is awaited while the value is alive: it need not be `Send`.
            let wanted = match edit(before) {
                Edit::Keep => return Ok(()),
                Edit::Write(value) => Some(encode(&*self.blobs, name, &value)?),
                Edit::Delete => None,
            };
            let done = match wanted {
                Some(content) => self.blobs.put(name, content, expected).await?,
                None => self.blobs.delete(name, expected).await?,
            };
            if done {
                return Ok(());
            }
        }
        Err(fault(self.blobs.place(name), &"others write it all the time"))
    }

    /// What every object has in `room`, sorted by object.
    async fn of_all<T: DeserializeOwned>(
        &self,
        room: &str,
    ) -> Result<BTreeMap<ObjectKey, T>, Fault> {
        let mut found = BTreeMap::new();
        for (name, content) in self.blobs.all(room).await? {
            if let Some(key) = names::object(&name) {
                found.insert(key, decode(&*self.blobs, &name, &content)?);
            }
        }
        Ok(found)
    }
}

async fn read<T: DeserializeOwned>(blobs: &dyn Blobs, name: &str) -> Result<Option<T>, Fault> {
    match blobs.get(name).await? {
        Some(found) => decode(blobs, name, &found.content).map(Some),
        None => Ok(None),
    }
}

fn decode<T: DeserializeOwned>(blobs: &dyn Blobs, name: &str, content: &[u8]) -> Result<T, Fault> {
    // serde's text would repeat what stands there; line and column are enough to find it.
    serde_json::from_slice(content).map_err(|e| Fault::Store {
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
