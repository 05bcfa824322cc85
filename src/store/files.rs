//! Blobs as files of a directory, readable by the owner alone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::{Blobs, Expected, Found, Version, fault};
use crate::core::Fault;
use crate::files::{self, Lock, Watch};
use crate::ports::Lease;

/// How often a change is looked for where the system tells nothing.
const POLL: Duration = Duration::from_secs(5);

/// The file that says by its lock who works here.
const LOCK: &str = "lock";

/// A directory of blobs.
pub(super) struct Files {
    dir: PathBuf,
    /// Held while a file is compared and written. Between processes a moment is left; who writes beside a
    /// daemon writes what people ask, and people are seldom that quick.
    writing: Mutex<()>,
}

impl Files {
    /// The blobs of `dir`, which is made if need be.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        files::create_dir(dir).map_err(|e| fault(dir.display().to_string(), &e))?;
        Ok(Self { dir: dir.to_owned(), writing: Mutex::new(()) })
    }

    /// Runs `work` where it may block.
    async fn on<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let path = self.dir.join(name);
        let what = path.display().to_string();
        match spawn_blocking(move || work(&path)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(e)) => Err(fault(what, &e)),
            Err(e) => Err(fault(what, &e)),
        }
    }
}

#[async_trait]
impl Blobs for Files {
    async fn get(&self, name: &str) -> Result<Option<Found>, Fault> {
        let content = self.on(name, files::read).await?;
        Ok(content.map(|content| Found { version: Version(content.clone()), content }))
    }

    async fn put(&self, name: &str, content: Vec<u8>, expected: Expected) -> Result<bool, Fault> {
        let _writing = self.writing.lock().await;
        self.on(name, move |path| match expected {
            Expected::Nothing => files::create(path, &content),
            other => {
                let same = is_same(path, &other)?;
                if same {
                    files::write(path, &content)?;
                }
                Ok(same)
            }
        })
        .await
    }

    async fn delete(&self, name: &str, expected: Expected) -> Result<bool, Fault> {
        let _writing = self.writing.lock().await;
        self.on(name, move |path| {
            let same = is_same(path, &expected)?;
            if same {
                files::remove(path)?;
            }
            Ok(same)
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.on(prefix, files::list).await
    }

    async fn all(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let prefix = prefix.to_owned();
        let top = self.dir.clone();
        self.on("", move |_| {
            let mut found = BTreeMap::new();
            gather(&top, &prefix, &mut found)?;
            Ok(found)
        })
        .await
    }

    fn hints(&self, prefix: &str) -> BoxStream<'static, ()> {
        let dir = self.dir.join(prefix);
        // A directory that is not there yet cannot be watched; if making it fails, polling is left.
        let _ = files::create_dir(&dir);
        stream::unfold(Watch::new(&[dir]), |mut watch| async move {
            // Whichever comes first: the time-out is the poll.
            let _ = tokio::time::timeout(POLL, watch.changed()).await;
            Some(((), watch))
        })
        .boxed()
    }

    fn place(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        let lock = self.on(LOCK, Lock::try_take).await?;
        Ok(lock.map(|lock| Box::new(Held { _lock: lock }) as Box<dyn Lease>))
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        Ok(self.on(LOCK, Lock::try_take).await?.is_none())
    }
}

/// Whether a file is what is expected.
fn is_same(path: &Path, expected: &Expected) -> io::Result<bool> {
    Ok(match expected {
        Expected::Anything => true,
        Expected::Nothing => files::read(path)?.is_none(),
        Expected::Same(Version(before)) => files::read(path)?.as_ref() == Some(before),
    })
}

/// Reads every file below `name` in `top`.
fn gather(top: &Path, name: &str, found: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for segment in files::list(&top.join(name))? {
        let below = format!("{name}/{segment}");
        if top.join(&below).is_dir() {
            gather(top, &below, found)?;
        } else if let Some(content) = files::read(&top.join(&below))? {
            found.insert(below, content);
        }
    }
    Ok(())
}

/// A directory that was taken: the kernel keeps it so until the process ends.
struct Held {
    _lock: Lock,
}

#[async_trait]
impl Lease for Held {
    fn term(&self) -> Option<Duration> {
        None
    }

    async fn renew(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }

    async fn release(self: Box<Self>) {}
}
