//! `Microsoft.ManagedIdentity/userAssignedIdentities`.
//!
//! Source: learn.microsoft.com/rest/api/managedidentity/user-assigned-identities.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::groups::location;
use super::{Azure, Error, GroupId, IDENTITY_NAMESPACE, Now, Reply, validate};

/// The resource type.
pub const IDENTITY_TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// What a managed identity is in the directory.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityIds {
    /// `principalId`: the service principal's object id.
    pub principal: Uuid,
    /// `clientId`: its `appId`.
    pub client: Uuid,
}

/// A stored user-assigned identity.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct UserAssigned {
    /// Name of the resource group.
    home: String,
    name: String,
    location: String,
    tags: Map<String, Value>,
    pub(super) ids: IdentityIds,
}

/// A managed identity of the subscription, for the directory to have a service principal of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManagedIdentity {
    /// What it is in the directory.
    pub ids: IdentityIds,
    /// Name of the identity, or of the resource whose own it is.
    pub name: String,
    /// Id of that resource.
    pub resource: String,
    /// Made by itself, rather than with the resource that carries it.
    pub user_assigned: bool,
}

impl Azure {
    /// PUT: 201 where it is new.
    pub fn put_identity(
        &mut self,
        now: Now,
        home: &str,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        self.advance(now);
        self.check_registered(IDENTITY_NAMESPACE)?;
        check_name(name)?;
        let home = self.open_resource_group(home)?.name().to_owned();
        let location = location(IDENTITY_TYPE, &body["location"])?;
        let tags = body["tags"].as_object().cloned().unwrap_or_default();
        validate::tags(&tags)?;
        let id = GroupId::new(&home, name);
        let (status, ids) = match self.identities.get(&id) {
            Some(old) if old.location != location => {
                return Err(Error::moved(&old.name, &old.location, &old.home, &location));
            }
            Some(old) => (200, old.ids),
            None => (201, self.next_identity()),
        };
        let name = self.identities.get(&id).map_or(name, |old| &old.name).to_owned();
        let new = UserAssigned { home, name, location, tags, ids };
        let view = self.identity_view(&new);
        self.identities.insert(id, new);
        self.principals_changed = true;
        Ok(Reply::new(status, view))
    }

    /// GET.
    pub fn get_identity(&mut self, now: Now, home: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        self.resource_group(home)?;
        let found = self.identities.get(&GroupId::new(home, name));
        let found = found.ok_or_else(|| Error::resource_not_found(IDENTITY_TYPE, home, name))?;
        Ok(Reply::new(200, self.identity_view(found)))
    }

    /// LIST of a resource group, or of the subscription.
    pub fn list_identities(&mut self, now: Now, home: Option<&str>) -> Result<Vec<Value>, Error> {
        self.advance(now);
        if let Some(home) = home {
            self.resource_group(home)?;
        }
        let here = |id: &GroupId| home.is_none_or(|home| id.0.eq_ignore_ascii_case(home));
        let found = self.identities.iter().filter(|(id, _)| here(id));
        Ok(found.map(|(_, identity)| self.identity_view(identity)).collect())
    }

    /// DELETE: 204 where there is none. Groups that carry it carry nothing then.
    pub fn delete_identity(&mut self, now: Now, home: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let Some(gone) = self.identities.remove(&GroupId::new(home, name)) else {
            return Ok(Reply::empty(204));
        };
        self.principals_changed = true;
        let id = self.identity_id(&gone.home, &gone.name);
        self.forget_scope(&id);
        Ok(Reply::empty(200))
    }

    /// The managed identities of the subscription, where they may have changed since the last call.
    pub fn take_principals(&mut self) -> Option<Vec<ManagedIdentity>> {
        if !std::mem::take(&mut self.principals_changed) {
            return None;
        }
        let assigned = self.identities.values().map(|identity| ManagedIdentity {
            ids: identity.ids,
            name: identity.name.clone(),
            resource: self.identity_id(&identity.home, &identity.name),
            user_assigned: true,
        });
        let own = self.groups.values().filter_map(|group| {
            Some(ManagedIdentity {
                ids: group.carries.system?,
                name: group.name.clone(),
                resource: super::view::id(&self.settings, &group.home, &group.name),
                user_assigned: false,
            })
        });
        Some(assigned.chain(own).collect())
    }

    pub(super) fn next_identity(&mut self) -> IdentityIds {
        let mut next = || {
            self.serial += 1;
            self.derived(&self.serial.to_string())
        };
        IdentityIds { principal: next(), client: next() }
    }

    /// The resource id, spelled the service's way.
    pub(super) fn identity_id(&self, home: &str, name: &str) -> String {
        format!(
            "{}/resourcegroups/{home}/providers/{IDENTITY_TYPE}/{name}",
            self.subscription_scope()
        )
    }

    fn identity_view(&self, identity: &UserAssigned) -> Value {
        json!({
            "id": self.identity_id(&identity.home, &identity.name),
            "name": identity.name,
            "type": IDENTITY_TYPE,
            "location": identity.location,
            "tags": identity.tags,
            "properties": {
                "tenantId": self.settings.tenant,
                "principalId": identity.ids.principal,
                "clientId": identity.ids.client,
            },
        })
    }
}

/// Source: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
fn check_name(name: &str) -> Result<(), Error> {
    let fits = (3..=128).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    let message = format!(
        "The resource name '{name}' is invalid: it must have 3 to 128 letters, numbers, hyphens and \
         underscores, and start with a letter or number."
    );
    Err(Error::bad("InvalidResourceName", message))
}
