//! The status of a container group.

use serde_json::Value;

use super::{Facts, group_id};
use crate::api::ContainerGroup;
use crate::api::status::{
    BakedCertificate, CertificateStatus, ContainerGroupStatus, ContainerStatus, PendingApproval,
};
use crate::core::certificate::renewal_time;
use crate::core::container_group::{Group, Observed, Served, StoredLeaf, baked};
use crate::core::names;
use crate::ports::Entry;

/// What is published of a group, conditions aside.
pub(super) fn status(
    object: &ContainerGroup,
    entry: &Entry,
    observed: &Observed,
    facts: &Facts,
) -> Value {
    let group = observed.group.as_ref();
    let leaf = observed.leaf.as_ref();
    let status = ContainerGroupStatus {
        id: group_id(object, entry).ok().map(|id| id.to_string()),
        provisioning_state: group.map(|group| group.provisioning.to_string()),
        ip: group.and_then(|group| group.ip).map(|ip| ip.to_string()),
        fqdn: group.and_then(|group| group.fqdn.clone()),
        certificate: leaf.map(|leaf| certificate(leaf, entry, &observed.served)),
        baked_certificate: group.and_then(|group| baked_certificate(object, entry, group, leaf)),
        containers: group.map(containers).unwrap_or_default(),
        origins: facts.origins.iter().cloned().collect(),
        origins_revision: facts.origins_revision,
        pending_approval: facts.pending.as_ref().map(|pending| PendingApproval {
            digest: pending.digest.clone(),
            cost: pending.cost,
            changes: pending.changes.clone(),
        }),
        ..ContainerGroupStatus::default()
    };
    serde_json::to_value(status).unwrap_or_default()
}

fn certificate(leaf: &StoredLeaf, entry: &Entry, served: &Served) -> CertificateStatus {
    let facts = &leaf.facts.leaf;
    CertificateStatus {
        serial_number: facts.serial.clone(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        renewal_time: renewal_time(facts.not_before, facts.not_after, &entry.uid),
        dns_names: facts.names.dns.iter().cloned().collect(),
        ip_addresses: facts.names.ip.iter().map(ToString::to_string).collect(),
        served_serial_number: match served {
            Served::Leaf { serial, .. } => Some(serial.clone()),
            Served::NotTried | Served::Unreachable(_) => None,
        },
    }
}

/// The leaf on the volume; stale once a newer one has replaced it everywhere else.
fn baked_certificate(
    object: &ContainerGroup,
    entry: &Entry,
    group: &Group,
    leaf: Option<&StoredLeaf>,
) -> Option<BakedCertificate> {
    let (serial_number, not_after) = baked(group)?;
    let life = names::duration(&object.spec.tls.as_ref()?.duration).ok()?;
    let renewal_time = renewal_time(not_after - life, not_after, &entry.uid);
    let stale = leaf.is_some_and(|leaf| leaf.facts.leaf.serial != serial_number);
    Some(BakedCertificate { serial_number, not_after, renewal_time, stale })
}

fn containers(group: &Group) -> Vec<ContainerStatus> {
    let status = |container: &crate::core::container_group::ContainerFacts| ContainerStatus {
        name: container.name.clone(),
        state: container.state.clone().unwrap_or_else(|| "Unknown".to_owned()),
        restart_count: container.restart_count,
    };
    group.containers.iter().map(status).collect()
}
