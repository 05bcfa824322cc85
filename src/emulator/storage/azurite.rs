//! The Azurite process behind the blob endpoint: started when the first account needs it, started anew
//! when it ended or another account comes, gone when local Azure goes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::shared_key::AccountKey;
use crate::files;

/// How long it may take to start: several seconds on a busy machine.
const START: Duration = Duration::from_secs(90);
/// How long it may take to write what it has and end.
const STOP: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(50);
/// What it says when it is ready, before its URL.
const READY: &str = "successfully listens on ";
/// So much of its log explains a start that failed.
const EXCERPT: usize = 1000;

/// Runs `$@` until our end of its standard input is closed, by us or by our death.
const UNTIL_CLOSED: &str = r#""$@" </dev/null & child=$!; read -r _; kill "$child"; wait "$child""#;

/// Why there is no Azurite.
#[derive(Debug, thiserror::Error)]
pub(in crate::emulator) enum Error {
    /// Not installed.
    #[error(
        "local Azure keeps blobs with Azurite, and its program {} was not found: install it with \
         `npm install --global azurite`, or name its `azurite-blob` in ACI_OPERATOR_AZURITE, and start \
         local Azure again", .0.display()
    )]
    Missing(PathBuf),
    /// It ended or never got ready.
    #[error("Azurite did not start: {0}")]
    Start(String),
    /// Its files.
    #[error("cannot keep Azurite's files: {0}")]
    Files(#[from] io::Error),
    /// It does not answer.
    #[error("Azurite does not answer: {0}")]
    Silent(#[from] reqwest::Error),
    /// It refused what it was asked.
    #[error("Azurite refused: {0}")]
    Refused(String),
}

/// One Azurite on one directory.
pub(super) struct Azurite {
    program: PathBuf,
    dir: PathBuf,
    /// What the keys between it and us are derived from.
    secret: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    url: String,
    accounts: BTreeSet<String>,
}

impl Azurite {
    pub(super) fn new(program: PathBuf, dir: PathBuf, secret: String) -> Self {
        Self { program, dir, secret, running: Mutex::new(None) }
    }

    /// The key between Azurite and us: nobody else knows it, so nobody gets past us.
    pub(super) fn key(&self, account: &str) -> AccountKey {
        AccountKey::derive(&self.secret, account, "azurite")
    }

    /// Where it serves `accounts`; it is started where need be.
    pub(super) async fn url(&self, accounts: &[String]) -> Result<String, Error> {
        let mut running = self.running.lock().await;
        if let Some(there) = running.as_ref()
            && accounts.iter().all(|account| there.accounts.contains(account))
        {
            return Ok(there.url.clone());
        }
        let mut all: BTreeSet<String> = accounts.iter().cloned().collect();
        if let Some(there) = running.take() {
            all.extend(there.accounts.iter().cloned());
            there.stop().await;
        }
        let started = self.start(all).await?;
        Ok(running.insert(started).url.clone())
    }

    /// Forgets the process that was at `url` and no longer answers.
    pub(super) async fn lost(&self, url: &str) {
        let mut running = self.running.lock().await;
        if running.as_ref().is_some_and(|there| there.url == url)
            && let Some(there) = running.take()
        {
            there.stop().await;
        }
    }

    /// Stops it.
    pub(super) async fn stop(&self) {
        if let Some(there) = self.running.lock().await.take() {
            there.stop().await;
        }
    }

    /// Stops it and removes all that it has.
    pub(super) async fn reset(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        if let Some(there) = running.take() {
            there.stop().await;
        }
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether its program is there at all.
    pub(super) fn check_installed(&self) -> Result<PathBuf, Error> {
        let named = |dir: &Path| Some(dir.join(&self.program)).filter(|path| path.is_file());
        let found = if self.program.components().count() > 1 {
            Some(self.program.clone()).filter(|path| path.is_file())
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).find_map(|dir| named(&dir))
        };
        found.ok_or_else(|| Error::Missing(self.program.clone()))
    }

    async fn start(&self, accounts: BTreeSet<String>) -> Result<Running, Error> {
        let program = self.check_installed()?;
        files::create_dir(&self.dir)?;
        let log = self.dir.join("log");
        files::write(&log, b"")?;
        let output = std::fs::OpenOptions::new().append(true).open(&log)?;
        let known = accounts.iter().map(|name| format!("{name}:{}", self.key(name).to_base64()));
        // --skipApiVersionCheck: official clients are newer than any Azurite. Tokens are not its
        // business: it takes requests that we signed, and no others.
        let child = Command::new("/bin/sh")
            .args(["-c", UNTIL_CLOSED, "sh"])
            .arg(program)
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location"])
            .arg(self.dir.join("data"))
            .env("AZURITE_ACCOUNTS", known.collect::<Vec<_>>().join(";"))
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut running = Running { child, url: String::new(), accounts };
        let deadline = Instant::now() + START;
        loop {
            let said =
                String::from_utf8_lossy(&files::read(&log)?.unwrap_or_default()).into_owned();
            if let Some((_, url)) = said.split_once(READY)
                && let Some((url, _)) = url.split_once('\n')
            {
                url.trim().clone_into(&mut running.url);
                return Ok(running);
            }
            if said.contains("Exit due to") || Instant::now() > deadline {
                running.stop().await;
                let cut = said.len().saturating_sub(EXCERPT);
                return Err(Error::Start(said.get(cut..).unwrap_or_default().to_owned()));
            }
            sleep(GLANCE).await;
        }
    }
}

impl Running {
    async fn stop(mut self) {
        drop(self.child.stdin.take());
        if timeout(STOP, self.child.wait()).await.is_err()
            && let Err(error) = self.child.kill().await
        {
            tracing::warn!(%error, "cannot stop Azurite");
        }
    }
}
