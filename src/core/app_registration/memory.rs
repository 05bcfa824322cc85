//! What one pass leaves for the next.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Properties, Step, Which};
use crate::core::Fault;

/// What the operator remembers of an app registration. It steers waits, and tells what we placed from
/// what somebody else did.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// Of the API's application.
    pub api: AppMemory,
    /// Of Swagger's.
    pub swagger: AppMemory,
    /// Origins of the group that are or were redirect URIs.
    pub origins: BTreeMap<String, Origin>,
    /// Application ids that are or were Swagger's.
    pub clients: BTreeSet<String>,
    /// Our last write of the consent.
    pub consented: Option<DateTime<Utc>>,
    /// We gave consent, and may have to take it back.
    pub consent_is_ours: bool,
}

/// What is remembered of one application.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AppMemory {
    /// Our writes that a read may not show yet, oldest first.
    pub writes: Vec<Write>,
    /// Our last creation or restoration.
    pub made: Option<DateTime<Utc>>,
    /// Our last deletion.
    pub deleted: Option<DateTime<Utc>>,
    /// Our last creation or restoration of the service principal.
    pub principal: Option<DateTime<Utc>>,
    /// Since when Graph has not shown it although it was there.
    pub absent: Option<DateTime<Utc>>,
    /// Its name is held by a deleted object.
    pub name_taken: bool,
    /// Redirect URIs that we registered, from before the write until they are seen gone.
    pub placed: BTreeSet<String>,
    /// What was wanted when it was last so.
    pub settled: Option<Properties>,
    /// What Graph keeps against ours.
    pub kept: Option<Kept>,
}

/// A write of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Write {
    /// When.
    pub at: DateTime<Utc>,
    /// What was there before, as far as known.
    pub before: Properties,
    /// What was written.
    pub after: Properties,
    /// Graph said yes.
    pub accepted: bool,
    /// A read has shown it: what differs later is somebody's doing.
    #[serde(default)]
    pub seen: bool,
}

/// Values that Graph keeps against ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Kept {
    /// What we wrote.
    pub want: Properties,
    /// What Graph shows.
    pub have: Properties,
}

/// An origin of the group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Origin {
    /// It is a name that the user owns.
    pub host: bool,
    /// Since when the group has not served it.
    pub lost: Option<DateTime<Utc>>,
}

/// For how long a read may be older than a write of ours. Entra ID's replicas follow within seconds,
/// now and then a minute.
/// <https://learn.microsoft.com/entra/architecture/architecture>
pub(super) const STALE: TimeDelta = TimeDelta::seconds(60);

/// Whether a write that happened then may not be shown yet.
pub(super) fn is_recent(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    at.is_some_and(|at| now < at + STALE)
}

impl Memory {
    /// Of one application.
    pub fn of(&self, which: Which) -> &AppMemory {
        match which {
            Which::Api => &self.api,
            Which::Swagger => &self.swagger,
        }
    }

    /// Of one application, to be changed.
    pub fn of_mut(&mut self, which: Which) -> &mut AppMemory {
        match which {
            Which::Api => &mut self.api,
            Which::Swagger => &mut self.swagger,
        }
    }

    /// Origins that are redirect URIs because of the group.
    pub fn place(&mut self, origins: impl IntoIterator<Item = String>) {
        let origin = |name| (name, Origin { host: false, lost: None });
        self.origins.extend(origins.into_iter().map(origin));
    }

    /// Notes a step before it is taken: a crash in between costs a wait, no second write.
    pub(super) fn note(&mut self, step: &Step, now: DateTime<Utc>) {
        match step {
            Step::Create { which, properties, .. } => {
                let app = self.of_mut(*which);
                let before = Properties::default();
                app.write(now, before, (**properties).clone());
                app.made = Some(now);
                (app.absent, app.deleted) = (None, None);
            }
            Step::Update { which, properties, before, .. } => {
                self.of_mut(*which).write(now, (**before).clone(), (**properties).clone());
            }
            Step::CreatePrincipal { which, .. } | Step::RestorePrincipal { which, .. } => {
                self.of_mut(*which).principal = Some(now);
            }
            Step::Restore { which, .. } => {
                let app = self.of_mut(*which);
                (app.made, app.absent, app.deleted) = (Some(now), None, None);
            }
            Step::Delete { which, .. } => {
                let app = self.of_mut(*which);
                // Restored one day, it comes back with its redirect URIs.
                let placed = std::mem::take(&mut app.placed);
                *app = AppMemory { deleted: Some(now), placed, ..AppMemory::default() };
            }
            Step::Consent { .. } => (self.consented, self.consent_is_ours) = (Some(now), true),
            // What an administrator gave, and we widened, stays an administrator's.
            Step::ChangeConsent { .. } | Step::RevokeConsent { .. } => self.consented = Some(now),
        }
    }
}

impl AppMemory {
    fn write(&mut self, at: DateTime<Utc>, before: Properties, after: Properties) {
        self.writes.push(Write { at, before, after, accepted: false, seen: false });
    }

    /// Forgets writes that every read shows by now. What Graph accepted and has never shown is Graph's
    /// to decide: writing it again would go on for ever.
    pub(super) fn expire(&mut self, read: &Properties, now: DateTime<Utc>) {
        for write in &mut self.writes {
            write.seen |= write.after.differing_from(read).is_empty();
        }
        let old = self.writes.iter().take_while(|write| now >= write.at + STALE).count();
        let old: Vec<Write> = self.writes.drain(..old).collect();
        if let (Some(write), true) = (old.last(), self.writes.is_empty())
            && write.accepted
            && !write.seen
        {
            let want = write.after.differing_from(read);
            let have = want.of_same_names(read);
            self.kept = (!want.is_empty()).then_some(Kept { want, have });
        }
    }
}

/// What an application is, from a read that may be older than our writes.
#[must_use]
pub fn believed(read: &Properties, memory: &AppMemory) -> Properties {
    let write = |all: Properties, write: &Write| all.with_write(&write.before, &write.after);
    memory.writes.iter().fold(read.clone(), write)
}

/// What carrying out a step showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It was accepted.
    Accepted,
    /// A deleted object holds the application's name.
    NameTaken,
}

/// The memory after a step was carried out.
#[must_use]
pub fn settle(mut memory: Memory, step: &Step, result: &Result<Effect, Fault>) -> Memory {
    let refused = match result {
        Ok(Effect::NameTaken) => true,
        Ok(Effect::Accepted) => false,
        Err(fault) if fault.is_refusal() => true,
        // Nobody knows: it is as if it had happened, until reads show otherwise.
        Err(_) => return memory,
    };
    match step {
        Step::Create { which, .. } => {
            let app = memory.of_mut(*which);
            app.name_taken = *result == Ok(Effect::NameTaken);
            app.answered(refused);
            app.made = app.made.filter(|_| !refused);
        }
        Step::Update { which, .. } => memory.of_mut(*which).answered(refused),
        Step::Restore { which, .. } if refused => memory.of_mut(*which).made = None,
        Step::CreatePrincipal { which, .. } | Step::RestorePrincipal { which, .. } if refused => {
            memory.of_mut(*which).principal = None;
        }
        Step::RestorePrincipal { which, .. } => memory.of_mut(*which).name_taken = false,
        Step::Delete { which, .. } if refused => memory.of_mut(*which).deleted = None,
        Step::Consent { .. } if refused => {
            (memory.consented, memory.consent_is_ours) = (None, false);
        }
        Step::ChangeConsent { .. } | Step::RevokeConsent { .. } if refused => {
            memory.consented = None;
        }
        Step::RevokeConsent { .. } => memory.consent_is_ours = false,
        _ => {}
    }
    memory
}

impl AppMemory {
    /// The last write was answered.
    fn answered(&mut self, refused: bool) {
        if refused {
            self.writes.pop();
        } else if let Some(write) = self.writes.last_mut() {
            write.accepted = true;
        }
    }
}
