//! Every constructor call of another room, in one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::BoxStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::authority::Trust;
use super::local::Engine;
use super::manifests::{Manifests, Preview};
use super::{App, Error, Home, Result};
use crate::api::Object;
use crate::core::Fault;
use crate::core::container_group::{Body, GroupId};
use crate::ports::{Change, ContainerGroups, Entry, ObjectKey};

/// What a room is missing from this build.
fn missing(room: &str) -> Error {
    Error::Fault(Fault::Store {
        what: format!("the room `{room}`"),
        problem: "is not part of this build".to_owned(),
    })
}

/// Opens the home's store.
pub(super) fn open_home(_dir: &Path) -> Result<Home> {
    Err(missing("store"))
}

/// Reads the manifests of files and directories; what is wrong with them is part of the answer.
pub(super) fn read_manifests(_paths: &[PathBuf]) -> Result<Manifests> {
    Err(missing("source"))
}

/// Merges manifests into the ledger and tells them.
pub(super) async fn merge(_home: &Home, _manifests: &Manifests) -> Result<Vec<Change>> {
    Err(missing("source"))
}

/// Objects as the ledger has them.
pub(super) async fn recall(_home: &Home, _entries: Vec<Entry>) -> Result<Vec<Change>> {
    Err(missing("source"))
}

/// Follows a directory of manifests.
pub(super) async fn watch(
    _home: &Home,
    _dir: &Path,
    _prune: bool,
) -> Result<BoxStream<'static, Change>> {
    Err(missing("source"))
}

/// Azure, as the home sees it.
pub(super) struct Azure {
    /// Container groups.
    pub(super) groups: Arc<dyn ContainerGroups>,
    /// Subscription where a manifest names none.
    pub(super) subscription: Option<String>,
}

/// A client of the app's cloud.
pub(super) fn azure(_app: &App, _home: &Home) -> Result<Azure> {
    Err(missing("azure"))
}

/// All that the loop works with.
pub(super) struct Operator;

impl Operator {
    /// Joins adapters and home.
    pub(super) fn new(_app: &App, _home: &Home, _azure: Azure) -> Result<Self> {
        Err(missing("reconcile"))
    }

    /// Runs the loop until `stop`; each pass that ended is told to `passed`.
    pub(super) async fn run(
        &self,
        _changes: BoxStream<'static, Change>,
        _passed: Option<UnboundedSender<ObjectKey>>,
        _stop: CancellationToken,
    ) -> Result<()> {
        Err(missing("reconcile"))
    }

    /// What a pass would do for an object.
    pub(super) async fn preview(&self, _object: &Object) -> Result<Preview> {
        Err(missing("reconcile"))
    }

    /// Serves readiness and metrics until `stop`.
    pub(super) async fn serve(&self, _listen: &str, _stop: CancellationToken) -> Result<()> {
        Err(missing("http"))
    }
}

/// Makes this machine's and this user's stores trust `pem`, or not any more.
pub(super) fn trust(_pem: &str, _name: &str, _wanted: bool) -> Result<Trust> {
    Err(missing("app::trust"))
}

/// The YAML that `az container create --file` takes.
pub(super) fn render(_id: &GroupId, _body: &Body) -> Result<String> {
    Err(missing("azure"))
}

/// Is local Azure on `dir`, until `stop`.
pub(super) async fn serve_local(
    _dir: &Path,
    _engine: Engine,
    _stop: CancellationToken,
) -> Result<()> {
    Err(missing("emulator"))
}

/// Stands where [`crate::emulator`] will be: its names, and nothing that can be had of them.
pub(super) mod emulator {
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::io;
    use std::path::{Path, PathBuf};

    pub(in crate::app) struct Endpoints {
        pub(in crate::app) arm: String,
        pub(in crate::app) entra: String,
        pub(in crate::app) ca: PathBuf,
    }

    pub(in crate::app) struct Status {
        pub(in crate::app) engine: String,
        pub(in crate::app) pid: u32,
        pub(in crate::app) groups: Vec<String>,
        pub(in crate::app) requests: BTreeMap<String, u64>,
        pub(in crate::app) faults: Vec<serde_json::Value>,
    }

    #[derive(Debug, thiserror::Error)]
    #[expect(dead_code, reason = "the names of the room that is not here yet")]
    pub(in crate::app) enum ClientError {
        #[error("local Azure does not run in {0}")]
        NotRunning(PathBuf),
        #[error("local Azure does not answer")]
        Unreachable(io::Error),
        #[error("local Azure refused: {0}")]
        Refused(String),
    }

    pub(in crate::app) struct Client(Infallible);

    impl Client {
        pub(in crate::app) fn open(dir: &Path) -> Result<Self, ClientError> {
            Err(ClientError::NotRunning(dir.to_owned()))
        }

        pub(in crate::app) async fn status(&self) -> Result<Status, ClientError> {
            match self.0 {}
        }

        pub(in crate::app) async fn inject(
            &self,
            _: &serde_json::Value,
        ) -> Result<(), ClientError> {
            match self.0 {}
        }

        pub(in crate::app) async fn clear_faults(&self) -> Result<(), ClientError> {
            match self.0 {}
        }

        pub(in crate::app) async fn reset(&self) -> Result<(), ClientError> {
            match self.0 {}
        }
    }

    pub(in crate::app) fn endpoints(_: &Path) -> io::Result<Option<Endpoints>> {
        Ok(None)
    }

    pub(in crate::app) fn environment(_: &Path) -> io::Result<Vec<(String, String)>> {
        Err(io::Error::other("the room `emulator` is not part of this build"))
    }
}
