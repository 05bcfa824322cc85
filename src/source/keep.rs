//! Taking manifests into the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::merge::{Absences, Extent, Merged, merge};
use super::{Options, Snapshot};
use crate::core::Fault;
use crate::ports::{Clock, Entry, Ledger, ObjectKey, Random, RequestBox};

/// The ledger in which the objects of a source are kept, and what goes with it.
#[derive(Clone)]
pub struct Keep {
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

/// What came of an apply.
#[derive(Debug)]
pub struct Applied {
    /// The objects whose manifests were read, good or not.
    pub keys: Vec<ObjectKey>,
    /// Problems, of objects and others.
    pub problems: Vec<String>,
}

impl Keep {
    /// Takes a snapshot into the ledger, once. Objects that it does not name stay as they are.
    pub(super) async fn apply(&self, snapshot: &Snapshot) -> Result<Applied, Fault> {
        let merged = self.round(snapshot, Extent::Part, &Absences::new()).await?;
        let bad = snapshot.problems().filter_map(|problem| problem.key.as_ref());
        let keys: BTreeSet<_> = snapshot.keys().into_iter().chain(bad).collect();
        let named = |entry: &&Entry| keys.contains(&entry.key);
        let invalid = merged.entries.iter().filter(named).filter_map(|entry| entry.invalid.clone());
        Ok(Applied {
            problems: merged.problems.iter().cloned().chain(invalid).collect(),
            keys: merged.entries.iter().filter(named).map(|entry| entry.key.clone()).collect(),
        })
    }

    /// One look, recorded.
    pub(super) async fn round(
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
