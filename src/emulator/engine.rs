//! Where container groups run: a Docker API engine, or nowhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

pub mod docker;
pub mod none;

/// The engine of local Azure: what the ARM model asks of whatever runs containers.
///
/// A group is named by an opaque key that is unique within one local Azure; every engine object
/// made for it carries that key and the state directory's id as labels, so that `reset` removes all
/// that it made and nothing else.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Offers `inside` in every group: in those that run, and in those to come.
    async fn offer(&self, inside: Inside) -> Result<(), EngineError>;
    /// Makes all of the group's containers anew: whatever ran under that key before is removed
    /// first, `emptyDir` content included. Init containers run to completion, in order, before the
    /// others start. Returns when every container is started, or with the first failure.
    async fn start(&self, group: &str, run: &GroupRun) -> Result<Endpoints, EngineError>;
    /// Stops and removes the group's containers and volumes. A group that is not there is success.
    async fn remove(&self, group: &str) -> Result<(), EngineError>;
    /// The state of each container, by name; empty where the group does not run.
    async fn inspect(&self, group: &str) -> Result<BTreeMap<String, ContainerState>, EngineError>;
    /// Where each published port of a running group can be reached, after a restart of local Azure.
    async fn endpoints(&self, group: &str) -> Result<Endpoints, EngineError>;
    /// Standard output and error of one container, newest `tail` lines.
    async fn logs(
        &self,
        group: &str,
        container: &str,
        tail: Option<usize>,
        timestamps: bool,
    ) -> Result<String, EngineError>;
    /// Starts one process without arguments in a container, on a pseudo-terminal. One that cannot be
    /// started shows why in the session, and the session ends.
    async fn exec(
        &self,
        group: &str,
        container: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecStream>, EngineError>;
    /// Kills a container's main process; the restart policy decides what follows.
    async fn kill(&self, group: &str, container: &str) -> Result<(), EngineError>;
    /// Removes everything that this local Azure ever made in the engine.
    async fn reset(&self) -> Result<(), EngineError>;
}

/// What local Azure offers inside each group, as the platform offers Entra and its metadata services.
pub struct Inside {
    /// Where it listens there: addresses of the group's loopback interface, link-local ones too.
    pub addresses: Vec<SocketAddr>,
    /// PEM: what containers trust, the system's roots among them.
    pub trusted: Vec<u8>,
    /// Takes each listener that was made.
    pub opened: UnboundedSender<Door>,
}

/// A listener in the network namespace of a group.
pub struct Door {
    /// The group's key.
    pub group: String,
    /// The listener.
    pub listener: TcpListener,
    /// Done when the group goes.
    pub closed: CancellationToken,
}

/// The two directions of an exec session: what is written goes to the process's terminal.
pub trait ExecStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ExecStream for T {}

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug)]
pub struct TerminalSize {
    /// Height.
    pub rows: u16,
    /// Width.
    pub cols: u16,
}

/// The loopback address behind each published (container group) TCP port.
pub type Endpoints = BTreeMap<u16, SocketAddr>;

/// One container group, reduced to what running it takes. Secret values are in here.
#[derive(Clone)]
pub struct GroupRun {
    /// Public address of the group, for `/etc/hosts` and logs; the listener on it is local Azure's.
    pub ip: Option<IpAddr>,
    /// TCP ports that the group publishes.
    pub ports: Vec<u16>,
    /// Run one after the other before `containers`.
    pub init_containers: Vec<ContainerRun>,
    /// The containers; they share one network namespace.
    pub containers: Vec<ContainerRun>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, VolumeRun>,
    /// Restart policy of every container.
    pub restart: RestartPolicy,
    /// Registry credentials.
    pub registries: Vec<RegistryCredential>,
}

/// One container to run.
#[derive(Clone)]
pub struct ContainerRun {
    /// Name, unique in the group.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Entry point and arguments in exec form; empty: the image's.
    pub command: Vec<String>,
    /// Environment, secure values included.
    pub environment: Vec<(String, String)>,
    /// Volume mounts.
    pub mounts: Vec<MountRun>,
    /// CPU limit in cores.
    pub cpu: f64,
    /// Memory limit in GiB.
    pub memory_gib: f64,
    /// Kills the container when it fails too often.
    pub liveness: Option<ProbeRun>,
    /// Decides whether the container counts as ready.
    pub readiness: Option<ProbeRun>,
}

/// Where a volume appears in a container.
#[derive(Clone, Debug)]
pub struct MountRun {
    /// Name of the volume.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Mounted read-only.
    pub read_only: bool,
}

/// A volume: memory-backed in both cases.
#[derive(Clone)]
pub enum VolumeRun {
    /// Empty at each start of the group, kept over a container's crash.
    EmptyDir,
    /// Files by name, with their content.
    Secret(BTreeMap<String, Vec<u8>>),
}

/// A probe of a container.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProbeRun {
    /// What is done.
    pub action: ProbeAction,
    /// Seconds before the first.
    pub initial_delay_seconds: u32,
    /// Seconds between two.
    pub period_seconds: u32,
    /// Seconds after which one has failed.
    pub timeout_seconds: u32,
    /// Failures in a row that count.
    pub failure_threshold: u32,
    /// Successes in a row that count.
    pub success_threshold: u32,
}

/// What a probe does.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ProbeAction {
    /// Runs a command in the container; exit code 0 is success.
    Exec(Vec<String>),
    /// GETs a path; 200 to 399 is success.
    HttpGet {
        /// Path and query.
        path: String,
        /// Port in the group's network namespace.
        port: u16,
    },
}

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum RestartPolicy {
    /// Always.
    Always,
    /// When it ended with an error.
    OnFailure,
    /// Never.
    Never,
}

/// Credentials of an image registry.
#[derive(Clone)]
pub struct RegistryCredential {
    /// Host name.
    pub server: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerState {
    /// Running now.
    pub running: bool,
    /// When the present or last run began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the last run ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Exit code of the last run.
    pub exit_code: Option<i32>,
    /// Runs after the first.
    pub restart_count: u32,
    /// Passed its readiness probe, or has none.
    pub ready: bool,
}

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No image of that name, here or in a registry.
    #[error("cannot get image `{image}`: {problem}")]
    Image {
        /// The reference.
        image: String,
        /// The engine's words.
        problem: String,
    },
    /// No such group or container.
    #[error("{0} not found")]
    NotFound(String),
    /// Anything else that the engine refused.
    #[error("container engine: {0}")]
    Refused(String),
    /// The engine does not answer.
    #[error("no container engine answers: {0}")]
    Unreachable(String),
}
