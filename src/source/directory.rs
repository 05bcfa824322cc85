//! Manifests in files and directories.

use std::path::PathBuf;

use async_trait::async_trait;
use futures::Stream;
use tokio::task::spawn_blocking;

use super::Snapshot;
use super::keep::{Applied, Keep};
use super::scan::Scanner;
use super::watching::{self, Place};
use crate::core::Fault;
use crate::files::Watch;
use crate::ports::Change;

/// Files and directories with manifests.
pub struct Directory {
    /// Where the manifests are.
    pub paths: Vec<PathBuf>,
    /// Where their objects are kept.
    pub keep: Keep,
}

impl Directory {
    /// Takes what the paths name into the ledger, once. Objects that they do not name stay as they
    /// are.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn apply(&self) -> Result<Applied, Fault> {
        let paths = self.paths.clone();
        let snapshot = spawn_blocking(move || super::scan(&paths)).await.map_err(|e| gone(&e))?;
        self.keep.apply(&snapshot).await
    }

    /// Every object that the ledger knows, then [`Change::Listed`], then what changes.
    pub fn watch(self) -> impl Stream<Item = Change> + Send + 'static {
        let files = Files {
            watch: Watch::new(&self.paths),
            scanner: Scanner::default(),
            paths: self.paths,
        };
        watching::watch(files, self.keep)
    }
}

fn gone(e: &tokio::task::JoinError) -> Fault {
    Fault::Store { what: "the manifests".to_owned(), problem: e.to_string() }
}

/// Paths that are looked at again and again.
struct Files {
    paths: Vec<PathBuf>,
    watch: Watch,
    scanner: Scanner,
}

#[async_trait]
impl Place for Files {
    async fn look(&mut self) -> Result<Snapshot, Fault> {
        let mut scanner = std::mem::take(&mut self.scanner);
        let paths = self.paths.clone();
        let work = spawn_blocking(move || (scanner.scan(&paths), scanner));
        let (snapshot, used) = work.await.map_err(|e| gone(&e))?;
        self.scanner = used;
        Ok(snapshot)
    }

    async fn changed(&mut self) {
        self.watch.changed().await;
    }

    fn renew(&mut self) {
        self.watch.renew(&self.paths);
    }
}
