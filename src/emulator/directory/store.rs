//! Objects with the versions that reads may still see.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Versions kept of one object: the one that shows, and those that do not yet.
const HISTORY: usize = 32;

/// Objects by id.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Store<T>(BTreeMap<String, Vec<Version<T>>>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Version<T> {
    /// When it begins to show.
    shows: DateTime<Utc>,
    /// None where the object is gone for good.
    value: Option<T>,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Store<T> {
    /// The object as reads show it at `now`.
    pub(super) fn get(&self, now: DateTime<Utc>, id: &str) -> Option<&T> {
        shown(now, self.0.get(id)?)
    }

    /// All that reads show at `now`, by id.
    pub(super) fn shown(&self, now: DateTime<Utc>) -> impl Iterator<Item = &T> {
        self.0.values().filter_map(move |versions| shown(now, versions))
    }

    /// The object as last written.
    pub(super) fn last(&self, id: &str) -> Option<&T> {
        self.0.get(id)?.last()?.value.as_ref()
    }

    /// All as last written, by id.
    pub(super) fn latest(&self) -> impl Iterator<Item = &T> {
        self.0.values().filter_map(|versions| versions.last()?.value.as_ref())
    }

    /// Writes at `now` what begins to show at `shows`.
    pub(super) fn put(&mut self, now: DateTime<Utc>, shows: DateTime<Utc>, id: &str, value: T) {
        self.write(now, shows, id, Some(value));
    }

    /// Deletes at `now`; reads notice at `shows`.
    pub(super) fn remove(&mut self, now: DateTime<Utc>, shows: DateTime<Utc>, id: &str) {
        self.write(now, shows, id, None);
    }

    /// Drops at once, with all their versions, the objects whose last one does not hold.
    pub(super) fn retain(&mut self, holds: impl Fn(&T) -> bool) {
        self.0.retain(|_, versions| {
            versions.last().and_then(|last| last.value.as_ref()).is_none_or(&holds)
        });
    }

    fn write(&mut self, now: DateTime<Utc>, shows: DateTime<Utc>, id: &str, value: Option<T>) {
        let versions = self.0.entry(id.to_owned()).or_default();
        let seen = versions.iter().rposition(|version| version.shows <= now).unwrap_or_default();
        versions.drain(..seen.max((versions.len() + 1).saturating_sub(HISTORY)));
        versions.push(Version { shows, value });
        self.0.retain(|_, versions| {
            versions.last().is_some_and(|last| last.value.is_some() || last.shows > now)
        });
    }
}

fn shown<T>(now: DateTime<Utc>, versions: &[Version<T>]) -> Option<&T> {
    versions.iter().rfind(|version| version.shows <= now)?.value.as_ref()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn reads_are_late() {
        let mut store = Store::default();
        store.put(at(0), at(2), "a", 1);
        store.put(at(1), at(3), "a", 2);
        let seen = |store: &Store<i32>, second| store.get(at(second), "a").copied();
        assert_eq!([0, 1, 2, 3].map(|s| seen(&store, s)), [None, None, Some(1), Some(2)]);
        assert_eq!(store.last("a"), Some(&2));
        store.remove(at(4), at(6), "a");
        assert_eq!([5, 6].map(|s| seen(&store, s)), [Some(2), None]);
        assert_eq!(store.last("a"), None);
    }

    #[test]
    fn history_is_bounded_and_the_gone_are_forgotten() {
        let mut store = Store::default();
        for n in 0..100 {
            store.put(at(0), at(9), "a", n);
        }
        assert_eq!(store.0["a"].len(), HISTORY);
        store.put(at(20), at(22), "a", 100);
        assert_eq!(store.0["a"].len(), 2);
        store.remove(at(30), at(30), "a");
        assert!(store.0.is_empty());
    }

    proptest! {
        /// Whatever is forgotten, no read from now on is another for it.
        #[test]
        fn a_read_shows_the_last_write_that_shows(
            writes in proptest::collection::vec((0..4_i64, 0..6_i64, proptest::option::of(0..9)), 1..20),
        ) {
            let (mut store, mut all, mut now) = (Store::default(), Vec::new(), 0);
            for (gap, lag, value) in writes {
                now += gap;
                all.push((now + lag, value));
                match value {
                    Some(value) => store.put(at(now), at(now + lag), "a", value),
                    None => store.remove(at(now), at(now + lag), "a"),
                }
                for later in now..now + 8 {
                    let shown = all.iter().rfind(|(shows, _)| *shows <= later);
                    let expected = shown.and_then(|(_, value)| *value);
                    prop_assert_eq!(store.get(at(later), "a").copied(), expected);
                }
            }
        }
    }
}
