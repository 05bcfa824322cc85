//! The time in which this process is the one that works on a home.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Error, Home, Result};
use crate::ports::{Fence, Lease};

/// How often, and how many times, a home of one's own is tried: a command that asks whether a daemon
/// runs holds it for an instant.
const TRY: (Duration, u32) = (Duration::from_millis(50), 10);
/// How often a shared home is tried.
pub(super) const WAIT: Duration = Duration::from_secs(2);
/// Renewals in a term: two may be lost.
const RENEWALS: u32 = 3;

/// A home that was taken.
pub(super) struct Tenure {
    lease: Box<dyn Lease>,
    fence: Fence,
}

/// Takes the home. A shared one is waited for, `None` if `stop` comes before; `waiting` is called once
/// if it must be.
///
/// # Errors
/// It cannot be taken, or another process works on a home that is not shared.
pub(super) async fn take(
    home: &Home,
    stop: &CancellationToken,
    waiting: impl FnOnce(),
) -> Result<Option<Tenure>> {
    let mut waiting = Some(waiting);
    let mut tries = 0;
    loop {
        let asked = Instant::now();
        let taken = match lease(home).await {
            Err(Error::Fault(fault)) if home.is_shared() => {
                tracing::warn!(%fault, "the home cannot be taken");
                None
            }
            taken => taken?,
        };
        if let Some(lease) = taken {
            home.fence.extend(asked, lease.term());
            return Ok(Some(Tenure { lease, fence: home.fence.clone() }));
        }
        tries += 1;
        let pause = if home.is_shared() {
            if let Some(waiting) = waiting.take() {
                tracing::info!(home = %home.location, "another daemon works; standing by");
                waiting();
            }
            WAIT
        } else if tries < TRY.1 {
            TRY.0
        } else {
            return Err(Error::held(home));
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = sleep(pause) => {}
        }
    }
}

/// A lease of the home, where nobody else has one. Whether it has moved is only sure with the lease: whoever
/// moves a home holds it.
async fn lease(home: &Home) -> Result<Option<Box<dyn Lease>>> {
    let Some(lease) = home.seat.take().await? else { return Ok(None) };
    if let Err(error) = home.refuse_moved().await {
        lease.release().await;
        return Err(error);
    }
    Ok(Some(lease))
}

/// Takes the home, which nobody else may be working on.
///
/// # Errors
/// It cannot be taken, or another process works on it.
pub(super) async fn take_free(home: &Home) -> Result<Tenure> {
    if home.is_held().await? {
        return Err(Error::held(home));
    }
    // Whoever was faster is waited for, as any daemon would.
    take(home, &CancellationToken::new(), || ()).await?.ok_or(Error::Ended)
}

impl Tenure {
    /// Keeps the home while `work` runs, and gives it back then. A home that is lost ends the work at
    /// once, whatever it is at: another daemon is at it.
    ///
    /// # Errors
    /// Those of the work, or the home was lost.
    pub(super) async fn during<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let fence = self.fence.clone();
        let ended = CancellationToken::new();
        // A task of its own: no pass, however long it computes, delays a renewal.
        let mut keeper = JoinSet::new();
        keeper.spawn({
            let ended = ended.clone();
            async move {
                let lost = tokio::select! {
                    () = ended.cancelled() => false,
                    () = keep(&mut *self.lease, &self.fence) => true,
                };
                self.fence.close();
                if !lost {
                    self.lease.release().await;
                }
                lost
            }
        });
        let worked = tokio::select! {
            // The end of the lease is looked at first, so that nothing is begun after it.
            biased;
            _ = keeper.join_next() => {
                fence.close();
                return Err(Error::Lost);
            }
            worked = work => worked,
        };
        ended.cancel();
        match keeper.join_next().await {
            Some(Ok(false)) => worked,
            _ => worked.and(Err(Error::Lost)),
        }
    }
}

/// Renews a lease until it is lost.
async fn keep(lease: &mut dyn Lease, fence: &Fence) {
    let Some(term) = lease.term() else { return std::future::pending().await };
    let pause = term / RENEWALS;
    loop {
        sleep(pause).await;
        let asked = Instant::now();
        match timeout(pause, lease.renew()).await {
            Ok(Ok(true)) => {
                fence.extend(asked, Some(term));
                tracing::debug!("the lease is renewed");
            }
            Ok(Ok(false)) => {
                tracing::error!("another daemon has the home now");
                return;
            }
            Ok(Err(fault)) => tracing::warn!(%fault, "the lease is not renewed"),
            Err(_) => tracing::warn!("the lease is not renewed: no answer in time"),
        }
        if fence.check(Instant::now()).is_err() {
            tracing::error!("the lease has run out");
            return;
        }
    }
}
