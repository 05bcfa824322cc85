//! The imperative shell: the same few lines for every kind.
//!
//! ```text
//! source ─ Change ─→ reflector → queue ← wakes: references, requests, drift LIST, endpoint probe
//!                                  │  one pass an object at a time, bounded concurrency
//!                                  ▼
//! pass: requests → resolve (reads) → observe (reads) → plan (pure) → claim, remember
//!                                                      → perform (at most ONE write) → publish
//! ```
//!
//! **Invariant:** a pass never learns which event woke it; it looks and decides anew.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;

use crate::api::{AppRegistration, ContainerGroup, Issuer};
use crate::metrics::Metrics;
use crate::ports::{Authority, Clock, Ledger, ObjectKey, Probe, Random, RequestBox, Secrets};

mod app_registration;
pub mod container_group;
mod edges;
pub mod identity;
mod issuer;
mod kind;
mod monitor;
mod pass;
mod run;

pub use identity::Identities;
pub use kind::{Kind, Resolved};
pub use monitor::Sightings;
pub use pass::{Outcome, pass};
pub use run::run;

/// All that the loop works with.
#[derive(Clone)]
pub struct Ctx {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Azure, as each object's identity sees it.
    pub identities: Arc<Identities>,
    /// Handshakes.
    pub probe: Arc<dyn Probe>,
    /// Keys and certificates.
    pub authority: Arc<dyn Authority>,
    /// Entries, memory, status, events.
    pub ledger: Arc<dyn Ledger>,
    /// Secret texts and key pairs.
    pub secrets: Arc<dyn Secrets>,
    /// What people ask.
    pub requests: Arc<dyn RequestBox>,
    /// Identity of this home: the first half of the owner tag.
    pub home_id: String,
    /// ARM id of the container group that the operator itself runs in.
    pub own_group: Option<String>,
    /// Counters.
    pub metrics: Metrics,
    /// What the passes saw, for the monitors.
    pub sightings: Arc<Sightings>,
}

/// Wakes objects, by kind.
#[derive(Clone)]
pub(crate) struct Wakes {
    groups: mpsc::UnboundedSender<ObjectKey>,
    issuers: mpsc::UnboundedSender<ObjectKey>,
    registrations: mpsc::UnboundedSender<ObjectKey>,
}

impl Wakes {
    /// Puts an object into its queue. A loop that has ended needs no waking.
    fn wake(&self, key: &ObjectKey) {
        let queue = match key.kind.as_str() {
            ContainerGroup::KIND => &self.groups,
            Issuer::KIND => &self.issuers,
            AppRegistration::KIND => &self.registrations,
            _ => return,
        };
        let _ = queue.unbounded_send(key.clone());
    }
}

/// Passes under way at one time, of each kind.
const CONCURRENCY: u16 = 16;
/// How long a reference that is not there is waited for, if nothing says that it came.
const REFERENCE_WAIT: Duration = Duration::from_secs(30);
