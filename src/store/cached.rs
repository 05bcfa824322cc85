//! What is known of remote blobs, so that a home of thousands of objects takes few requests.
//!
//! A LIST tells the versions of a whole *room* (the first segment of a name) at once; what changed is
//! read, many at a time, and what did not is not. What a LIST told counts for a while ([`FRESH`]). Who has
//! the lease of the home knows more: nobody else writes the rooms that are the daemon's
//! ([`OURS`]), so what was read or written once counts until the lease ends. Every write that builds on
//! a read is conditional all the same: a wrong belief costs a conflict and a read, never a lost update.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::time::{Instant, sleep};

use self::flights::Flights;
use self::known::{Known, State};
use super::{Blobs, Found};
use crate::blobs::{Expected, Read, Version};
use crate::core::Fault;
use crate::ports::Lease;

mod flights;
mod known;

/// How often changes are looked for.
const POLL: Duration = Duration::from_secs(5);
/// How long what a LIST told counts: who looks all the time need not look again.
const FRESH: Duration = POLL.saturating_mul(2);
/// Rooms that only the daemon writes.
pub(super) const OURS: [&str; 5] = ["ledger", "memory", "status", "events", "pairs"];
/// Blobs outside of rooms that nobody changes but the daemon.
const OURS_ALONE: [&str; 3] = ["digest-key", "home", "problems"];
/// Rooms that the daemon reads whole when it begins.
const WHOLE: [&str; 3] = ["ledger", "memory", "status"];
/// Who reads so many blobs of a room one by one will read more.
const MANY: usize = 8;
/// Requests at a time.
const PARALLEL: usize = 32;
/// So often all is read again where it was forgotten or written meanwhile.
const ATTEMPTS: usize = 5;

/// Blobs that every look at takes a request.
#[async_trait]
pub(super) trait Remote: Send + Sync {
    /// A blob; of one whose version is `known`, that it is the same.
    async fn get(&self, name: &str, known: Option<&Version>) -> Result<Read, Fault>;
    /// Writes a blob whole: its new version, `None` where it is not as expected.
    async fn put(
        &self,
        name: &str,
        content: Vec<u8>,
        expected: &Expected,
    ) -> Result<Option<Version>, Fault>;
    /// Deletes a blob: false where it is not as expected.
    async fn delete(&self, name: &str, expected: &Expected) -> Result<bool, Fault>;
    /// The versions of all blobs whose names begin with `prefix`.
    async fn list(&self, prefix: &str) -> Result<BTreeMap<String, Version>, Fault>;
    /// The name of a blob for people.
    fn place(&self, name: &str) -> String;
    /// Takes all blobs for one writer.
    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault>;
    /// Whether somebody has taken them.
    async fn is_taken(&self) -> Result<bool, Fault>;
}

/// Remote blobs with what is known of them.
#[derive(Clone)]
pub(super) struct Cached {
    remote: Arc<dyn Remote>,
    known: Arc<Mutex<Known>>,
    flights: Arc<Flights>,
}

impl Cached {
    pub(super) fn new(remote: Arc<dyn Remote>) -> Self {
        Self { remote, known: Arc::default(), flights: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_current(&self, room: &str) -> bool {
        self.known().is_current(room, Instant::now())
    }

    fn current(&self, name: &str) -> Option<State> {
        self.known().current(name, Instant::now())
    }

    /// Learns the versions in a room, unless they are known.
    async fn learn(&self, room: &str) -> Result<(), Fault> {
        if self.is_current(room) {
            return Ok(());
        }
        let begin = || {
            let (blobs, room) = (self.clone(), room.to_owned());
            async move { blobs.list_room(&room).await.map(drop) }.boxed()
        };
        self.flights.join(format!("list {room}"), begin).await
    }

    /// Lists a room; whether it changed.
    async fn list_room(&self, room: &str) -> Result<bool, Fault> {
        let (began, asked) = (self.known().serial(), Instant::now());
        let versions = self.remote.list(&format!("{room}/")).await?;
        Ok(self.known().listed(room, &versions, began, asked))
    }

    /// Reads what is known to be there and not what it is.
    async fn fill(&self, prefix: &str) -> Result<(), Fault> {
        let begin = || {
            let (blobs, unread) = (self.clone(), self.known().unread(prefix));
            let look = move |name: String| {
                let blobs = blobs.clone();
                async move { blobs.look(&name).await.map(drop) }
            };
            stream::iter(unread).map(look).buffer_unordered(PARALLEL).try_collect().boxed()
        };
        self.flights.join(format!("read {prefix}"), begin).await
    }

    /// Looks at one blob.
    async fn look(&self, name: &str) -> Result<Option<Found>, Fault> {
        let (began, before) = {
            let known = self.known();
            (known.serial(), known.read(name))
        };
        let version = before.as_ref().map(|found| found.version.clone());
        let found = match (self.remote.get(name, version.as_ref()).await?, before) {
            (Read::Is(version, content), _) => Some(Found { content, version }),
            (Read::Same, before) => before,
            (Read::Absent, _) => None,
        };
        self.known().found(name, found.as_ref(), began);
        Ok(found)
    }

    /// Whether a room is read whole, by us, as the one who works on the home.
    fn is_whole(&self, room: &str) -> bool {
        WHOLE.contains(&room) && self.known().is_ours(room)
    }

    /// Whether a room is worth a LIST before one of its blobs is looked at.
    async fn foresee(&self, room: &str) -> Result<(), Fault> {
        let (ours, many) = {
            let mut known = self.known();
            (known.is_ours(room), known.is_read_often(room, Instant::now()))
        };
        if !ours && !many {
            return Ok(());
        }
        self.learn(room).await?;
        if many || WHOLE.contains(&room) { self.fill(room).await } else { Ok(()) }
    }
}

/// The room of a blob; none for those that are alone.
fn room(name: &str) -> Option<&str> {
    name.split_once('/').map(|(room, _)| room)
}

#[async_trait]
impl Blobs for Cached {
    async fn get(&self, name: &str) -> Result<Option<Found>, Fault> {
        if let Some(room) = room(name) {
            if !self.is_current(room) {
                self.foresee(room).await?;
            }
            // Somebody reads the room just now.
            if let Some(State::Listed(_)) = self.current(name)
                && self.is_whole(room)
            {
                self.fill(room).await?;
            }
        }
        match self.current(name) {
            Some(State::Read(version, content)) => Ok(Some(Found { content, version })),
            Some(State::Absent) => Ok(None),
            _ => self.look(name).await,
        }
    }

    async fn put(&self, name: &str, content: Vec<u8>, expected: Expected) -> Result<bool, Fault> {
        if expected == Expected::Anything
            && let Some(State::Read(_, before)) = self.current(name)
            && before == content
        {
            return Ok(true);
        }
        let written = self.remote.put(name, content.clone(), &expected).await;
        let state = match &written {
            Ok(Some(version)) => State::Read(version.clone(), content),
            // Refused or lost: only a look tells what is there.
            Ok(None) | Err(_) => State::Unknown,
        };
        self.known().set(name, state);
        written.map(|version| version.is_some())
    }

    async fn delete(&self, name: &str, expected: Expected) -> Result<bool, Fault> {
        if let Some(State::Absent) = self.current(name) {
            return Ok(true);
        }
        let deleted = self.remote.delete(name, &expected).await;
        let state = if deleted == Ok(true) { State::Absent } else { State::Unknown };
        self.known().set(name, state);
        deleted
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.learn(prefix.split('/').next().unwrap_or_default()).await?;
        Ok(self.known().segments(prefix))
    }

    async fn all(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let room = prefix.split('/').next().unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let epoch = self.known().epoch();
            self.learn(room).await?;
            self.fill(prefix).await?;
            let known = self.known();
            // Half of it would say that the other half is not there.
            if known.epoch() == epoch && known.has(room) && known.unread(prefix).is_empty() {
                return Ok(known.contents(prefix));
            }
        }
        Err(super::fault(self.place(prefix), &"changes faster than it can be read"))
    }

    fn hints(&self, prefix: &str) -> BoxStream<'static, ()> {
        let room = prefix.split('/').next().unwrap_or_default().to_owned();
        stream::unfold((self.clone(), room), |(blobs, room)| async move {
            loop {
                sleep(POLL).await;
                match blobs.list_room(&room).await {
                    Ok(true) => return Some(((), (blobs, room))),
                    Ok(false) => {}
                    Err(fault) => tracing::debug!(%fault, "no look at changes"),
                }
            }
        })
        .boxed()
    }

    fn place(&self, name: &str) -> String {
        self.remote.place(name)
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        let Some(lease) = self.remote.take().await? else { return Ok(None) };
        // Another may have written until now.
        self.known().begin();
        let held = Held { lease: Some(lease), known: Arc::clone(&self.known) };
        Ok(Some(Box::new(held)))
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        self.remote.is_taken().await
    }
}

/// A lease under which more is believed.
struct Held {
    lease: Option<Box<dyn Lease>>,
    known: Arc<Mutex<Known>>,
}

impl Held {
    fn end(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

#[async_trait]
impl Lease for Held {
    fn term(&self) -> Option<Duration> {
        self.lease.as_ref().and_then(|lease| lease.term())
    }

    async fn renew(&mut self) -> Result<bool, Fault> {
        let Some(lease) = &mut self.lease else { return Ok(false) };
        let renewed = lease.renew().await;
        if renewed == Ok(false) {
            self.end();
        }
        renewed
    }

    async fn release(mut self: Box<Self>) {
        self.end();
        if let Some(lease) = self.lease.take() {
            lease.release().await;
        }
    }
}

#[cfg(test)]
mod tests;
