//! What each principal asked to do so far, and whether it might: so that a test can say that a role is
//! enough, and not more than enough.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{Principal, Right};

/// What one principal asked for since local Azure's start.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Access {
    /// An application's client id, a user's name.
    pub name: String,
    /// Actions that it might do, and how often it did.
    pub allowed: BTreeMap<String, u64>,
    /// Actions that it might not do, and how often it tried.
    pub refused: BTreeMap<String, u64>,
}

/// By object id.
pub type Accesses = BTreeMap<Uuid, Access>;

/// Remembers every decision of this run.
#[derive(Default)]
pub(super) struct AccessLog(Mutex<Accesses>);

impl AccessLog {
    /// Notes one decision.
    pub(super) fn note(&self, principal: &Principal, right: Right<'_>, allowed: bool) {
        let (Right::Action(action) | Right::Data(action)) = right;
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let access = log.entry(principal.object).or_default();
        access.name.clone_from(&principal.name);
        let counts = if allowed { &mut access.allowed } else { &mut access.refused };
        *counts.entry(action.to_owned()).or_default() += 1;
    }

    /// All of it.
    pub(super) fn all(&self) -> Accesses {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets it, as a reset does.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
