//! `Microsoft.Authorization/roleAssignments`.
//!
//! Sources: learn.microsoft.com/rest/api/authorization/role-assignments and
//! learn.microsoft.com/azure/role-based-access-control/{role-assignments-list-rest,troubleshooting}.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::built_in::OWNER;
use super::definitions::{incorrect, malformed, no_role, quoted};
use super::{parts, within};
use crate::emulator::faults::{Effect, Operation};
use crate::emulator::model::event::timestamp;
use crate::emulator::model::{Azure, Error, Now, Reply};

/// The resource type.
const TYPE: &str = "Microsoft.Authorization/roleAssignments";

/// A role given to a principal at a scope.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Assignment {
    pub(super) name: Uuid,
    pub(super) scope: String,
    pub(super) role: Uuid,
    pub(super) principal: Uuid,
    pub(super) principal_type: PrincipalType,
    pub(super) description: Option<String>,
    pub(super) created: Now,
    pub(super) updated: Now,
    pub(super) by: Option<Uuid>,
    /// When it begins to count: at once, unless a fault delays it.
    pub(super) counts_from: Now,
}

/// Kind of a principal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PrincipalType {
    /// A user.
    User,
    /// An application's service principal, or a managed identity.
    ServicePrincipal,
}

impl fmt::Display for PrincipalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What the directory says of the principal that is to have a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FoundPrincipal {
    /// Its kind.
    pub kind: PrincipalType,
    /// Whether every replica of the directory shows it; a new one is late.
    pub replicated: bool,
}

/// What a PUT asks for.
struct Wanted {
    role: Uuid,
    principal: Uuid,
    principal_type: PrincipalType,
    description: Option<String>,
}

impl Azure {
    /// PUT: 201 where it is new. `found` is the principal of the body as the directory knows it.
    pub fn put_assignment(
        &mut self,
        now: Now,
        by: Uuid,
        (scope, name): (&str, &str),
        body: &Value,
        found: Option<FoundPrincipal>,
    ) -> Result<Reply, Error> {
        let name: Uuid = name.parse().map_err(|_| malformed("role assignment", name))?;
        self.check_scope(scope)?;
        let wanted = self.wanted(scope, &body["properties"], found)?;
        let key = key(scope, name);
        if let Some(old) = self.authorization.assignments.get_mut(&key) {
            if (old.role, old.principal) != (wanted.role, wanted.principal) {
                let message = "Tenant ID, application ID, principal ID, and scope are not allowed to \
                               be updated.";
                return Err(Error::bad("RoleAssignmentUpdateNotPermitted", message));
            }
            old.description = wanted.description;
            old.updated = now;
            let old = old.clone();
            return Ok(Reply::new(200, self.assignment_view(&old)));
        }
        let same = |held: &Cow<'_, Assignment>| {
            (held.role, held.principal) == (wanted.role, wanted.principal)
                && within(&held.scope, scope)
                && within(scope, &held.scope)
        };
        if let Some(twin) = self.assignments().find(same) {
            let message = format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                twin.name.simple()
            );
            return Err(Error::new(409, "RoleAssignmentExists", message));
        }
        let new = Assignment {
            name,
            scope: format!("/{}", parts(scope).join("/")),
            role: wanted.role,
            principal: wanted.principal,
            principal_type: wanted.principal_type,
            description: wanted.description,
            created: now,
            updated: now,
            by: Some(by),
            counts_from: now + self.delay(),
        };
        let view = self.assignment_view(&new);
        self.authorization.assignments.insert(key, new);
        Ok(Reply::new(201, view))
    }

    /// GET.
    pub fn get_assignment(&self, scope: &str, name: &str) -> Result<Reply, Error> {
        let found = name.parse().ok().and_then(|name| {
            let wanted = key(scope, name);
            self.assignments().find(|held| key(&held.scope, held.name) == wanted)
        });
        let found = found.ok_or_else(|| {
            let message = format!("The role assignment '{name}' is not found.");
            Error::new(404, "RoleAssignmentNotFound", message)
        })?;
        Ok(Reply::new(200, self.assignment_view(&found)))
    }

    /// LIST: what is at `scope`, above it and below; `filter` may leave those below out (`atScope()`),
    /// and all but one principal's (`principalId eq '…'`, `assignedTo('…')`).
    pub fn list_assignments(&self, scope: &str, filter: &str) -> Reply {
        let at_scope = filter.to_ascii_lowercase().contains("atscope()");
        let principal = quoted(filter, "principalId eq ").or_else(|| quoted(filter, "assignedTo("));
        let shown = self.assignments().filter(|held| {
            (within(scope, &held.scope) || !at_scope && within(&held.scope, scope))
                && principal
                    .as_ref()
                    .is_none_or(|id| id.parse().is_ok_and(|id: Uuid| id == held.principal))
        });
        let views: Vec<_> = shown.map(|held| self.assignment_view(&held)).collect();
        Reply::new(200, json!({"value": views}))
    }

    /// DELETE: 204 where there is none. Those that local Azure is made with stay.
    pub fn delete_assignment(&mut self, scope: &str, name: &str) -> Result<Reply, Error> {
        let Ok(found) = self.get_assignment(scope, name) else { return Ok(Reply::empty(204)) };
        let removed = name
            .parse()
            .ok()
            .and_then(|name| self.authorization.assignments.remove(&key(scope, name)));
        if removed.is_none() {
            let message = "The owners of local Azure's subscription keep their role.";
            return Err(Error::bad("RoleAssignmentDeleteNotPermitted", message));
        }
        Ok(found)
    }

    fn wanted(
        &self,
        scope: &str,
        given: &Value,
        found: Option<FoundPrincipal>,
    ) -> Result<Wanted, Error> {
        let id = |name: &str| given[name].as_str().and_then(|text| text.rsplit('/').next());
        let role_text = id("roleDefinitionId").ok_or_else(incorrect)?;
        let principal: Uuid =
            id("principalId").and_then(|id| id.parse().ok()).ok_or_else(incorrect)?;
        if !given["condition"].is_null() {
            // Azure would evaluate it; not to do so would give more than was asked for.
            let message = "Conditions of role assignments are not in local Azure.";
            return Err(Error::bad("ConditionNotSupported", message));
        }
        let role = role_text.parse().ok().and_then(|id| self.role(id));
        let role = role
            .filter(|role| role.assignable_scopes.iter().any(|at| within(scope, at)))
            .ok_or_else(|| no_role(400, role_text))?;
        let principal_type = self.check_principal(principal, &given["principalType"], found)?;
        let description = given["description"].as_str().map(str::to_owned);
        Ok(Wanted { role: role.id, principal, principal_type, description })
    }

    /// A new principal may not be known everywhere yet; whoever says its type is believed.
    fn check_principal(
        &self,
        principal: Uuid,
        said: &Value,
        found: Option<FoundPrincipal>,
    ) -> Result<PrincipalType, Error> {
        let found = found.filter(|found| found.replicated || !said.is_null()).ok_or_else(|| {
            let message = format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct \
                 principal ID. If you are creating this principal and then immediately assigning a \
                 role, this error might be related to a replication delay. In this case, set the role \
                 assignment principalType property to a value, such as ServicePrincipal, User, or \
                 Group.  See https://aka.ms/docs-principaltype",
                principal.simple(),
                self.settings.tenant
            );
            Error::bad("PrincipalNotFound", message)
        })?;
        match said.as_str() {
            Some(said) if said != found.kind.to_string() => {
                let message = format!(
                    "The PrincipalId '{}' has type '{}' , which is different from specified \
                     PrinciaplType '{said}'.",
                    principal.simple(),
                    found.kind
                );
                Err(Error::bad("UnmatchedPrincipalType", message))
            }
            _ => Ok(found.kind),
        }
    }

    fn delay(&mut self) -> TimeDelta {
        let effects = self.faults.inward(Operation::RoleAssignment, None);
        let seconds = effects.iter().find_map(|effect| match effect {
            Effect::RbacDelay { seconds } => Some(i64::from(*seconds)),
            _ => None,
        });
        TimeDelta::seconds(seconds.unwrap_or_default())
    }

    /// All, those of the subscription's owners too.
    pub(super) fn assignments(&self) -> impl Iterator<Item = Cow<'_, Assignment>> {
        let owners = self.settings.owners.iter().map(|owner| Assignment {
            name: self.derived(&format!("owner/{owner}")),
            scope: self.subscription_scope(),
            role: OWNER,
            principal: *owner,
            principal_type: PrincipalType::ServicePrincipal,
            description: None,
            created: DateTime::UNIX_EPOCH,
            updated: DateTime::UNIX_EPOCH,
            by: None,
            counts_from: DateTime::UNIX_EPOCH,
        });
        let given = self.authorization.assignments.values();
        owners.map(Cow::Owned).chain(given.map(Cow::Borrowed))
    }

    fn assignment_view(&self, held: &Assignment) -> Value {
        json!({
            "properties": {
                "roleDefinitionId": self.role_id(held.role),
                "principalId": held.principal,
                "principalType": held.principal_type,
                "scope": held.scope,
                "condition": null,
                "conditionVersion": null,
                "createdOn": timestamp(held.created),
                "updatedOn": timestamp(held.updated),
                "createdBy": held.by,
                "updatedBy": held.by,
                "delegatedManagedIdentityResourceId": null,
                "description": held.description,
            },
            "id": format!("{}/providers/{TYPE}/{}", held.scope, held.name),
            "type": TYPE,
            "name": held.name,
        })
    }
}

fn key(scope: &str, name: Uuid) -> String {
    format!("/{}/{name}", parts(scope).join("/").to_ascii_lowercase())
}
