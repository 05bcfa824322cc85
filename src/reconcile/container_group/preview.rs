//! What a pass would change, without changing it: for `diff` and `render`.

use super::{desired, group_id, is_own, owner, stored_leaf};
use crate::api::ContainerGroup;
use crate::core::container_group::{
    Body, Digest, GroupId, Memory, Observed, Served, body, difference,
};
use crate::core::fields::Change;
use crate::core::requests::Requests;
use crate::core::{Cost, Fault};
use crate::ports::{Entry, Phase};
use crate::reconcile::identity::Source;
use crate::reconcile::{Ctx, Kind as _, Resolved};

/// What a pass would change.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The group.
    pub id: GroupId,
    /// Whether it exists.
    pub exists: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// A value that ARM does not show differs.
    pub hidden: bool,
    /// What the change costs; `None` where there is none.
    pub cost: Option<Cost>,
    /// The body that would be put.
    pub body: Body,
    /// TLS is wanted, but no certificate is stored yet: the body has no sidecar.
    pub lacks_sidecar: bool,
}

/// What a pass over `object` would change. Writes nothing.
///
/// # Errors
/// The manifest, what it names, or ARM cannot be read; the text is for people.
pub async fn preview(object: &ContainerGroup, entry: &Entry, ctx: &Ctx) -> Result<Preview, String> {
    let told = |fault: Fault| fault.to_string();
    let source = Source::named(&entry.key, object.spec.identity_ref.as_ref());
    let azure = Resolved::told(ctx.identities.of(&source).await.map_err(told)?)?;
    let mut entry = entry.clone();
    for (name, value) in object.pins(&azure).await.map_err(told)? {
        entry.pinned.entry(name.to_owned()).or_insert(value);
    }
    let desired = Resolved::told(desired::resolve(object, &entry, ctx).await.map_err(told)?)?;
    let id = group_id(object, &entry).map_err(|invalid| invalid.to_string())?;
    let group = azure.groups.get(&id).await.map_err(told)?;
    let leaf = ctx.secrets.pair(&entry.key).await.map_err(told)?;
    let leaf = leaf.map(stored_leaf).transpose().map_err(told)?;
    let kept = ctx.ledger.memory(&entry.key).await.map_err(told)?;
    let memory: Memory = kept
        .and_then(|mut kept| serde_json::from_value(kept["memory"].take()).ok())
        .unwrap_or_default();
    let observed = Observed {
        resource_group: group.is_some(),
        group,
        leaf,
        served: Served::NotTried,
        owner: owner(&entry, ctx),
        made: entry.phase == Phase::Made,
        memory,
        requests: Requests::default(),
        own: is_own(&id, ctx),
        trial: None,
        followers: Vec::new(),
    };
    let found = observed.group.as_ref().map(|g| difference(&desired, g, &observed.memory));
    let hidden = found
        .as_ref()
        .is_some_and(|found| found.changes.is_empty() && found.digest == Digest::Changed);
    let cost = match &found {
        None => Some(Cost::Restart),
        Some(_) if hidden => Some(Cost::Restart),
        Some(found) => found.changes.iter().map(|change| change.cost).max(),
    };
    Ok(Preview {
        id,
        exists: observed.group.is_some(),
        lacks_sidecar: desired.tls.is_some() && observed.leaf.is_none(),
        body: body(&desired, &observed),
        changes: found.map(|found| found.changes).unwrap_or_default(),
        hidden,
        cost,
    })
}
