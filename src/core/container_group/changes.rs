//! Whether the group differs from what is wanted, and who made the difference.

use super::body::comparable;
use super::desired::tags;
use super::memory::Kept;
use super::{Desired, Group, Memory};
use crate::core::fields::{self, Change};
use crate::core::{Cost, sidecar};

/// How a group differs from what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What the digest tag says.
    pub digest: Digest,
    /// What somebody else changed, or we did.
    pub changes: Vec<Change>,
    /// Where ARM keeps another value than ours: no difference any more.
    pub kept: Vec<Change>,
}

/// What the digest tag says of the user's part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest {
    /// It is the one that is wanted.
    Same,
    /// We put another one: the manifest changed.
    Changed,
    /// It has another format or key: a new release, a new home, a lost key.
    Foreign,
    /// There is none.
    Missing,
}

/// How `group` differs from what is wanted.
pub fn difference(desired: &Desired, group: &Group, memory: &Memory) -> Difference {
    let digest = match tags::get(&group.tags, tags::DIGEST) {
        None => Digest::Missing,
        Some(tag) if tag == desired.digest => Digest::Same,
        Some(tag) if comparable(tag, &desired.digest) => Digest::Changed,
        Some(_) => Digest::Foreign,
    };
    let template = tags::get(&group.tags, tags::SIDECAR);
    let mut changes = fields::diff(desired.fields, &desired.want.0, &group.properties);
    // A new release's template is rolled out with the next PUT that happens anyway. Then, and only
    // then, it matters whether a PUT can do it.
    if desired.tls.is_some() && template.is_some_and(|tag| tag != sidecar::template_version()) {
        let matters = |change: &Change| digest == Digest::Changed && change.cost == Cost::Replace;
        changes.retain(|change| !within_sidecar(change) || matters(change));
    }
    changes.extend(desired.tags.iter().filter_map(|(name, want)| tag_change(name, want, group)));
    let (kept, changes) = changes.into_iter().partition(|change| is_kept(change, memory));
    Difference { digest, changes, kept }
}

/// Whether ARM would refuse the whole body as an update of `group`.
/// <https://learn.microsoft.com/azure/container-instances/container-instances-update>
pub(super) fn needs_replacement(desired: &Desired, group: &Group, memory: &Memory) -> bool {
    fields::diff(desired.fields, &desired.want.0, &group.properties)
        .iter()
        .any(|change| change.cost == Cost::Replace && !is_kept(change, memory))
}

/// The user's tag, where it is not there or differs.
fn tag_change(name: &str, want: &str, group: &Group) -> Option<Change> {
    let have = tags::get(&group.tags, name);
    (have != Some(want)).then(|| Change {
        path: format!("tags[{name}]"),
        cost: Cost::Tag,
        want: want.into(),
        have: have.into(),
    })
}

/// Whether the change lies within a sidecar that is there: one that is missing whole is drift.
fn within_sidecar(change: &Change) -> bool {
    let container = format!("containers[{}]", sidecar::CONTAINER);
    let ours =
        change.path.starts_with(&container) || change.path.starts_with("volumes[aci-operator-");
    ours && !(change.path == container && change.have.is_null())
}

fn is_kept(change: &Change, memory: &Memory) -> bool {
    memory.azures.get(&change.path).is_some_and(|kept| {
        let Kept { want, have } = kept;
        *want == change.want && *have == change.have
    })
}
