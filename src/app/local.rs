//! Local Azure on this home: started in the background, asked, stopped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process, setsid, test_kill_process};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{App, CloudName, Error, Result, wire};
use crate::emulator::{self, Client, ClientError, Endpoints};
use crate::files;

/// Where containers run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Engine {
    /// Docker or Podman, whichever answers
    Auto,
    /// The same, and an error says why not
    Docker,
    /// Nowhere: Azure's whole behaviour, nothing served
    None,
}

impl Engine {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::None => "none",
        }
    }
}

/// How a running local Azure is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// URL of Azure Resource Manager.
    pub resource_manager: String,
    /// URL of Entra ID.
    pub authority: String,
    /// URL of Microsoft Graph.
    pub graph: String,
    /// URL of the storage accounts' blobs, each account at `/NAME`.
    pub blob: String,
    /// Certificate of its CA, a PEM file.
    pub ca: PathBuf,
    /// Name of the container engine.
    pub engine: String,
    /// Process id.
    pub pid: u32,
    /// Container groups, as `resource group/name`.
    pub groups: Vec<String>,
    /// Requests to ARM and Graph since the start, by operation.
    pub requests: BTreeMap<String, u64>,
    /// Injected faults that still wait.
    pub faults: Vec<Value>,
}

/// What one principal asked of local Azure.
#[derive(Clone, Debug, Serialize)]
pub struct Access {
    /// Its object id.
    pub principal: String,
    /// An application's client id, a user's name.
    pub name: String,
    /// Actions that it might do, and how often it did.
    pub allowed: BTreeMap<String, u64>,
    /// Actions that it might not do, and how often it tried.
    pub refused: BTreeMap<String, u64>,
}

/// How long starting may take: an engine may have to be woken first.
const START: Duration = Duration::from_mins(1);
/// How long stopping may take.
const STOP: Duration = Duration::from_secs(30);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(50);
/// So many bytes of the log explain a start that failed.
const EXCERPT: usize = 2000;

impl App {
    /// Starts local Azure and returns when it is ready; one that runs is left as it is. A new home
    /// is pinned to it. `tick` is called while it waits.
    pub async fn local_up(
        &self,
        engine: Engine,
        tick: &mut (dyn FnMut() + Send),
    ) -> Result<Status> {
        if let Some(status) = self.running().await? {
            return Ok(status);
        }
        files::create_dir(&self.local_dir()).map_err(|e| Error::file(&self.local_dir(), &e))?;
        let mut child = self.spawn(engine)?;
        let deadline = tokio::time::Instant::now() + START;
        let status = loop {
            tick();
            if let Some(status) = self.running().await? {
                break status;
            }
            let ended = child.try_wait().map_err(|e| Error::file(&self.local_log(), &e))?;
            if ended.is_some() || tokio::time::Instant::now() > deadline {
                return Err(self.not_started());
            }
            tokio::time::sleep(GLANCE).await;
        };
        let home = self.home().await?;
        if home.cloud().await?.is_none() {
            home.seat.pin_cloud(CloudName::Local.as_str()).await?;
        }
        Ok(status)
    }

    /// Stops local Azure; says whether it ran. Its containers and state stay.
    pub async fn local_down(&self) -> Result<bool> {
        let Some(status) = self.running().await? else { return Ok(false) };
        let pid = i32::try_from(status.pid).ok().and_then(Pid::from_raw);
        let pid =
            pid.ok_or_else(|| problem("gives an impossible process id", "stop it by hand"))?;
        let refused =
            |e: rustix::io::Errno| problem(&format!("cannot be stopped: {e}"), "stop it by hand");
        kill_process(pid, Signal::TERM).map_err(refused)?;
        let deadline = tokio::time::Instant::now() + STOP;
        while test_kill_process(pid).is_ok() {
            if tokio::time::Instant::now() > deadline {
                let remedy = format!("look into {}", self.local_log().display());
                return Err(problem("does not stop", &remedy));
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(true)
    }

    /// How local Azure is.
    pub async fn local_status(&self) -> Result<Status> {
        self.running().await?.ok_or_else(not_running)
    }

    /// Variables after which aci-operator, `az`, Azure's SDKs and curl talk to this home's local
    /// Azure. A client secret is among them.
    pub fn local_environment(&self) -> Result<Vec<(String, String)>> {
        let variables = emulator::environment(&self.local_dir());
        let mut variables = variables.map_err(|e| Error::file(&self.local_dir(), &e))?;
        variables.push(("ACI_OPERATOR_HOME".to_owned(), self.dir.display().to_string()));
        Ok(variables)
    }

    /// Removes all container groups, resource groups and faults of local Azure, and nothing else.
    pub async fn local_reset(&self) -> Result<()> {
        self.client()?.reset().await.map_err(refused)
    }

    /// What each principal asked for since local Azure's start, and what it was refused.
    pub async fn local_access(&self) -> Result<Vec<Access>> {
        let accesses = self.client()?.accesses().await.map_err(refused)?;
        let accesses = accesses.into_iter().map(|(principal, access)| Access {
            principal: principal.to_string(),
            name: access.name,
            allowed: access.allowed,
            refused: access.refused,
        });
        Ok(accesses.collect())
    }

    /// Injects a fault, or lets an accident happen, given as the admin listener takes it.
    pub async fn inject(&self, injection: Value) -> Result<()> {
        let injection = serde_json::from_value(injection).map_err(|e| {
            problem(&format!("knows no such fault: {e}"), "see `aci-operator local fault --help`")
        })?;
        self.client()?.inject(&injection).await.map_err(refused)
    }

    /// Removes every fault.
    pub async fn clear_faults(&self) -> Result<()> {
        self.client()?.clear_faults().await.map_err(refused)
    }

    /// The log of local Azure.
    pub fn local_log(&self) -> PathBuf {
        self.local_dir().join("log")
    }

    /// Is local Azure, in this process, until `stop`.
    pub async fn local_serve(&self, engine: Engine, stop: CancellationToken) -> Result<()> {
        // A session of its own: the terminal that started it may go away. Who started it by hand
        // leads a process group already, and keeps its terminal.
        let _ = setsid();
        wire::serve_local(&self.local_dir(), engine, stop).await
    }

    fn client(&self) -> Result<Client> {
        Client::open(&self.local_dir()).map_err(refused)
    }

    /// How it is, where it runs. Files of one that was killed are no sign of life.
    async fn running(&self) -> Result<Option<Status>> {
        let dir = self.local_dir();
        let endpoints = emulator::endpoints(&dir).map_err(|e| Error::file(&dir, &e))?;
        let Some(endpoints) = endpoints else { return Ok(None) };
        match self.client()?.status().await {
            Ok(status) => Ok(Some(describe(endpoints, status))),
            Err(ClientError::NotRunning(_) | ClientError::Unreachable(_)) => Ok(None),
            Err(other) => Err(refused(other)),
        }
    }

    fn spawn(&self, engine: Engine) -> Result<Child> {
        let log = private_log(&self.local_log()).map_err(|e| Error::file(&self.local_log(), &e))?;
        let again = log.try_clone().map_err(|e| Error::file(&self.local_log(), &e))?;
        let program =
            std::env::current_exe().map_err(|e| problem(&format!("cannot be started: {e}"), ""))?;
        Command::new(&program)
            .args(["local", "serve", "--engine", engine.as_str(), "--home"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(again)
            .spawn()
            .map_err(|e| Error::file(&program, &e))
    }

    fn not_started(&self) -> Error {
        let log = self.local_log();
        let text = files::read(&log).ok().flatten().unwrap_or_default();
        let tail =
            String::from_utf8_lossy(&text[text.len().saturating_sub(EXCERPT)..]).into_owned();
        problem(
            &format!("did not start:\n{}", tail.trim_end()),
            &format!("the whole log is {}", log.display()),
        )
    }
}

fn describe(endpoints: Endpoints, status: emulator::Status) -> Status {
    Status {
        resource_manager: endpoints.arm,
        authority: endpoints.entra,
        graph: endpoints.graph,
        blob: endpoints.blob,
        ca: endpoints.ca,
        engine: status.engine,
        pid: status.pid,
        groups: status.groups,
        requests: status
            .requests
            .into_iter()
            .map(|(operation, count)| (operation.to_string(), count))
            .collect(),
        faults: status.faults.iter().filter_map(|fault| serde_json::to_value(fault).ok()).collect(),
    }
}

/// A log that starts anew, readable by the owner alone.
fn private_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn not_running() -> Error {
    problem("does not run on this home", "start it with `aci-operator local up`")
}

fn refused(error: ClientError) -> Error {
    match error {
        ClientError::NotRunning(_) | ClientError::Unreachable(_) => not_running(),
        ClientError::Refused(words) => {
            problem(&format!("refused: {words}"), "look at `aci-operator local status`")
        }
        ClientError::Files(e) => {
            problem(&format!("cannot be asked: {e}"), "look at `aci-operator local status`")
        }
    }
}

fn problem(problem: &str, remedy: &str) -> Error {
    Error::Local { problem: problem.to_owned(), remedy: remedy.to_owned() }
}
