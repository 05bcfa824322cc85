//! A place of manifests: what it says, at once and whenever it changes.
//!
//! Level-based: each look reads all that is there and says what differs from what was said before, so
//! a lost event costs time alone. Bad news (a manifest that is missing or broken where it was good) is
//! looked at twice before it counts: editors and copies leave files away or half written for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::Snapshot;
use super::keep::Keep;
use super::merge::{Absences, Extent, object};
use crate::api::parse::Parsed;
use crate::core::Fault;
use crate::ports::{Change, Entry, ObjectKey, Phase};

/// When bad news is looked at again.
const SETTLE: Duration = Duration::from_millis(150);
/// When something is looked at again whose end no event tells: a deletion, a missing manifest under
/// `prune`, a failure of the store.
const SOON: Duration = Duration::from_secs(1);
/// When all is looked at again without an event.
const RESCAN: Duration = Duration::from_mins(1);

/// Where manifests are read.
#[async_trait]
pub(super) trait Place: Send + 'static {
    /// All that is there now. What cannot be read is part of the answer: nothing follows for what
    /// may be there.
    async fn look(&mut self) -> Result<Snapshot, Fault>;
    /// Returns when something may have changed. Cancelled and called again, it loses nothing that the
    /// next look would not see.
    async fn changed(&mut self);
    /// Something could not be read, or can be again: whatever watches it is set up anew.
    fn renew(&mut self);
}

/// Every object that the ledger knows, then [`Change::Listed`], then what changes.
pub(super) fn watch(place: impl Place, keep: Keep) -> impl Stream<Item = Change> + Send + 'static {
    let watching = Watching {
        asked: keep.requests.changes(),
        place,
        keep,
        last: None,
        doubt: None,
        next: None,
        absences: Absences::new(),
        said: BTreeMap::new(),
        listed: false,
    };
    stream::unfold(watching, |mut watching| async move {
        let changes = watching.changes().await;
        Some((stream::iter(changes), watching))
    })
    .flatten()
}

struct Watching<P> {
    place: P,
    keep: Keep,
    asked: BoxStream<'static, ObjectKey>,
    /// The last snapshot that counted.
    last: Option<Snapshot>,
    /// Until when bad news waits.
    doubt: Option<Instant>,
    /// When to look without an event; at once where absent.
    next: Option<Instant>,
    absences: Absences,
    /// What was said of each object.
    said: BTreeMap<ObjectKey, Entry>,
    listed: bool,
}

impl<P: Place> Watching<P> {
    /// The changes of the next look that has any.
    async fn changes(&mut self) -> Vec<Change> {
        loop {
            if let Some(next) = self.next {
                tokio::select! {
                    () = self.place.changed() => {}
                    Some(_) = self.asked.next() => {}
                    () = sleep_until(next) => {}
                }
            }
            match self.look().await {
                Ok(changes) if changes.is_empty() => {}
                Ok(changes) => return changes,
                Err(fault) => {
                    tracing::warn!(%fault, "the manifests cannot be taken into the ledger");
                    // Whoever looks shall see why nothing happens; this fails where all fails.
                    let _ = self.keep.ledger.set_problems(&[fault.to_string()]).await;
                    self.next = Some(Instant::now() + SOON);
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Vec<Change>, Fault> {
        let fresh = self.place.look().await?;
        let snapshot = self.settled(fresh);
        let extent = Extent::Whole(self.keep.options);
        let merged = self.keep.round(&snapshot, extent, &self.absences).await?;
        let unreadable = |snapshot: &Snapshot| !snapshot.unreadable.is_empty();
        let renewed = unreadable(&snapshot) || self.last.as_ref().is_some_and(unreadable);
        if renewed {
            // A directory that was away is another one when it comes back. What was written between
            // the look and the new watch is seen by the next look, which is soon.
            self.place.renew();
        }
        self.last = Some(snapshot);
        self.absences = merged.absences;
        let deleting = merged.entries.iter().any(|entry| entry.deletion.is_some());
        let soon = deleting || renewed || !self.absences.is_empty();
        let pause = if soon { SOON } else { RESCAN };
        self.next = Some(self.doubt.unwrap_or_else(|| Instant::now() + pause));
        Ok(self.say(merged.entries))
    }

    /// The snapshot that counts: bad news only when it is no longer news.
    fn settled(&mut self, fresh: Snapshot) -> Snapshot {
        let Some(last) = &self.last else { return fresh };
        let hopeful = without_bad_news(last, &fresh);
        let now = Instant::now();
        match hopeful {
            Some(hopeful) if *self.doubt.get_or_insert(now + SETTLE) > now => hopeful,
            _ => {
                self.doubt = None;
                fresh
            }
        }
    }

    /// What of `entries` is news.
    fn say(&mut self, entries: Vec<Entry>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut said = BTreeMap::new();
        for entry in entries {
            // How far a claim goes is the loop's own knowledge, and the place is told by problems.
            let news = Entry { phase: Phase::Seen, pinned: BTreeMap::new(), place: None, ..entry };
            if self.said.get(&news.key) != Some(&news) {
                match object(&news) {
                    Ok(object) => changes.push(Change::Apply(Box::new(object))),
                    Err(_) => {
                        tracing::error!(object = %news.key, "its manifest in the ledger is not one of this release");
                    }
                }
            }
            said.insert(news.key.clone(), news);
        }
        let gone = self.said.keys().filter(|key| !said.contains_key(key));
        changes.extend(gone.cloned().map(Change::Delete));
        self.said = said;
        if !std::mem::replace(&mut self.listed, true) {
            changes.push(Change::Listed);
        }
        changes
    }
}

/// The new snapshot with what it lost since the last one, and without mistakes in files that had
/// none; nothing where there is no such bad news.
fn without_bad_news(before: &Snapshot, fresh: &Snapshot) -> Option<Snapshot> {
    let keys = fresh.keys();
    let mut hopeful = fresh.clone();
    let mut any = false;
    let paths: BTreeSet<_> = before.files.keys().chain(fresh.files.keys()).collect();
    for path in paths {
        if let (Some(old), Some(now)) = (before.files.get(path), fresh.files.get(path))
            && Arc::ptr_eq(old, now)
        {
            continue;
        }
        let old = before.files.get(path).map(|file| (**file).clone()).unwrap_or_default();
        let now = fresh.files.get(path).map(|file| (**file).clone()).unwrap_or_default();
        let mut lost = old.documents;
        lost.retain(|document| !keys.contains(&document.key));
        let broken = old.problems.is_empty() && !now.problems.is_empty();
        if broken || !lost.is_empty() {
            let documents = now.documents.into_iter().chain(lost).collect();
            let problems = if broken { Vec::new() } else { now.problems };
            hopeful.files.insert(path.clone(), Arc::new(Parsed { documents, problems }));
            any = true;
        }
    }
    any.then_some(hopeful)
}
