//! The leaf: which names it should carry, whether it is live, and how it gets there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};

use super::desired::tags;
use super::memory::Trial;
use super::{Desired, Group, IssuerView, Observed, Served, Step, StoredLeaf, TlsDesired};
use crate::core::certificate::{self, LeafRequest, Names, Violation};
use crate::core::issuer::Constraints;
use crate::core::sidecar;

/// Failures of exec in a row after which it counts as not available.
pub(super) const TRIALS: u32 = 3;

/// The names of the leaf, and the wanted ones that the root may not sign.
pub(super) struct Wanted {
    pub(super) names: Names,
    pub(super) excluded: BTreeSet<String>,
}

/// The user's hosts and localhost; FQDN and address once ARM has assigned both, so that a new group
/// needs two leaves and not three.
pub(super) fn wanted(tls: &TlsDesired, observed: &Observed) -> Wanted {
    let group = observed.group.as_ref();
    let mut dns = tls.hosts.clone();
    dns.insert("localhost".to_owned());
    let mut ip: BTreeSet<IpAddr> = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into();
    let assigned = group.and_then(|group| Some((group.ip?, &group.fqdn)));
    if let Some((address, fqdn)) = assigned {
        ip.insert(address);
        dns.extend(fqdn.clone());
    }
    let mut excluded = BTreeSet::new();
    if let IssuerView::Local { constraints, .. } = &tls.issuer {
        excluded = exclude(constraints, &mut dns, &mut ip);
    }
    let mut names = Names { dns, ip };
    // Without an address a leaf that names the last one besides is as good: the next may be the same.
    if let Some(stored) = observed.leaf.as_ref().map(|leaf| &leaf.facts.leaf.names)
        && assigned.is_none()
        && names.dns.is_subset(&stored.dns)
        && names.ip.is_subset(&stored.ip)
    {
        names.clone_from(stored);
    }
    Wanted { names, excluded }
}

fn exclude(
    constraints: &Constraints,
    dns: &mut BTreeSet<String>,
    ip: &mut BTreeSet<IpAddr>,
) -> BTreeSet<String> {
    ip.retain(|address| constraints.permit_address(address));
    let (fine, excluded) =
        std::mem::take(dns).into_iter().partition(|n| constraints.permit_name(n));
    *dns = fine;
    excluded
}

/// Why the stored leaf must be replaced.
pub(super) fn violation(
    desired: &Desired,
    tls: &TlsDesired,
    names: &Names,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Option<Violation> {
    let stored = observed.leaf.as_ref().map(|leaf| &leaf.facts);
    match &tls.issuer {
        IssuerView::Local { key, .. } => {
            let wanted = certificate::Desired {
                names: names.clone(),
                issuer_key: key.clone(),
                algorithm: tls.algorithm,
                life: tls.life,
                uid: desired.uid.clone(),
                renew_requested: observed.requests.renew,
            };
            certificate::violation(&wanted, stored, now)
        }
        IssuerView::Provided { failed: Some(_), .. } => None,
        IssuerView::Provided { fingerprint, .. } => {
            let same = stored.is_some_and(|facts| facts.leaf.fingerprint == *fingerprint);
            let message = "the provided certificate is a new one".to_owned();
            (!same).then_some(Violation { message, usable: stored.is_some() })
        }
    }
}

/// Whether the stored leaf was issued in this very second. Generations count seconds, and one ahead of
/// the clock would be newer than a renewal that is asked for right after it.
pub(super) fn too_soon(observed: &Observed, now: DateTime<Utc>) -> bool {
    observed.leaf.as_ref().is_some_and(|leaf| leaf.pair.generation == now.timestamp())
}

/// The step that stores the next leaf. Its generation is newer than that of the present one even if
/// the clock went back.
pub(super) fn issue(
    tls: &TlsDesired,
    names: Names,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Step {
    let newer = observed.leaf.as_ref().map(|leaf| leaf.pair.generation + 1);
    // A renewal is asked for by the end of its second, and met by what is issued for it.
    let asked = observed.requests.renew.filter(|asked| *asked <= now + TimeDelta::seconds(1));
    let asked = asked.map(|asked| asked.timestamp());
    let generation = now.timestamp().max(newer.unwrap_or(i64::MIN)).max(asked.unwrap_or(i64::MIN));
    match &tls.issuer {
        IssuerView::Local { .. } => Step::IssueLeaf(LeafRequest {
            names,
            algorithm: tls.algorithm,
            now: DateTime::from_timestamp(generation, 0).unwrap_or(now),
            life: tls.life,
        }),
        IssuerView::Provided { pair, .. } => {
            Step::StoreLeaf(Box::new(certificate::Pair { generation, ..(**pair).clone() }))
        }
    }
}

/// Whether the stored leaf is the one that clients get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Liveness {
    /// A handshake saw it.
    Seen,
    /// It is known to be in the sidecar, but no handshake is possible from here; why.
    Believed(String),
    /// Clients get another one; what is known of it.
    Other(String),
}

/// Start of the sidecar's present run.
pub fn sidecar_start(group: &Group) -> Option<DateTime<Utc>> {
    group.containers.iter().find(|c| c.name == sidecar::CONTAINER).and_then(|c| c.started)
}

/// Whether the stored leaf is live.
pub(super) fn liveness(group: &Group, leaf: &StoredLeaf, observed: &Observed) -> Liveness {
    let facts = &leaf.facts.leaf;
    match &observed.served {
        Served::Leaf { fingerprint, .. } if *fingerprint == facts.fingerprint => Liveness::Seen,
        Served::Leaf { serial, .. } => Liveness::Other(format!("serial {serial} is served")),
        Served::NotTried | Served::Unreachable(_) => {
            let why = match &observed.served {
                Served::Unreachable(why) => why.clone(),
                _ => "the group has no address".to_owned(),
            };
            let start = sidecar_start(group);
            let read_back =
                observed.memory.live.as_ref().is_some_and(|live| {
                    live.start == start && live.generation == leaf.pair.generation
                });
            if read_back || baked(group).is_some_and(|(serial, _)| serial == facts.serial) {
                return Liveness::Believed(why);
            }
            Liveness::Other(format!("what is served is unknown: {why}"))
        }
    }
}

/// Serial number and end of life of the leaf on the secret volume.
pub fn baked(group: &Group) -> Option<(String, DateTime<Utc>)> {
    let (serial, end) = tags::get(&group.tags, tags::LEAF)?.split_once(' ')?;
    Some((serial.to_owned(), DateTime::from_timestamp(end.parse().ok()?, 0)?))
}

/// The trials of exec since the sidecar started.
pub(super) fn trial<'a>(group: &Group, observed: &'a Observed) -> Option<&'a Trial> {
    let start = sidecar_start(group);
    observed.memory.trial.as_ref().filter(|trial| trial.start == start)
}

/// Whether a swap can be expected to work.
pub(super) fn hot_works(group: &Group, observed: &Observed) -> bool {
    trial(group, observed).is_some_and(|trial| trial.failure.is_none())
}

/// Whether it is known that no swap works: one failure alone is no reason for a restart.
pub(super) fn hot_fails(group: &Group, observed: &Observed) -> bool {
    trial(group, observed).is_some_and(|trial| trial.failures >= TRIALS)
}

/// Whether the leaf that clients get now is so close to its end that a failing exec must no longer be
/// waited for: in the last 1/10 of its life.
pub(super) fn pressing(observed: &Observed, leaf: &StoredLeaf, now: DateTime<Utc>) -> bool {
    let life = leaf.facts.leaf.not_after - leaf.facts.leaf.not_before;
    match &observed.served {
        Served::Leaf { not_after, .. } => now > *not_after - life / 10,
        // What is served is not known. It may be the one on the volume.
        Served::NotTried | Served::Unreachable(_) => observed
            .group
            .as_ref()
            .and_then(baked)
            .is_none_or(|(_, not_after)| now > not_after - life / 10),
    }
}

/// A changed address alone is worth one in-place update a day: the update may change it again.
pub(super) fn address_restart_spent(observed: &Observed, now: DateTime<Utc>) -> bool {
    observed.memory.address_restart.is_some_and(|at| now < at + TimeDelta::days(1))
}
