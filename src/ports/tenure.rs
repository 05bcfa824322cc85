//! Who may write: of all daemons on one home, one, and for a while.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::core::{Fault, Secret};

/// The home itself: what it is, and who works on it.
#[async_trait]
pub trait Seat: Send + Sync {
    /// The home's id, the first half of the owner tag; minted once.
    fn id(&self) -> &str;
    /// The cloud that the home belongs to, once pinned.
    async fn pinned_cloud(&self) -> Result<Option<String>, Fault>;
    /// Makes the home one of `cloud`, for good; one of another cloud is a fault.
    async fn pin_cloud(&self, cloud: &str) -> Result<(), Fault>;
    /// What makes it this home.
    async fn identity(&self) -> Result<Identity, Fault>;
    /// Makes it the home of `identity`, which comes from another place: for one that knows no object.
    async fn assume(&self, identity: &Identity) -> Result<(), Fault>;
    /// Where the home has moved to, if it has: nobody works here any more.
    async fn moved_to(&self) -> Result<Option<String>, Fault>;
    /// Says that the home has moved to `place`, or has not.
    async fn set_moved(&self, place: Option<&str>) -> Result<(), Fault>;
    /// Says that the daemon is alive.
    async fn beat(&self, now: DateTime<Utc>) -> Result<(), Fault>;
    /// When a daemon was last alive.
    async fn heartbeat(&self) -> Result<Option<DateTime<Utc>>, Fault>;
    /// Whether somebody reconciles the home now.
    async fn is_taken(&self) -> Result<bool, Fault>;
    /// Takes the home; `None` where another has it.
    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault>;
}

/// What makes a home the one that it is: with it, what was made in Azure is its own.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// The cloud that it belongs to, once pinned.
    pub cloud: Option<String>,
    /// The key of the digests in ARM tags.
    pub digest_key: Secret,
}

/// A home that was taken.
#[async_trait]
pub trait Lease: Send + Sync {
    /// How long a renewal lasts; `None` where it lasts as long as the process.
    fn term(&self) -> Option<Duration>;
    /// Renews it; false where another has it now.
    async fn renew(&mut self) -> Result<bool, Fault>;
    /// Gives it back, so that another need not wait for its end. Dropping it leaves it to run out.
    async fn release(self: Box<Self>);
}

/// What is left of a term at its end: a write that begins before has that long to be over, and
/// clocks may run a little apart.
pub const MARGIN: Duration = Duration::from_secs(3);

/// Until when this process may begin writes. Clones share it; whoever sends a write asks it last.
///
/// **The window that remains.** A process can be stopped between the question and the system call that
/// sends; when it goes on, that one write leaves late. It is at most one request a connection.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<RwLock<Leave>>);

#[derive(Clone, Copy, Debug, Default)]
enum Leave {
    #[default]
    Never,
    Until {
        end: Instant,
        term: Duration,
    },
    Always,
}

impl Fence {
    /// A fence that is always open: of a process that nobody shares its home with.
    pub fn open() -> Self {
        let fence = Self::default();
        fence.set(Leave::Always);
        fence
    }

    /// Opens it for the rest of a term of `lease` that was asked for at `asked`: the holder counts from
    /// before its request, everybody else from after it.
    pub fn extend(&self, asked: Instant, term: Option<Duration>) {
        self.set(match term {
            Some(term) => Leave::Until { end: asked + term.saturating_sub(MARGIN), term },
            None => Leave::Always,
        });
    }

    /// Closes it.
    pub fn close(&self) {
        self.set(Leave::Never);
    }

    /// When it closes by itself; `None` where it does not.
    pub fn end(&self) -> Option<Instant> {
        match self.get() {
            Leave::Until { end, .. } => Some(end),
            Leave::Never | Leave::Always => None,
        }
    }

    /// A connection that was made longer ago than this may belong to an earlier term.
    pub fn term(&self) -> Option<Duration> {
        match self.get() {
            Leave::Until { term, .. } => Some(term),
            Leave::Never | Leave::Always => None,
        }
    }

    /// Leave to begin a write at `now`.
    ///
    /// # Errors
    /// The lease is not ours, or may have run out.
    pub fn check(&self, now: Instant) -> Result<(), Fault> {
        let problem = match self.get() {
            Leave::Always => return Ok(()),
            Leave::Until { end, .. } if now < end => return Ok(()),
            Leave::Until { .. } => "has run out: nothing is written any more",
            Leave::Never => "is not ours: nothing is written",
        };
        Err(Fault::Store { what: "the home's lease".to_owned(), problem: problem.to_owned() })
    }

    fn get(&self) -> Leave {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, leave: Leave) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = leave;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_begins_within_the_term_less_the_margin() {
        let (fence, term) = (Fence::default(), Duration::from_secs(15));
        let asked = Instant::now();
        assert!(fence.check(asked).is_err());
        fence.extend(asked, Some(term));
        let end = asked + term - MARGIN;
        assert_eq!(fence.end(), Some(end));
        assert!(fence.check(end - Duration::from_nanos(1)).is_ok());
        assert!(fence.clone().check(end).is_err());
        fence.extend(asked + term, Some(term));
        assert!(fence.check(end).is_ok());
        fence.close();
        assert!(fence.check(asked).is_err());
        fence.extend(asked, None);
        assert!(fence.check(asked + Duration::from_hours(9000)).is_ok());
    }
}
