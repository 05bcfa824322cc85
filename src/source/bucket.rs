//! Manifests in a blob container: those below `manifests/`.
//!
//! A LIST tells what is there and which of it changed; only that is read. A container that cannot be
//! listed says nothing about what is missing: its manifests stay what they were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt as _, stream};
use tokio::time::sleep;

use super::Snapshot;
use super::keep::{Applied, Keep};
use super::scan::{is_manifest, parsed};
use super::watching::{self, Place};
use crate::api::parse::Parsed;
use crate::blobs::{Container, Read, Version};
use crate::core::Fault;
use crate::ports::Change;

/// Where in the container manifests are.
pub(super) const PREFIX: &str = "manifests/";
/// How often changes are looked for; nobody tells of them.
const POLL: Duration = Duration::from_secs(5);
/// Requests at a time.
const PARALLEL: usize = 32;

/// A blob container with manifests.
pub struct Bucket {
    /// The container.
    pub container: Container,
    /// Where their objects are kept.
    pub keep: Keep,
}

impl Bucket {
    /// Takes the manifests into the ledger, once.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn apply(&self) -> Result<Applied, Fault> {
        let snapshot = Blobs::new(self.container.clone()).look().await?;
        self.keep.apply(&snapshot).await
    }

    /// Every object that the ledger knows, then [`Change::Listed`], then what changes.
    pub fn watch(self) -> impl Stream<Item = Change> + Send + 'static {
        watching::watch(Blobs::new(self.container), self.keep)
    }
}

/// Blobs that are looked at again and again.
struct Blobs {
    container: Container,
    known: BTreeMap<String, (Version, Arc<Parsed>)>,
    /// The last LIST, as far as it is of manifests.
    listed: BTreeMap<String, Version>,
}

impl Blobs {
    fn new(container: Container) -> Self {
        Self { container, known: BTreeMap::new(), listed: BTreeMap::new() }
    }

    async fn list(&self) -> Result<BTreeMap<String, Version>, Fault> {
        let mut found = self.container.list(PREFIX).await?;
        found.retain(|name, _| is_wanted(name));
        Ok(found)
    }

    /// One manifest as it is now; `None` where it went away since the LIST.
    async fn read(
        &self,
        name: &str,
        version: &Version,
    ) -> Result<Option<(Version, Arc<Parsed>)>, Fault> {
        let known = self.known.get(name);
        if let Some((before, parsed)) = known
            && before == version
        {
            return Ok(Some((before.clone(), Arc::clone(parsed))));
        }
        Ok(match self.container.get(name, None).await? {
            Read::Is(version, content) => {
                let parsed = parsed(&content, &self.container.place(name));
                Some((version, Arc::new(parsed)))
            }
            Read::Absent | Read::Same => None,
        })
    }

    /// What was known last.
    fn snapshot(&self, unreadable: Vec<String>) -> Snapshot {
        let place = |name: &String| self.container.place(name);
        let files = self.known.iter().map(|(name, (_, parsed))| (place(name), Arc::clone(parsed)));
        Snapshot { files: files.collect(), unreadable }
    }
}

#[async_trait]
impl Place for Blobs {
    async fn look(&mut self) -> Result<Snapshot, Fault> {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(fault) => return Ok(self.snapshot(vec![fault.to_string()])),
        };
        let this = &*self;
        let reading = stream::iter(listed.clone()).map(|(name, version)| async move {
            let read = this.read(&name, &version).await;
            (name, read)
        });
        let read: Vec<_> = reading.buffered(PARALLEL).collect().await;
        let mut now = BTreeMap::new();
        let mut unreadable = Vec::new();
        for (name, read) in read {
            match read {
                Ok(Some(manifest)) => drop(now.insert(name, manifest)),
                Ok(None) => {}
                Err(fault) => {
                    unreadable.push(fault.to_string());
                    // It is there: what it said last still holds.
                    if let Some(before) = self.known.get(&name) {
                        now.insert(name, before.clone());
                    }
                }
            }
        }
        (self.known, self.listed) = (now, listed);
        Ok(self.snapshot(unreadable))
    }

    async fn changed(&mut self) {
        loop {
            sleep(POLL).await;
            match self.list().await {
                Ok(listed) if listed == self.listed => {}
                // Also where nothing can be read: the look says so.
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn renew(&mut self) {}
}

/// Whether a blob below the prefix is a manifest: by its name, as in a directory.
pub(super) fn is_wanted(name: &str) -> bool {
    let hidden = |segment: &str| segment.starts_with(['.', '#']);
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    !path.split('/').any(hidden) && is_manifest(path.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_known_by_their_names() {
        for (name, wanted) in [
            ("manifests/a.yaml", true),
            ("manifests/team/b.json", true),
            ("manifests/.hidden.yaml", false),
            ("manifests/.git/c.yaml", false),
            ("manifests/a.yaml~", false),
            ("manifests/readme.md", false),
        ] {
            assert_eq!(is_wanted(name), wanted, "{name}");
        }
    }
}
