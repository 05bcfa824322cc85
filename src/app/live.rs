//! What Azure itself says: LIST, whether the groups are ours or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{App, Error, Result, wire};
use crate::core::container_group::{Group, GroupId, Scope, tags};
use crate::core::{Fault, names};
use crate::metrics::Metrics;
use crate::ports::{Azure, Entry};
use crate::reconcile::identity::Source;
use crate::reconcile::{Identities, Resolved};

/// A group as a LIST shows it, which has no instance view.
#[derive(Clone, Debug)]
pub struct LiveGroup {
    /// The group.
    pub group: Group,
    /// Its resource group.
    pub resource_group: String,
    /// This home made it, or claims to have.
    pub ours: bool,
}

impl LiveGroup {
    /// As JSON.
    pub fn document(&self) -> Value {
        let Group { id, name, tags, properties, provisioning, ip, fqdn, .. } = &self.group;
        json!({
            "id": id,
            "name": name,
            "resourceGroup": self.resource_group,
            "tags": tags,
            "properties": properties,
            "provisioningState": provisioning.to_string(),
            "ip": ip,
            "fqdn": fqdn,
            "ours": self.ours,
        })
    }
}

/// What Azure showed.
#[derive(Debug, Default)]
pub struct Live {
    /// Groups, sorted by id.
    pub groups: Vec<LiveGroup>,
    /// Why there may be more: identities that were refused, or could not be used.
    pub problems: Vec<String>,
}

/// What one identity is asked for.
struct View {
    azure: Azure,
    /// Subscriptions and resource groups that the ledger knows.
    places: BTreeSet<(String, String)>,
}

impl App {
    /// All container groups of the subscriptions in use, as the operator and the identities of its objects see
    /// them: one LIST each. Where rights end at resource groups, one for each of those that the ledger knows.
    ///
    /// # Errors
    /// No subscription is known, or nobody was shown anything.
    pub async fn live(&self, name: Option<&str>) -> Result<Live> {
        let home = self.home().await?;
        let identities = wire::identities(self, &home, &Metrics::new()).await?;
        let mut live = Live::default();
        let mut views = vec![View { azure: identities.own(), places: BTreeSet::new() }];
        for entry in home.ledger.entries().await? {
            let Some(resource_group) = entry.manifest["spec"]["resourceGroup"].as_str() else {
                continue;
            };
            let azure = match seen_by(&entry, &identities).await? {
                Ok(azure) => azure,
                Err(problem) => {
                    live.problems.push(format!("{}: {problem}", entry.key));
                    continue;
                }
            };
            let subscription = entry.pinned.get("subscriptionId").or(azure.subscription.as_ref());
            let place = subscription.cloned().zip(Some(resource_group.to_owned()));
            let same = |view: &&mut View| Arc::ptr_eq(&view.azure.groups, &azure.groups);
            match views.iter_mut().find(same) {
                Some(view) => view.places.extend(place),
                None => views.push(View { azure, places: place.into_iter().collect() }),
            }
        }
        let asked: Vec<_> = views.iter().flat_map(View::subscriptions).collect();
        if asked.is_empty() && live.problems.is_empty() {
            return Err(Error::NoSubscription);
        }
        let (mut found, mut refused, mut shown) = (BTreeMap::new(), None, false);
        for (view, subscription) in asked {
            match view.list(&subscription).await {
                Ok(groups) => {
                    shown = true;
                    found.extend(groups.into_iter().map(|group| (group.id.to_lowercase(), group)));
                }
                Err(fault) => {
                    live.problems.push(fault.to_string());
                    refused = refused.or(Some(fault));
                }
            }
        }
        if let (Some(fault), false) = (refused, shown) {
            return Err(fault.into());
        }
        let id = home.seat.id();
        live.groups = found.into_values().map(|group| seen(group, id)).collect();
        live.groups.retain(|live| name.is_none_or(|name| live.group.name == name));
        live.groups.sort_by(|a, b| a.group.id.cmp(&b.group.id));
        Ok(live)
    }
}

impl View {
    fn subscriptions(&self) -> impl Iterator<Item = (&Self, String)> {
        let known = self.places.iter().map(|(subscription, _)| subscription);
        let all: BTreeSet<_> = known.chain(&self.azure.subscription).cloned().collect();
        all.into_iter().map(move |subscription| (self, subscription))
    }

    async fn list(&self, subscription: &str) -> Result<Vec<Group>, Fault> {
        let groups = &self.azure.groups;
        let known = || self.places.iter().filter(|(named, _)| named == subscription);
        match groups.list(&Scope::Subscription(subscription.to_owned())).await {
            Err(Fault::Forbidden { .. }) if known().next().is_some() => {
                let mut all = Vec::new();
                for (subscription, name) in known().cloned() {
                    all.extend(groups.list(&Scope::ResourceGroup { subscription, name }).await?);
                }
                Ok(all)
            }
            listed => listed,
        }
    }
}

/// Azure, as the identity of an object sees it; the inner error is that its Secret is missing or wrong.
pub(super) async fn seen_by(
    entry: &Entry,
    identities: &Identities,
) -> Result<Result<Azure, String>, Fault> {
    let named = entry.manifest["spec"]["identityRef"]["name"].as_str();
    Ok(match identities.of(&Source::of(&entry.key, named)).await {
        Ok(found) => Resolved::told(found),
        // Who may not look whether the namespace has one asks as himself.
        Err(Fault::Forbidden { .. }) if named.is_none() => Ok(identities.own()),
        Err(fault) => return Err(fault),
    })
}

fn seen(group: Group, home: &str) -> LiveGroup {
    let owner = tags::get(&group.tags, tags::OWNER);
    let ours = owner.and_then(|owner| owner.split_once('/')).is_some_and(|(id, _)| id == home);
    let resource_group = parse_id(&group.id).map_or_else(String::new, |id| id.resource_group);
    LiveGroup { group, resource_group, ours }
}

/// Reads ARM's spelling of a container group's id, whose fixed parts come in any case.
pub(super) fn parse_id(id: &str) -> Option<GroupId> {
    let [subscription, resource_group, name] =
        names::resource_id(id, "Microsoft.ContainerInstance/containerGroups")?.map(str::to_owned);
    Some(GroupId { subscription, resource_group, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_any_case() {
        let id = GroupId {
            subscription: "s".to_owned(),
            resource_group: "Mon-Groupe".to_owned(),
            name: "app".to_owned(),
        };
        assert_eq!(parse_id(&id.to_string()).as_ref(), Some(&id));
        let other = id.to_string().replace("resourceGroups", "resourcegroups");
        assert_eq!(parse_id(&other), Some(id));
        assert_eq!(parse_id("/subscriptions/s/resourceGroups/g"), None);
    }
}
