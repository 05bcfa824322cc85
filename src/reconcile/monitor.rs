//! What moves by itself: addresses, tags, certificates served. Noticed by one LIST a scope and one
//! handshake an endpoint, not by a GET a group; whatever looks different wakes its object, whose pass
//! then looks properly.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::{debug, warn};

use super::container_group::served;
use super::{Ctx, Wakes};
use crate::core::Fault;
use crate::core::container_group::{Group, GroupId, Scope, Served};
use crate::ports::ObjectKey;

/// Time between two LISTs of a scope: at least this, and up to [`LIST_SPREAD`] more.
const LIST_EVERY: Duration = Duration::from_secs(15);
const LIST_SPREAD: Duration = Duration::from_secs(10);
/// LISTs may take a fifth of ARM's read bucket, which refills at 25 a second.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const LISTS_A_SECOND: u64 = 5;
/// Time between two handshakes with an endpoint.
const PROBE_EVERY: Duration = Duration::from_secs(15);
/// Handshakes at one time.
const PROBES: usize = 32;

/// Where a group's sidecar answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) server_name: String,
}

/// What was last seen of each group, by whoever looked.
#[derive(Debug, Default)]
pub struct Sightings {
    groups: Mutex<BTreeMap<ObjectKey, Sighting>>,
}

#[derive(Clone, Debug)]
struct Sighting {
    id: GroupId,
    /// Fingerprint of the group as a pass saw it.
    got: Option<u64>,
    /// Fingerprint of the group in the last LIST. It may differ from `got` for good, if LIST spells
    /// something its own way: only a change is news.
    listed: Option<u64>,
    endpoint: Option<Endpoint>,
    served: Served,
}

impl Sightings {
    /// A pass saw this.
    pub(super) fn see(
        &self,
        key: &ObjectKey,
        id: &GroupId,
        group: Option<&Group>,
        endpoint: Option<Endpoint>,
        served: &Served,
    ) {
        let mut groups = self.lock();
        let listed = groups.get(key).and_then(|sighting| sighting.listed);
        let got = group.map(fingerprint);
        let sighting = Sighting { id: id.clone(), got, listed, endpoint, served: served.clone() };
        groups.insert(key.clone(), sighting);
    }

    /// The object is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Sighting>> {
        // Nothing panics while it is held; if something did, what was seen is still true.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Objects of `scope` that a LIST shows otherwise than they were seen before.
    fn compare(&self, scope: &Scope, list: &[Group]) -> Vec<ObjectKey> {
        let found: BTreeMap<String, u64> =
            list.iter().map(|group| (group.id.to_lowercase(), fingerprint(group))).collect();
        let mut news = Vec::new();
        for (key, sighting) in self.lock().iter_mut().filter(|(_, s)| within(&s.id, scope)) {
            let listed = found.get(&sighting.id.to_string().to_lowercase()).copied();
            let known = listed == sighting.got || (listed.is_some() && listed == sighting.listed);
            if !known {
                news.push(key.clone());
            }
            sighting.listed = listed;
        }
        news
    }

    fn scopes(&self) -> BTreeSet<(String, String)> {
        let pair = |sighting: &Sighting| {
            (sighting.id.subscription.clone(), sighting.id.resource_group.clone())
        };
        self.lock().values().map(pair).collect()
    }

    fn endpoints(&self) -> Vec<(ObjectKey, Endpoint, Served)> {
        let with_endpoint = |(key, s): (&ObjectKey, &Sighting)| {
            Some((key.clone(), s.endpoint.clone()?, s.served.clone()))
        };
        self.lock().iter().filter_map(with_endpoint).collect()
    }
}

fn within(id: &GroupId, scope: &Scope) -> bool {
    match scope {
        Scope::Subscription(subscription) => *subscription == id.subscription,
        Scope::ResourceGroup { subscription, name } => {
            *subscription == id.subscription && name.eq_ignore_ascii_case(&id.resource_group)
        }
    }
}

/// What both GET and LIST show of a group: the instance view is left out.
fn fingerprint(group: &Group) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&group.tags, group.ip, &group.fqdn, group.provisioning.to_string()).hash(&mut hasher);
    group.properties.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Looks for drift, for ever.
pub(super) async fn watch_drift(ctx: &Ctx, wakes: &Wakes) {
    // Subscriptions of which our rights allow no LIST: their resource groups are listed one by one.
    let mut narrow = BTreeSet::new();
    let mut listed = 0;
    loop {
        // Looked up after the pause: the first passes run during the first one.
        tokio::time::sleep(pause(listed, ctx)).await;
        let scopes = scopes(&ctx.sightings.scopes(), &narrow);
        listed = scopes.len();
        for scope in scopes {
            match ctx.groups.list(&scope).await {
                Ok(list) => {
                    for key in ctx.sightings.compare(&scope, &list) {
                        debug!(object = %key, "the drift LIST shows a change");
                        wakes.wake(&key);
                    }
                }
                Err(Fault::Forbidden { .. }) if matches!(scope, Scope::Subscription(_)) => {
                    if let Scope::Subscription(subscription) = scope {
                        narrow.insert(subscription);
                    }
                }
                Err(fault) => warn!(%fault, "the drift LIST failed"),
            }
        }
    }
}

fn scopes(seen: &BTreeSet<(String, String)>, narrow: &BTreeSet<String>) -> BTreeSet<Scope> {
    let scope = |(subscription, name): &(String, String)| {
        if narrow.contains(subscription) {
            Scope::ResourceGroup { subscription: subscription.clone(), name: name.clone() }
        } else {
            Scope::Subscription(subscription.clone())
        }
    };
    seen.iter().map(scope).collect()
}

fn pause(scopes: usize, ctx: &Ctx) -> Duration {
    let least = Duration::from_secs(u64::try_from(scopes).unwrap_or(u64::MAX) / LISTS_A_SECOND);
    let mut byte = [128];
    // Without randomness there is no spread, and that is all.
    let _ = ctx.random.fill(&mut byte);
    let spread = LIST_SPREAD * u32::from(byte[0]) / 256;
    (LIST_EVERY + spread).max(least)
}

/// Looks at what is served, for ever.
pub(super) async fn watch_endpoints(ctx: &Ctx, wakes: &Wakes) {
    loop {
        tokio::time::sleep(PROBE_EVERY).await;
        stream::iter(ctx.sightings.endpoints())
            .for_each_concurrent(PROBES, |(key, endpoint, before)| async move {
                let now = served(Some(&endpoint), ctx).await;
                if differs(&before, &now) {
                    debug!(object = %key, "the endpoint probe shows a change");
                    wakes.wake(&key);
                }
            })
            .await;
    }
}

/// A failure is news each time after a success; its words are not.
fn differs(before: &Served, now: &Served) -> bool {
    match (before, now) {
        (Served::Unreachable(_), Served::Unreachable(_)) => false,
        _ => before != now,
    }
}
