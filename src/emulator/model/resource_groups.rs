//! Resource groups.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Azure, Error, Now, Poll, Reply, normalise, validate};

/// A stored resource group.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct ResourceGroup {
    name: String,
    pub(super) location: String,
    tags: Map<String, Value>,
    /// The DELETE that is going on.
    deleting: Option<String>,
}

impl Azure {
    /// PUT: 201 when it is new, else 200.
    pub fn put_resource_group(
        &mut self,
        now: Now,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        self.advance(now);
        check_name(name)?;
        let given = body["location"].as_str().unwrap_or_default();
        let location = normalise::region(given).ok_or_else(|| unknown_location(given))?;
        let tags = body["tags"].as_object().cloned().unwrap_or_default();
        validate::tags(&tags)?;
        let key = name.to_ascii_lowercase();
        let status = match self.resource_groups.get_mut(&key) {
            Some(old) if old.deleting.is_some() => return Err(being_deleted(name)),
            Some(old) if old.location != location => return Err(elsewhere(old, location)),
            Some(old) => {
                old.tags = tags;
                200
            }
            None => {
                let (name, location) = (name.to_owned(), location.to_owned());
                let new = ResourceGroup { name, location, tags, deleting: None };
                self.resource_groups.insert(key, new);
                201
            }
        };
        Ok(Reply { status, ..self.get_resource_group(now, name)? })
    }

    /// GET.
    pub fn get_resource_group(&mut self, now: Now, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        Ok(Reply::new(200, self.resource_group_view(self.resource_group(name)?)))
    }

    /// LIST.
    pub fn list_resource_groups(&mut self, now: Now) -> Vec<Value> {
        self.advance(now);
        self.resource_groups.values().map(|group| self.resource_group_view(group)).collect()
    }

    /// DELETE, with everything in it.
    pub fn delete_resource_group(&mut self, now: Now, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let found = self.resource_group(name)?;
        let operation = match found.deleting.clone() {
            Some(operation) => operation,
            None => self.begin(now),
        };
        if let Some(found) = self.resource_groups.get_mut(&name.to_ascii_lowercase()) {
            found.deleting = Some(operation.clone());
        }
        self.advance(now);
        Ok(Reply::empty(202).polled(Poll::Location(operation)))
    }

    /// Whether a deletion is under way.
    pub(super) fn deletes_resource_groups(&self) -> bool {
        self.resource_groups.values().any(|group| group.deleting.is_some())
    }

    pub(super) fn advance_deletions(&mut self, now: Now) {
        let deleting: Vec<_> = self
            .resource_groups
            .iter()
            .filter_map(|(key, group)| Some((key.clone(), group.deleting.clone()?)))
            .collect();
        for (key, operation) in deleting {
            let inside = self.groups.iter().filter(|(id, _)| id.0 == key);
            let (ready, waiting): (Vec<_>, Vec<_>) =
                inside.partition(|(_, group)| group.transition.is_none());
            let ready: Vec<_> = ready.into_iter().map(|(id, _)| id.clone()).collect();
            if ready.is_empty() && waiting.is_empty() {
                self.drop_accounts_of(&key);
                self.identities.retain(|id, _| id.0 != key);
                self.principals_changed = true;
                self.forget_scope(&format!("{}/resourceGroups/{key}", self.subscription_scope()));
                self.resource_groups.remove(&key);
                self.end(&operation, now, None);
            }
            for id in ready {
                self.begin_removal(now, &id);
            }
        }
    }

    pub(super) fn resource_group(&self, name: &str) -> Result<&ResourceGroup, Error> {
        let found = self.resource_groups.get(&name.to_ascii_lowercase());
        found.ok_or_else(|| Error::resource_group_not_found(name))
    }

    /// The resource group a container group is to be made in.
    pub(super) fn open_resource_group(&self, name: &str) -> Result<&ResourceGroup, Error> {
        let found = self.resource_group(name)?;
        if found.deleting.is_some() { Err(being_deleted(name)) } else { Ok(found) }
    }

    fn resource_group_view(&self, group: &ResourceGroup) -> Value {
        let state = if group.deleting.is_some() { "Deleting" } else { "Succeeded" };
        json!({
            "id": format!(
                "/subscriptions/{}/resourceGroups/{}", self.settings.subscription, group.name
            ),
            "name": group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": group.tags,
            "properties": {"provisioningState": state},
        })
    }
}

impl ResourceGroup {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Source: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    if (1..=90).contains(&name.chars().count()) && name.chars().all(allowed) && !name.ends_with('.')
    {
        return Ok(());
    }
    let message =
        format!("The provided resource group name '{name}' has these invalid characters.");
    Err(Error::bad("InvalidResourceGroup", message))
}

fn unknown_location(given: &str) -> Error {
    let known: Vec<_> = normalise::REGIONS.iter().map(|(name, _)| *name).collect();
    let message = format!(
        "The provided location '{given}' is not available for resource group. List of available \
         regions is '{}'.",
        known.join(",")
    );
    Error::bad("LocationNotAvailableForResourceGroup", message)
}

fn elsewhere(old: &ResourceGroup, location: &str) -> Error {
    let message = format!(
        "Invalid resource group location '{location}'. The Resource group already exists in location \
         '{}'.",
        old.location
    );
    Error::new(409, "InvalidResourceGroupLocation", message)
}

fn being_deleted(name: &str) -> Error {
    let message = format!(
        "The resource group '{name}' is in deprovisioning state and cannot perform this operation."
    );
    Error::new(409, "ResourceGroupBeingDeleted", message)
}
