//! Manifests for the daemon of a home that has a place of its own for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::manifests::Manifests;
use super::wire::Taken;
use super::{App, Error, Result, wire};

pub use super::wire::Pushed;

impl App {
    /// Puts manifests where the home's daemon reads them; by name, what became of each. With `prune`,
    /// what is there and not given is deleted.
    ///
    /// # Errors
    /// The home has no such place, or it cannot be written. The inner error: manifests with mistakes,
    /// of which none was put anywhere.
    pub async fn push(
        &self,
        paths: &[PathBuf],
        prune: bool,
    ) -> Result<Result<BTreeMap<String, Pushed>, Manifests>> {
        let manifests = self.read(paths)?;
        if !manifests.problems.is_empty() {
            return Ok(Err(manifests));
        }
        let home = self.home().await?;
        match wire::give(&home, paths, &manifests, prune).await? {
            Taken::By(done) => Ok(Ok(done)),
            Taken::Nowhere => Err(Error::NoPlace(home.location)),
        }
    }
}
