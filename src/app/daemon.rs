//! The daemon: keeps a directory of manifests true.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{App, Error, Home, Result, wire};
use crate::files::Lock;

/// How often the daemon notes that it runs.
const BEAT: Duration = Duration::from_secs(10);
/// How often, and how many times, the lock is tried: a command that asks whether a daemon runs holds
/// it for an instant.
const TRY: (Duration, u32) = (Duration::from_millis(50), 10);

/// How the daemon runs.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Directory of manifests.
    pub manifests: PathBuf,
    /// Delete what was made for a manifest that went away.
    pub prune: bool,
    /// Where readiness and metrics are served.
    pub listen: String,
}

impl App {
    /// Runs the daemon until `stop`; a write that is under way is ended first.
    pub async fn run(&self, daemon: &Daemon, stop: CancellationToken) -> Result<()> {
        let home = self.home().await?;
        let _lock = self.hold(&home).await?;
        let cloud = self.cloud_of(&home).await?;
        home.store.pin_cloud(cloud.as_str()).await?;
        home.store.beat(self.now()).await?;
        let operator = wire::Operator::new(self, &home).await?;
        let changes = wire::watch(&home, &daemon.manifests, daemon.prune)?;
        tracing::info!(
            home = %self.dir.display(),
            cloud = cloud.as_str(),
            manifests = %daemon.manifests.display(),
            listen = daemon.listen,
            "started"
        );
        // Whichever ends first, or fails, ends the others: none is let go half done.
        let _stopper = stop.clone().drop_guard();
        let ending = |stop: &CancellationToken| stop.clone().drop_guard();
        let ((), served, beaten) = tokio::join!(
            async {
                let _ending = ending(&stop);
                operator.run(changes, None, stop.clone()).await;
            },
            async {
                let _ending = ending(&stop);
                operator.serve(&daemon.listen, stop.clone()).await
            },
            async {
                let _ending = ending(&stop);
                self.beat(&home, &stop).await
            },
        );
        served.and(beaten)?;
        tracing::info!("stopped");
        Ok(())
    }

    async fn hold(&self, home: &Home) -> Result<Lock> {
        let (pause, times) = TRY;
        for _ in 0..times {
            if let Some(lock) = home.store.lock()? {
                return Ok(lock);
            }
            tokio::time::sleep(pause).await;
        }
        Err(Error::Held(self.dir.clone()))
    }

    async fn beat(&self, home: &Home, stop: &CancellationToken) -> Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(BEAT) => home.store.beat(self.now()).await?,
            }
        }
    }
}
