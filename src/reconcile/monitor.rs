//! What moves by itself: addresses, tags, certificates served. Noticed by one LIST a scope, as each
//! identity sees it, and one handshake an endpoint, not by a GET a group; whatever looks different wakes its object, whose pass
//! then looks properly.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::{debug, warn};

use super::container_group::served;
use super::identity::{STALE, Source};
use super::{Ctx, Resolved, Wakes};
use crate::core::Fault;
use crate::core::container_group::{Group, GroupId, Scope, Served};
use crate::ports::{Azure, ObjectKey};

/// Time between two LISTs of a scope: at least this, and up to [`LIST_SPREAD`] more.
const LIST_EVERY: Duration = Duration::from_secs(15);
const LIST_SPREAD: Duration = Duration::from_secs(10);
/// LISTs may take a fifth of ARM's read bucket, which refills at 25 a second.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const LISTS_A_SECOND: u64 = 5;
/// Identities that list at one time.
const LISTERS: usize = 16;
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

/// A subscription and a resource group.
type Place = (String, String);

#[derive(Clone, Debug)]
struct Sighting {
    id: GroupId,
    /// Whose identity saw it.
    source: Source,
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
        source: Source,
        id: &GroupId,
        group: Option<&Group>,
        endpoint: Option<Endpoint>,
        served: &Served,
    ) {
        let mut groups = self.lock();
        let listed = groups.get(key).and_then(|sighting| sighting.listed);
        let got = group.map(fingerprint);
        let (id, served) = (id.clone(), served.clone());
        let sighting = Sighting { id, source, got, listed, endpoint, served };
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

    /// Objects of `scope` that a LIST shows otherwise than they were seen before. A LIST shows what one may
    /// read, so it says nothing of objects of other sources.
    fn compare(&self, sources: &BTreeSet<Source>, scope: &Scope, list: &[Group]) -> Vec<ObjectKey> {
        let found: BTreeMap<String, u64> =
            list.iter().map(|group| (group.id.to_lowercase(), fingerprint(group))).collect();
        let mut news = Vec::new();
        let meant = |s: &Sighting| sources.contains(&s.source) && within(&s.id, scope);
        for (key, sighting) in self.lock().iter_mut().filter(|(_, s)| meant(s)) {
            let listed = found.get(&sighting.id.to_string().to_lowercase()).copied();
            let known = listed == sighting.got || (listed.is_some() && listed == sighting.listed);
            if !known {
                news.push(key.clone());
            }
            sighting.listed = listed;
        }
        news
    }

    /// Subscriptions and resource groups, by whose identity saw groups there.
    fn places(&self) -> BTreeMap<Source, BTreeSet<Place>> {
        let mut places: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for Sighting { source, id, .. } in self.lock().values() {
            let place = (id.subscription.clone(), id.resource_group.clone());
            places.entry(source.clone()).or_default().insert(place);
        }
        places
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

/// What one identity looks after.
struct View {
    azure: Azure,
    /// The sources that lead to it.
    sources: BTreeSet<Source>,
    places: BTreeSet<Place>,
}

/// Looks for drift, for ever.
pub(super) async fn watch_drift(ctx: &Ctx, wakes: &Wakes) {
    // Principals and subscriptions of which their rights allow no LIST: the resource groups are listed one
    // by one.
    let mut narrow = BTreeSet::new();
    let mut most = 0;
    loop {
        // Looked up after the pause: the first passes run during the first one.
        tokio::time::sleep(pause(most, ctx)).await;
        let views: Vec<_> =
            views(ctx).await.into_iter().map(|v| (scopes(&v, &narrow), v)).collect();
        most = views.iter().map(|(scopes, _)| scopes.len()).max().unwrap_or_default();
        // Requests of one principal are counted together, and none waits for those of another.
        let refused = stream::iter(&views)
            .map(|(scopes, view)| list(view, scopes, ctx, wakes))
            .buffer_unordered(LISTERS)
            .collect::<Vec<_>>()
            .await;
        narrow.extend(refused.into_iter().flatten());
    }
}

/// The identities that looked at groups. One whose Secret is missing or wrong is left out: passes say so.
async fn views(ctx: &Ctx) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    for (source, places) in ctx.sightings.places() {
        let found = ctx.identities.at_most(&source, STALE).await;
        let Ok(Ok(Resolved::Ready(azure))) = found else { continue };
        let same = |view: &&mut View| Arc::ptr_eq(&view.azure.groups, &azure.groups);
        match views.iter_mut().find(same) {
            Some(view) => {
                view.sources.insert(source);
                view.places.extend(places);
            }
            None => views.push(View { azure, sources: [source].into(), places }),
        }
    }
    views
}

/// LISTs, one after the other; what is refused for a whole subscription.
async fn list(
    view: &View,
    scopes: &BTreeSet<Scope>,
    ctx: &Ctx,
    wakes: &Wakes,
) -> Vec<(String, String)> {
    let mut refused = Vec::new();
    for scope in scopes {
        match (view.azure.groups.list(scope).await, scope) {
            (Ok(list), _) => {
                for key in ctx.sightings.compare(&view.sources, scope, &list) {
                    debug!(object = %key, "the drift LIST shows a change");
                    wakes.wake(&key);
                }
            }
            (Err(Fault::Forbidden { .. }), Scope::Subscription(subscription)) => {
                refused.push((view.azure.principal.clone(), subscription.clone()));
            }
            (Err(fault), _) => warn!(%fault, "the drift LIST failed"),
        }
    }
    refused
}

fn scopes(view: &View, narrow: &BTreeSet<(String, String)>) -> BTreeSet<Scope> {
    let scope = |(subscription, name): &Place| {
        if narrow.contains(&(view.azure.principal.clone(), subscription.clone())) {
            Scope::ResourceGroup { subscription: subscription.clone(), name: name.clone() }
        } else {
            Scope::Subscription(subscription.clone())
        }
    };
    view.places.iter().map(scope).collect()
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
