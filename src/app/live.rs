//! What Azure itself says: LIST, whether the groups are ours or not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{App, Error, Result, wire};
use crate::core::Fault;
use crate::core::container_group::{Group, GroupId, Scope, tags};
use crate::metrics::Metrics;

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

impl App {
    /// All container groups of the subscriptions in use: one LIST each. Where our rights end at
    /// resource groups, one for each of those that the ledger knows.
    pub async fn live(&self, name: Option<&str>) -> Result<Vec<LiveGroup>> {
        let home = self.home().await?;
        let azure = wire::azure(self, &home, &Metrics::new()).await?;
        let mut known = BTreeSet::new();
        for entry in home.ledger.entries().await? {
            let named =
                entry.pinned.get("subscriptionId").cloned().or_else(|| azure.subscription.clone());
            let resource_group = entry.manifest["spec"]["resourceGroup"].as_str();
            known.extend(named.zip(resource_group.map(str::to_owned)));
        }
        let mut subscriptions: BTreeSet<_> = known.iter().map(|(named, _)| named.clone()).collect();
        subscriptions.extend(azure.subscription.clone());
        if subscriptions.is_empty() {
            return Err(Error::NoSubscription);
        }
        let mut groups = Vec::new();
        for subscription in subscriptions {
            match azure.groups.list(&Scope::Subscription(subscription.clone())).await {
                Err(Fault::Forbidden { .. }) if known.iter().any(|(s, _)| *s == subscription) => {
                    for (_, name) in known.iter().filter(|(named, _)| *named == subscription) {
                        let (subscription, name) = (subscription.clone(), name.clone());
                        let scope = Scope::ResourceGroup { subscription, name };
                        groups.extend(azure.groups.list(&scope).await?);
                    }
                }
                listed => groups.extend(listed?),
            }
        }
        let id = home.seat.id().to_owned();
        let mut live: Vec<_> = groups.into_iter().map(|group| seen(group, &id)).collect();
        live.retain(|live| name.is_none_or(|name| live.group.name == name));
        live.sort_by(|a, b| a.group.id.cmp(&b.group.id));
        Ok(live)
    }
}

fn seen(group: Group, home: &str) -> LiveGroup {
    let owner = tags::get(&group.tags, tags::OWNER);
    let ours = owner.and_then(|owner| owner.split_once('/')).is_some_and(|(id, _)| id == home);
    let resource_group = parse_id(&group.id).map_or_else(String::new, |id| id.resource_group);
    LiveGroup { group, resource_group, ours }
}

/// Reads ARM's spelling of a container group's id, whose fixed parts come in any case.
pub(super) fn parse_id(id: &str) -> Option<GroupId> {
    let parts: Vec<_> = id.trim_matches('/').split('/').collect();
    let [subscriptions, subscription, groups, resource_group, providers, space, kind, name] =
        parts.as_slice()
    else {
        return None;
    };
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (space, "Microsoft.ContainerInstance"),
        (kind, "containerGroups"),
    ];
    fixed.iter().all(|(found, wanted)| found.eq_ignore_ascii_case(wanted)).then(|| GroupId {
        subscription: (*subscription).to_owned(),
        resource_group: (*resource_group).to_owned(),
        name: (*name).to_owned(),
    })
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
