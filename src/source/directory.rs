//! A directory of manifests: what it says, at once and whenever it changes.
//!
//! Level-based: each look reads all that is there and says what differs from what was said before, so
//! a lost event costs time alone. Bad news (a manifest that is missing or broken where it was good) is
//! looked at twice before it counts: editors and copies leave files away or half written for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::merge::{Absences, Extent, Merged, merge, object};
use super::scan::Scanner;
use super::{Options, Snapshot};
use crate::api::parse::Parsed;
use crate::core::Fault;
use crate::files::Watch;
use crate::ports::{Change, Clock, Entry, Ledger, ObjectKey, Phase, Random, RequestBox};

/// When bad news is looked at again.
const SETTLE: Duration = Duration::from_millis(150);
/// When something is looked at again whose end no event tells: a deletion, a missing manifest under
/// `prune`, a failure of the store.
const SOON: Duration = Duration::from_secs(1);
/// When all is looked at again without an event.
const RESCAN: Duration = Duration::from_mins(1);

/// Files and directories with manifests, and the ledger in which their objects are kept.
pub struct Directory {
    /// Where the manifests are.
    pub paths: Vec<PathBuf>,
    /// Where objects are kept.
    pub ledger: Arc<dyn Ledger>,
    /// Where deletions are asked for.
    pub requests: Arc<dyn RequestBox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where uids come from.
    pub random: Arc<dyn Random>,
    /// What happens to objects without a manifest.
    pub options: Options,
}

/// What came of [`Directory::apply`].
#[derive(Debug)]
pub struct Applied {
    /// The objects whose manifests were read, good or not.
    pub keys: Vec<ObjectKey>,
    /// Problems, of objects and others.
    pub problems: Vec<String>,
}

impl Directory {
    /// Takes what the paths name into the ledger, once. Objects that they do not name stay as they
    /// are.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn apply(&self) -> Result<Applied, Fault> {
        let paths = self.paths.clone();
        let snapshot = spawn_blocking(move || super::scan(&paths)).await.map_err(|e| gone(&e))?;
        let merged = self.round(&snapshot, Extent::Part, &Absences::new()).await?;
        let bad = snapshot.problems().filter_map(|problem| problem.key.as_ref());
        let keys: BTreeSet<_> = snapshot.keys().into_iter().chain(bad).collect();
        let named = |entry: &&Entry| keys.contains(&entry.key);
        let invalid = merged.entries.iter().filter(named).filter_map(|entry| entry.invalid.clone());
        Ok(Applied {
            problems: merged.problems.iter().cloned().chain(invalid).collect(),
            keys: merged.entries.iter().filter(named).map(|entry| entry.key.clone()).collect(),
        })
    }

    /// Every object that the ledger knows, then [`Change::Listed`], then what changes.
    pub fn watch(self) -> impl Stream<Item = Change> + Send + 'static {
        let watching = Watching {
            watch: Watch::new(&self.paths),
            asked: self.requests.changes(),
            directory: self,
            scanner: Scanner::default(),
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

    /// One look, recorded.
    async fn round(
        &self,
        snapshot: &Snapshot,
        extent: Extent,
        absences: &Absences,
    ) -> Result<Merged, Fault> {
        let entries = self.ledger.entries().await?;
        let mut deletes: BTreeMap<ObjectKey, DateTime<Utc>> = BTreeMap::new();
        let found = snapshot.keys();
        for entry in entries.iter().filter(|entry| !found.contains(&entry.key)) {
            let asked = self.requests.requests(&entry.key).await?.delete;
            deletes.extend(asked.map(|at| (entry.key.clone(), at)));
        }
        let now = self.clock.now();
        let mut mint = || self.random.uuid();
        let merged = merge(&entries, snapshot, extent, &deletes, absences, now, &mut mint)?;
        for entry in merged.entries.iter().filter(|entry| merged.changed.contains(&entry.key)) {
            self.ledger.record(entry).await?;
        }
        if let Extent::Whole(_) = extent {
            self.ledger.set_problems(&merged.problems).await?;
        }
        Ok(merged)
    }
}

fn gone(e: &tokio::task::JoinError) -> Fault {
    Fault::Store { what: "the manifests".to_owned(), problem: e.to_string() }
}

struct Watching {
    directory: Directory,
    watch: Watch,
    asked: BoxStream<'static, ObjectKey>,
    scanner: Scanner,
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

impl Watching {
    /// The changes of the next look that has any.
    async fn changes(&mut self) -> Vec<Change> {
        loop {
            if let Some(next) = self.next {
                tokio::select! {
                    () = self.watch.changed() => {}
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
                    let _ = self.directory.ledger.set_problems(&[fault.to_string()]).await;
                    self.next = Some(Instant::now() + SOON);
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Vec<Change>, Fault> {
        let mut scanner = std::mem::take(&mut self.scanner);
        let paths = self.directory.paths.clone();
        let work = spawn_blocking(move || (scanner.scan(&paths), scanner));
        let (fresh, used) = work.await.map_err(|e| gone(&e))?;
        self.scanner = used;
        let snapshot = self.settled(fresh);
        let extent = Extent::Whole(self.directory.options);
        let merged = self.directory.round(&snapshot, extent, &self.absences).await?;
        let unreadable = |snapshot: &Snapshot| !snapshot.unreadable.is_empty();
        let renewed = unreadable(&snapshot) || self.last.as_ref().is_some_and(unreadable);
        if renewed {
            // A directory that was away is another one when it comes back. What was written between
            // the look and the new watch is seen by the next look, which is soon.
            self.watch.renew(&self.directory.paths);
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
