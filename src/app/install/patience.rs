//! Waiting for Azure: for what passes by itself, and no longer than that may take.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::News;
use crate::app::{Error, Result};
use crate::core::Fault;

/// Roles take minutes to count everywhere.
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>
const LONGEST: Duration = Duration::from_mins(10);
/// Between two tries, where the service asks for nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// The patience of one run, and whom it tells.
pub(super) struct Patience<'a> {
    tell: &'a mut (dyn FnMut(News) + Send),
    /// Rights were given in this run: a refusal may be of before.
    rights: bool,
}

/// What a look at something finds.
pub(super) enum Look<T> {
    /// It is as it should be.
    Found(T),
    /// It will not be.
    Never(Error),
    /// It is not yet: what is waited for, and the error where the time is over, if another than that.
    Waiting(String, Option<Error>),
}

impl<'a> Patience<'a> {
    pub(super) fn new(tell: &'a mut (dyn FnMut(News) + Send)) -> Self {
        Self { tell, rights: false }
    }

    pub(super) fn tell(&mut self, news: News) {
        (self.tell)(news);
    }

    /// A right was given: from now on a refusal may only mean that it does not count everywhere yet.
    pub(super) fn gave_rights(&mut self) {
        self.rights = true;
    }

    /// Tries until it succeeds, or fails in a way that does not pass.
    pub(super) async fn with<T>(&mut self, work: impl AsyncFn() -> Result<T, Fault>) -> Result<T> {
        let end = Instant::now() + LONGEST;
        loop {
            let fault = match work().await {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let pause = self.pause(&fault).filter(|pause| Instant::now() + *pause < end);
            let Some(pause) = pause else { return Err(fault.into()) };
            self.tell(News::Waiting(fault.to_string()));
            sleep(pause).await;
        }
    }

    /// Sees until it is as it should be, or the time is over.
    pub(super) async fn until<S, T>(
        &mut self,
        see: impl AsyncFn() -> Result<S, Fault>,
        look: impl Fn(S) -> Look<T>,
    ) -> Result<T> {
        let end = Instant::now() + LONGEST;
        loop {
            let (what, late) = match look(self.with(&see).await?) {
                Look::Found(found) => return Ok(found),
                Look::Never(error) => return Err(error),
                Look::Waiting(what, late) => (what, late),
            };
            if Instant::now() > end {
                return Err(late.unwrap_or_else(|| Error::Install {
                    problem: format!("the time is over: {what}"),
                    remedy: "run it again: it goes on from here".to_owned(),
                }));
            }
            self.tell(News::Waiting(what));
            sleep(LOOK).await;
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
