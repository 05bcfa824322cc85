//! Composition root: adapters, sources, servers, shutdown.
//!
//! Functions here do and return values; what is printed is [`crate::cli`]'s business. `wire` is the
//! one file that makes things of other rooms.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::ports::{Clock, SystemClock};

pub mod apply;
pub mod authority;
pub mod container;
pub mod daemon;
pub mod error;
mod first_look;
mod home;
pub mod install;
pub mod live;
pub mod local;
pub mod manifests;
pub mod push;
pub mod secrets;
mod tenure;
pub mod token;
pub mod transfer;
pub mod trust;
pub mod verbs;
pub mod view;
mod wire;

pub use error::Error;
pub use home::{Home, Location};

/// Result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names an Azure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum CloudName {
    /// Azure
    Public,
    /// Azure operated by 21Vianet
    China,
    /// Azure Government
    UsGov,
    /// Local Azure on this machine
    Local,
}

impl CloudName {
    /// As on the command line and in the home.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::China => "china",
            Self::UsGov => "usgov",
            Self::Local => "local",
        }
    }
}

/// One home on this machine, and the Azure that was asked for.
pub struct App {
    location: Location,
    /// A directory of this machine: the home, where it is one; local Azure lives in it.
    dir: PathBuf,
    cloud: Option<CloudName>,
    /// Of a cluster, where objects are that are named without one; of lists, all that is wanted.
    namespace: Option<String>,
    clock: Arc<dyn Clock>,
}

impl App {
    /// An app on the home at `location`; without one on the default of the XDG base directory
    /// specification.
    ///
    /// # Errors
    /// Neither a home is given nor `XDG_STATE_HOME` or `HOME` set.
    pub fn new(
        location: Option<Location>,
        cloud: Option<CloudName>,
        namespace: Option<String>,
    ) -> Result<Self> {
        // Variables that `local env` prints and files that the daemon is given hold whole paths.
        let whole = |dir: PathBuf| std::path::absolute(&dir).map_err(|e| Error::file(&dir, &e));
        let location = match location {
            Some(location) => location,
            None => Location::Directory(home::default_dir().ok_or(Error::NoHome)?),
        };
        let (location, dir) = match location {
            Location::Directory(dir) => {
                let dir = whole(dir)?;
                (Location::Directory(dir.clone()), dir)
            }
            elsewhere => (elsewhere, home::default_dir().unwrap_or_default()),
        };
        Ok(Self { location, dir, cloud, namespace, clock: Arc::new(SystemClock) })
    }

    /// The same app on another home. Local Azure stays where it is, unless that home has its own.
    fn at(&self, location: Location) -> Result<Self> {
        let mut other = Self::new(Some(location), self.cloud, self.namespace.clone())?;
        if !matches!(other.location, Location::Directory(_)) {
            other.dir.clone_from(&self.dir);
        }
        Ok(other)
    }

    /// Directory of local Azure.
    pub fn local_dir(&self) -> PathBuf {
        self.dir.join("local")
    }

    /// The time.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Opens the home.
    pub async fn home(&self) -> Result<Home> {
        wire::open_home(self, &daemon::Share::default()).await
    }

    /// The Azure to use: the one that was asked for, else the home's, else the public one. A home
    /// stays with the first one that it was used with.
    async fn cloud_of(&self, home: &Home) -> Result<CloudName> {
        let pinned = home.cloud().await?;
        match (self.cloud, pinned) {
            (Some(asked), Some(pinned)) if asked != pinned => {
                Err(Error::OtherCloud { home: self.location.clone(), asked, pinned })
            }
            (asked, pinned) => Ok(asked.or(pinned).unwrap_or(CloudName::Public)),
        }
    }
}
