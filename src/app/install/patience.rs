//! Waiting for Azure: for what passes by itself, and no longer than that may take.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOOK, News};
use crate::app::{Error, Result};
use crate::core::Fault;

/// Roles take minutes to count everywhere.
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>
const LONGEST: Duration = Duration::from_mins(10);
/// Between two tries, where the service asks for nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// What is forgiven.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Rights were given in this run: a refusal may be of before.
    rights: bool,
}

impl Patience {
    /// A right was given: from now on a refusal may only mean that it does not count everywhere yet.
    pub(super) fn gave_rights(&mut self) {
        self.rights = true;
    }

    /// Tries until it succeeds, or fails in a way that does not pass.
    pub(super) async fn with<T>(
        &self,
        tell: &mut (dyn FnMut(News) + Send),
        work: impl AsyncFn() -> Result<T, Fault>,
    ) -> Result<T> {
        let end = Instant::now() + LONGEST;
        loop {
            let fault = match work().await {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let pause = self.pause(&fault).filter(|pause| Instant::now() + *pause < end);
            let Some(pause) = pause else { return Err(fault.into()) };
            tell(News::Waiting(fault.to_string()));
            sleep(pause).await;
        }
    }

    fn pause(&self, fault: &Fault) -> Option<Duration> {
        match fault {
            Fault::Throttled { retry_after, .. }
            | Fault::Busy { retry_after, .. }
            | Fault::Failing { retry_after, .. } => Some(retry_after.unwrap_or(PAUSE)),
            // Every write here may be repeated: it says how the whole is to be.
            Fault::Unreachable { .. } => Some(PAUSE),
            Fault::Forbidden { .. } if self.rights => Some(PAUSE),
            _ => None,
        }
    }
}

/// Looks at something until it is as it should be, or the time is over.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now() + LONGEST)
    }

    /// The time until the next look; an error where there is none left.
    pub(super) async fn wait(
        &mut self,
        what: &str,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<()> {
        if Instant::now() > self.0 {
            return Err(Error::Install {
                problem: format!("the time is over: {what}"),
                remedy: "run it again: it goes on from here".to_owned(),
            });
        }
        tell(News::Waiting(what.to_owned()));
        sleep(LOOK).await;
        Ok(())
    }
}
