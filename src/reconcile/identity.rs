//! Whose identity works for an object: that of the Secret which it names, else of its namespace's, else
//! the operator's own.
//!
//! A Secret is not watched. It is read when a pass needs it, and not again for a minute, so that many
//! objects of one namespace cost one read a minute. It is no part of the object: a change of it counts
//! from the next pass on, and what it leads to, a subscription or a tenant, was pinned before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex as AsyncMutex;

use super::Resolved;
use crate::api::ObjectReference;
use crate::core::{Credential, Fault, Invalid};
use crate::ports::{Azure, Clients, Clock, ObjectKey, Secrets};

/// The Secret whose identity works for all objects of its namespace that name none.
pub const NAMESPACE_SECRET: &str = "aci-operator-identity";

/// For how long a pass believes what it read of a Secret.
const FRESH: Duration = Duration::from_mins(1);
/// For how long what looks on all the time, and not for an object, believes it.
pub(super) const STALE: Duration = Duration::from_mins(10);
/// For how long a Secret that is missing or wrong is not asked for again, whoever asks.
const PROBLEM: Duration = Duration::from_secs(10);

/// Where the identity of an object comes from.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Source {
    namespace: Option<String>,
    /// The Secret that the object names; without one, that of the namespace.
    secret: Option<String>,
}

impl Source {
    /// That of an object which names this Secret, or none.
    pub fn of(object: &ObjectKey, named: Option<&str>) -> Self {
        Self { namespace: object.namespace.clone(), secret: named.map(str::to_owned) }
    }

    /// That of an object whose spec has this reference.
    pub(super) fn named(object: &ObjectKey, reference: Option<&ObjectReference>) -> Self {
        Self::of(object, reference.map(|reference| reference.name.as_str()))
    }
}

/// What a source gave.
type Found = Result<Resolved<Azure>, Invalid>;

/// When, and what.
type Read = Option<(DateTime<Utc>, Found)>;

/// The identities of all objects.
pub struct Identities {
    clients: Arc<dyn Clients>,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    /// Each behind a lock of its own, so that many passes at once read a Secret once.
    read: Mutex<HashMap<Source, Arc<AsyncMutex<Read>>>>,
}

impl Identities {
    /// Nothing is read yet.
    pub fn new(
        clients: Arc<dyn Clients>,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { clients, secrets, clock, read: Mutex::default() }
    }

    /// Azure as the operator itself sees it.
    pub fn own(&self) -> Azure {
        self.clients.own()
    }

    /// Azure as the identity of `source` sees it.
    ///
    /// # Errors
    /// The Secret cannot be read; the inner error is that it was, and is wrong.
    pub async fn of(&self, source: &Source) -> Result<Found, Fault> {
        self.at_most(source, FRESH).await
    }

    /// The same, of a reading that may be so old.
    pub(super) async fn at_most(&self, source: &Source, age: Duration) -> Result<Found, Fault> {
        if source.secret.is_none() && source.namespace.is_none() {
            return Ok(Ok(Resolved::Ready(self.own())));
        }
        let slot = self.slot(source);
        let mut read = slot.lock().await;
        let now = self.clock.now();
        if let Some((at, found)) = &*read {
            let age = if matches!(found, Ok(Resolved::Ready(_))) { age } else { PROBLEM };
            // A clock that was set back makes nothing young.
            if (now - *at).to_std().is_ok_and(|old| old < age) {
                return Ok(found.clone());
            }
        }
        let found = self.look(source).await?;
        *read = Some((now, found.clone()));
        Ok(found)
    }

    fn slot(&self, source: &Source) -> Arc<AsyncMutex<Read>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.contains_key(source) {
            let now = self.clock.now();
            let old = |read: &Read| {
                read.as_ref().is_none_or(|(at, _)| (now - *at).to_std().is_ok_and(|o| o > STALE))
            };
            // Whoever holds a slot is reading, or is about to.
            read.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|read| !old(&read))
            });
        }
        read.entry(source.clone()).or_default().clone()
    }

    async fn look(&self, source: &Source) -> Result<Found, Fault> {
        let name = source.secret.as_deref().unwrap_or(NAMESPACE_SECRET);
        let keys = self.secrets.secret(source.namespace.as_deref(), name).await?;
        let wrong = |problem: String| {
            Err(Invalid::new("spec.identityRef", format!("the secret `{name}` {problem}")))
        };
        Ok(match keys.as_ref().map(Credential::read) {
            None if source.secret.is_none() => Ok(Resolved::Ready(self.own())),
            None => Ok(Resolved::Missing(missing(name))),
            Some(Ok(credential)) => match self.clients.of(&credential) {
                Ok(azure) => Ok(Resolved::Ready(azure)),
                Err(problem) => wrong(problem),
            },
            Some(Err(unusable)) => wrong(unusable.to_string()),
        })
    }
}

fn missing(name: &str) -> String {
    format!(
        "there is no secret `{name}` for `spec.identityRef`: `aci-operator secret set {name} \
         AZURE_CLIENT_ID` and so on"
    )
}
