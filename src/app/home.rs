//! The home: where state, keys and events of one operator are kept.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum as _;

use super::{CloudName, Result};
use crate::core::Fault;
use crate::ports::{Ledger, RequestBox, Secrets};
use crate::store::Store;

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
    pub store: Arc<Store>,
}

impl Home {
    /// A home of `store`.
    pub(super) fn new(store: Store) -> Self {
        let store = Arc::new(store);
        Self { ledger: store.clone(), secrets: store.clone(), requests: store.clone(), store }
    }

    /// Whether another process reconciles this home now.
    pub fn is_held(&self) -> Result<bool> {
        Ok(self.store.lock()?.is_none())
    }

    /// The cloud that the home is pinned to.
    pub(super) async fn cloud(&self) -> Result<Option<CloudName>> {
        let Some(name) = self.store.pinned_cloud().await? else { return Ok(None) };
        let cloud = CloudName::from_str(&name, false);
        let cloud = cloud.map_err(|problem| Fault::Store { what: "home".to_owned(), problem })?;
        Ok(Some(cloud))
    }
}

/// The default of the XDG base directory specification, which wants absolute paths.
pub(super) fn default_dir() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let home = || Some(env::var_os("HOME").map(PathBuf::from)?.join(".local/state"));
    Some(state.or_else(home)?.join("aci-operator"))
}
