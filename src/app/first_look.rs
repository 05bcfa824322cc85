//! When the daemon is ready: once it has looked at all that there was when it started.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::http::Readiness;
use crate::ports::{Change, ObjectKey};

/// The objects that there were at the start and have had no pass yet.
pub(super) struct FirstLook {
    readiness: Readiness,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: BTreeSet<ObjectKey>,
    listed: bool,
}

impl FirstLook {
    /// Tells `readiness`.
    pub(super) fn new(readiness: Readiness) -> Self {
        Self { readiness, state: Mutex::default() }
    }

    /// What the source of manifests says.
    pub(super) fn told(&self, change: &Change) {
        self.change(|state| match change {
            Change::Apply(object) if !state.listed => {
                state.waiting.insert(object.key());
            }
            Change::Apply(_) => {}
            Change::Listed => state.listed = true,
            Change::Delete(key) => {
                state.waiting.remove(key);
            }
        });
    }

    /// A pass over an object has ended.
    pub(super) fn passed(&self, key: &ObjectKey) {
        self.change(|state| {
            state.waiting.remove(key);
        });
    }

    fn change(&self, with: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut state);
        self.readiness.set(state.listed && state.waiting.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Object;

    fn issuer(name: &str) -> Change {
        let manifest = json!({"apiVersion": "aci-operator.io/v1alpha1", "kind": "Issuer",
            "metadata": {"name": name}, "spec": {"localCA": {}}});
        Change::Apply(Box::new(Object::Issuer(serde_json::from_value(manifest).unwrap())))
    }

    #[test]
    fn ready_after_a_pass_over_all_that_there_was() {
        let readiness = Readiness::default();
        let look = FirstLook::new(readiness.clone());
        look.told(&issuer("a"));
        look.told(&issuer("b"));
        look.passed(&ObjectKey::new("Issuer", "a"));
        look.told(&Change::Listed);
        assert!(!readiness.get());
        look.passed(&ObjectKey::new("Issuer", "b"));
        assert!(readiness.get());
        look.told(&issuer("c"));
        assert!(readiness.get(), "what comes later is work, not the start");
    }

    #[test]
    fn an_empty_directory_is_looked_at_at_once() {
        let readiness = Readiness::default();
        FirstLook::new(readiness.clone()).told(&Change::Listed);
        assert!(readiness.get());
    }
}
