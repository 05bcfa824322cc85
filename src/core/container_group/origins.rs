//! The public origins of a group: `https://host` for each of its names and for its address.
//!
//! Others follow the published list: redirect URIs of app registrations, and through them the CORS
//! origins of the group's own containers. So the list decides when: an origin joins it once a leaf that
//! names it is served, and leaves it as soon as its address is not ours any more, or *before* a step of
//! our own gives the address away. Nobody is locked out, and no token goes to somebody else's address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Group, Memory, Observed, Step, TlsDesired};
use crate::core::certificate::Names;
use crate::core::names::{origin_address, origin_host};

/// An app registration whose redirect URIs follow the group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Follower {
    /// Its name.
    pub name: String,
    /// Origins of the group that it has among its redirect URIs, as it published them.
    pub origins: BTreeSet<String>,
    /// Those, and the ones that it may be registering right now.
    pub held: BTreeSet<String>,
    /// Which revision of the group's list it has seen.
    pub seen: Option<u64>,
    /// Its manifest names this group. One that did so earlier may still have its origins.
    pub named: bool,
    /// It takes addresses too, not only names.
    pub addresses: bool,
}

impl Follower {
    /// Which of `origins` it is to have.
    fn wanted(&self, origins: &BTreeSet<String>) -> BTreeSet<String> {
        origins
            .iter()
            .filter(|origin| self.addresses || origin_address(origin).is_none())
            .cloned()
            .collect()
    }

    /// Whether it has all that it is to have, and nothing else that Azure ever gave: a name of the
    /// user's own stays for its grace.
    pub(super) fn is_current(&self, origins: &BTreeSet<String>, group: &Group) -> bool {
        let wanted = self.wanted(origins);
        let mut more = self.origins.difference(&wanted);
        wanted.is_subset(&self.origins) && !more.any(|origin| is_azures(origin, group))
    }
}

/// Whether an origin is an address, or a name in the domain in which the group has its own.
fn is_azures(origin: &str, group: &Group) -> bool {
    // `LABEL[.HASH].REGION.azurecontainer.io`: the last three labels are the region's.
    let labels = group.fqdn.iter().flat_map(|fqdn| fqdn.rsplitn(4, '.').take(3));
    let region: Vec<_> = labels.collect::<Vec<_>>().into_iter().rev().collect();
    let in_region = region.len() == 3 && origin.ends_with(&format!(".{}", region.join(".")));
    origin_address(origin).is_some() || in_region
}

fn of_name(name: &str) -> String {
    format!("https://{name}")
}

fn of_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("https://{address}"),
        IpAddr::V6(address) => format!("https://[{address}]"),
    }
}

/// The origins that somebody may have of the group: those that were published, and those of what ARM
/// has assigned.
pub fn known(origins: &BTreeSet<String>, group: Option<&Group>) -> BTreeSet<String> {
    origins.iter().cloned().chain(assigned(group)).collect()
}

/// What is remembered where nothing more can be decided: of the published origins those that are still
/// the group's, `hosts` being the user's.
pub fn remaining(hosts: &[String], observed: &Observed) -> Memory {
    let mut memory = observed.memory.clone();
    let owned = owned(hosts, observed.group.as_ref());
    memory.origins.retain(|origin| owned.contains(origin));
    count_revision(&mut memory, observed);
    memory
}

/// The published list of origins is another one now.
pub(super) fn count_revision(memory: &mut Memory, observed: &Observed) {
    if memory.origins != observed.memory.origins {
        memory.origins_revision = observed.memory.origins_revision + 1;
    }
}

/// The origins that are the group's own now: the user's hosts, and what ARM has assigned. A wildcard
/// is no origin.
pub(super) fn owned<'a>(
    hosts: impl IntoIterator<Item = &'a String>,
    group: Option<&Group>,
) -> BTreeSet<String> {
    let hosts = hosts.into_iter().filter(|host| !host.starts_with('*'));
    hosts.map(|host| of_name(&host.to_ascii_lowercase())).chain(assigned(group)).collect()
}

fn assigned(group: Option<&Group>) -> impl Iterator<Item = String> {
    let fqdn = group.and_then(|group| group.fqdn.as_deref()).map(of_name);
    fqdn.into_iter().chain(group.and_then(|group| group.ip).map(of_address))
}

/// Those of [`owned`] that a leaf with `names` stands for.
pub(super) fn named(tls: &TlsDesired, group: Option<&Group>, names: &Names) -> BTreeSet<String> {
    let stands = |origin: &String| match origin_address(origin) {
        Some(address) => names.ip.contains(&address),
        None => names.covers(origin_host(origin)),
    };
    owned(&tls.hosts, group).into_iter().filter(stands).collect()
}

/// The origins that `step` gives away: the group's address, which ARM draws anew, and its name where
/// another `label` is wanted, where anybody may take a freed one, or where the group goes for good.
pub(super) fn given_away(
    step: &Step,
    label: Option<&str>,
    for_good: bool,
    observed: &Observed,
) -> BTreeSet<String> {
    let Some(group) = observed.group.as_ref() else { return BTreeSet::new() };
    let renamed = group.fqdn.as_deref().is_some_and(|fqdn| {
        let present = fqdn.split('.').next();
        present != label
    });
    let unsecured = group.properties["ipAddress"]["autoGeneratedDomainNameLabelScope"]
        .as_str()
        .is_none_or(|scope| scope.eq_ignore_ascii_case("Unsecure"));
    let (address, name) = match step {
        Step::Delete => (true, for_good || renamed || unsecured),
        Step::Put(_) => (false, renamed),
        _ => (false, false),
    };
    let fqdn = group.fqdn.as_deref().filter(|_| name).map(of_name);
    let ip = group.ip.filter(|_| address).map(of_address);
    fqdn.into_iter().chain(ip).collect()
}

/// Who may still send somebody to one of `leaving`, for people; `None` where nobody can. Nobody can once
/// the list was published without them, and each follower has said, of that list or a later one, that
/// it has none of them.
pub(super) fn held_by(leaving: &BTreeSet<String>, observed: &Observed) -> Option<String> {
    let memory = &observed.memory;
    if leaving.is_empty() || observed.followers.is_empty() {
        return None;
    }
    let published = !memory.origins.is_disjoint(leaving);
    let unaware = |follower: &Follower| {
        follower.named && (published || follower.seen != Some(memory.origins_revision))
    };
    let holds = |follower: &&Follower| unaware(follower) || !follower.held.is_disjoint(leaving);
    let names: Vec<_> =
        observed.followers.iter().filter(holds).map(|follower| follower.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What the group's containers are told: published origins that those who follow have, where any do.
pub(super) fn to_tell(origins: &BTreeSet<String>, followers: &[Follower]) -> BTreeSet<String> {
    if !followers.iter().any(|follower| follower.named) {
        return origins.clone();
    }
    let had = |origin: &&String| followers.iter().any(|f| f.origins.contains(*origin));
    origins.iter().filter(had).cloned().collect()
}
