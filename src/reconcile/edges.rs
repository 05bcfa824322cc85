//! Who refers to whom, both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::ObjectKey;

/// The references between the objects that there are: who is to be woken costs as much as it wakes, not
/// a look at all objects.
#[derive(Debug, Default)]
pub(super) struct Edges(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What an object refers to.
    named: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Who refers to an object.
    consumers: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
}

impl Edges {
    /// An object refers to `named`, and to nothing else any more.
    pub(super) fn set(&self, object: &ObjectKey, named: impl IntoIterator<Item = ObjectKey>) {
        let mut state = self.lock();
        state.remove(object);
        let named: BTreeSet<_> = named.into_iter().collect();
        for one in &named {
            state.consumers.entry(one.clone()).or_default().insert(object.clone());
        }
        if !named.is_empty() {
            state.named.insert(object.clone(), named);
        }
    }

    /// The object is gone.
    pub(super) fn remove(&self, object: &ObjectKey) {
        self.lock().remove(object);
    }

    /// What an object refers to.
    pub(super) fn named(&self, object: &ObjectKey) -> BTreeSet<ObjectKey> {
        self.lock().named.get(object).cloned().unwrap_or_default()
    }

    /// Who refers to an object.
    pub(super) fn consumers(&self, object: &ObjectKey) -> BTreeSet<ObjectKey> {
        self.lock().consumers.get(object).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, a wake is late by a look's time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, object: &ObjectKey) {
        for one in self.named.remove(object).into_iter().flatten() {
            if let Some(consumers) = self.consumers.get_mut(&one) {
                consumers.remove(object);
                if consumers.is_empty() {
                    self.consumers.remove(&one);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("Issuer", name)
    }

    #[test]
    fn both_ways_say_the_same_and_nothing_is_left_behind() {
        let edges = Edges::default();
        edges.set(&key("a"), [key("x"), key("y")]);
        edges.set(&key("b"), [key("x")]);
        assert_eq!(edges.consumers(&key("x")), [key("a"), key("b")].into());
        assert_eq!(edges.named(&key("a")), [key("x"), key("y")].into());
        edges.set(&key("a"), [key("y")]);
        assert_eq!(edges.consumers(&key("x")), [key("b")].into());
        assert_eq!(edges.consumers(&key("y")), [key("a")].into());
        edges.remove(&key("a"));
        edges.set(&key("b"), []);
        assert!(edges.lock().named.is_empty() && edges.lock().consumers.is_empty());
    }
}
