//! The daemon: keeps a home's manifests true.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{App, Error, Home, Result, tenure, wire};
use crate::core::Fault;

/// How often the daemon notes that it runs.
const BEAT: Duration = Duration::from_secs(10);

/// The daemon's share of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Namespaces; all where there is none.
    pub namespaces: Vec<String>,
    /// So many daemons share them; 0 and 1 are one.
    pub shards: u32,
}

/// How the daemon runs.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Directory of manifests, where the home has none of its own.
    pub manifests: Option<PathBuf>,
    /// Delete what was made for a manifest that went away.
    pub prune: bool,
    /// Where readiness and metrics are served.
    pub listen: String,
    /// Its share of a cluster.
    pub share: Share,
}

impl App {
    /// Runs the daemon until `stop`; a write that is under way is ended first. Where several share the
    /// home, it waits until it is the one that works.
    ///
    /// # Errors
    /// The home cannot be used, or was lost to another daemon.
    pub async fn run(&self, daemon: &Daemon, stop: CancellationToken) -> Result<()> {
        let home = wire::open_home(self, &daemon.share).await?;
        let operator = wire::Operator::new(self, &home).await?;
        // Whichever ends first, or fails, ends the others: none is let go half done.
        let _stopper = stop.clone().drop_guard();
        let ending = |stop: &CancellationToken| stop.clone().drop_guard();
        let (worked, served) = tokio::join!(
            async {
                let _ending = ending(&stop);
                self.terms(daemon, &home, &operator, &stop).await
            },
            async {
                let _ending = ending(&stop);
                operator.serve(&daemon.listen, stop.clone()).await
            },
        );
        worked.and(served)?;
        tracing::info!("stopped");
        Ok(())
    }

    /// Term after term: a home that was lost is waited for again.
    async fn terms(
        &self,
        daemon: &Daemon,
        home: &Home,
        operator: &wire::Operator,
        stop: &CancellationToken,
    ) -> Result<()> {
        loop {
            let taken = tenure::take(home, stop, || operator.stand_by()).await?;
            let Some(tenure) = taken else { return Ok(()) };
            // Made anew: what an earlier term has read is no base for this one.
            let changes = wire::watch(home, daemon)?;
            match tenure.during(self.work(home, operator, changes, stop.child_token())).await {
                Err(Error::Lost) => tracing::warn!("standing by again"),
                Err(Error::Fault(fault)) if home.is_shared() && passes(&fault) => {
                    tracing::warn!(%fault, "standing by again");
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep(tenure::WAIT) => {}
                    }
                }
                ended => return ended,
            }
        }
    }

    async fn work(
        &self,
        home: &Home,
        operator: &wire::Operator,
        changes: wire::Changes,
        stop: CancellationToken,
    ) -> Result<()> {
        let cloud = self.cloud_of(home).await?;
        home.seat.pin_cloud(cloud.as_str()).await?;
        home.seat.beat(self.now()).await?;
        tracing::info!(home = %home.location, cloud = cloud.as_str(), "started");
        let _stopper = stop.clone().drop_guard();
        let ((), beaten) = tokio::join!(
            async {
                let _ending = stop.clone().drop_guard();
                operator.run(changes, None, stop.clone()).await;
            },
            async {
                let _ending = stop.clone().drop_guard();
                self.beat(home, &stop).await
            },
        );
        beaten
    }

    /// A beat that cannot be written is missed: a home that stays away is lost by its lease.
    async fn beat(&self, home: &Home, stop: &CancellationToken) -> Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(BEAT) => {}
            }
            match home.seat.beat(self.now()).await {
                Err(fault) if home.is_shared() => tracing::warn!(%fault, "no heartbeat"),
                beaten => beaten?,
            }
        }
    }
}

/// Whether a fault of the home's is one of its service, which comes back.
fn passes(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Unreachable { .. }
            | Fault::Failing { .. }
            | Fault::Throttled { .. }
            | Fault::Busy { .. }
    )
}
