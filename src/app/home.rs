//! The home: where state, keys and events of one operator are kept.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{CloudName, Result};
use crate::files::Lock;
use crate::ports::{Ledger, RequestBox, Secrets};

/// An open home.
#[derive(Clone)]
pub struct Home {
    /// What is known of the objects.
    pub ledger: Arc<dyn Ledger>,
    /// Secrets and key pairs.
    pub secrets: Arc<dyn Secrets>,
    /// What people ask.
    pub requests: Arc<dyn RequestBox>,
    /// The home itself.
    pub keeper: Arc<dyn Keeper>,
}

/// What a home on this machine has beside the ports.
pub trait Keeper: Send + Sync {
    /// Identity of the home, in the owner tag of all that it makes.
    fn id(&self) -> Result<String>;
    /// Takes the home for the one process that reconciles it; `None` where another has it.
    fn lock(&self) -> Result<Option<Lock>>;
    /// The cloud that the home is pinned to.
    fn cloud(&self) -> Result<Option<CloudName>>;
    /// Pins the home to a cloud.
    fn pin_cloud(&self, cloud: CloudName) -> Result<()>;
    /// Notes that the daemon runs.
    fn beat(&self, now: DateTime<Utc>) -> Result<()>;
    /// When the daemon last noted that it runs.
    fn last_beat(&self) -> Result<Option<DateTime<Utc>>>;
}

impl Home {
    /// Whether another process reconciles this home now.
    pub fn is_held(&self) -> Result<bool> {
        Ok(self.keeper.lock()?.is_none())
    }
}

/// The default of the XDG base directory specification, which wants absolute paths.
pub(super) fn default_dir() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let home = || Some(env::var_os("HOME").map(PathBuf::from)?.join(".local/state"));
    Some(state.or_else(home)?.join("aci-operator"))
}
