//! `Microsoft.Authorization/roleDefinitions`.
//!
//! Sources: learn.microsoft.com/rest/api/authorization/role-definitions and
//! learn.microsoft.com/azure/role-based-access-control/{custom-roles,troubleshooting}.

use serde_json::{Value, json};
use uuid::Uuid;

use super::role::{Permission, Role};
use super::{built_in, parts, within};
use crate::emulator::model::event::timestamp;
use crate::emulator::model::{Azure, Error, Now, Reply};

/// The resource type.
const TYPE: &str = "Microsoft.Authorization/roleDefinitions";

impl Azure {
    /// PUT: makes a custom role, or changes it.
    pub fn put_role(
        &mut self,
        now: Now,
        by: Uuid,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let id = name.parse().map_err(|_| malformed("role definition", name))?;
        if built_in::role(id).is_some() {
            // The text is not documented.
            let message = format!("The built-in role '{id}' cannot be changed.");
            return Err(Error::bad("RoleDefinitionUpdateNotPermitted", message));
        }
        let old = self.authorization.roles.get(&id);
        let (created, created_by) =
            old.map_or((now, Some(by)), |old| (old.created, old.created_by));
        let given = &body["properties"];
        let role_name = given["roleName"].as_str().filter(|name| !name.is_empty());
        let permissions: Option<Vec<Permission>> =
            serde_json::from_value(given["permissions"].clone()).ok();
        let scopes: Option<Vec<String>> =
            serde_json::from_value(given["assignableScopes"].clone()).ok();
        let (Some(role_name), Some(permissions), Some(assignable_scopes)) =
            (role_name, permissions, scopes.filter(|scopes| !scopes.is_empty()))
        else {
            return Err(incorrect());
        };
        for scope in &assignable_scopes {
            self.check_scope(scope)?;
        }
        if self
            .all_roles()
            .any(|other| other.id != id && other.name.eq_ignore_ascii_case(role_name))
        {
            let message = "A custom role with the same name already exists in this directory. Use a \
                           different name";
            return Err(Error::new(409, "RoleDefinitionWithSameNameExists", message));
        }
        let role = Role {
            id,
            name: role_name.to_owned(),
            description: given["description"].as_str().unwrap_or_default().to_owned(),
            custom: true,
            permissions,
            assignable_scopes,
            created,
            updated: now,
            created_by,
            updated_by: Some(by),
        };
        let view = self.role_view(&role);
        self.authorization.roles.insert(id, role);
        Ok(Reply::new(201, view))
    }

    /// GET.
    pub fn get_role(&self, name: &str) -> Result<Reply, Error> {
        let role = name.parse().ok().and_then(|id| self.role(id));
        let role = role.ok_or_else(|| no_role(404, name))?;
        Ok(Reply::new(200, self.role_view(&role)))
    }

    /// LIST of the roles that can be assigned at `scope`; `filter` may name one by `roleName eq '…'`, or
    /// a kind by `type eq 'CustomRole'`.
    pub fn list_roles(&self, scope: &str, filter: &str) -> Reply {
        let (name, kind) = (quoted(filter, "roleName eq "), quoted(filter, "type eq "));
        let shown = self.all_roles().filter(|role| {
            role.assignable_scopes.iter().any(|at| within(scope, at) || within(at, scope))
                && name.as_ref().is_none_or(|name| role.name.eq_ignore_ascii_case(name))
                && kind.as_ref().is_none_or(|kind| kind_of(role).eq_ignore_ascii_case(kind))
        });
        let views: Vec<_> = shown.map(|role| self.role_view(&role)).collect();
        Reply::new(200, json!({"value": views}))
    }

    /// DELETE: 204 where there is none.
    pub fn delete_role(&mut self, name: &str) -> Result<Reply, Error> {
        let Some(role) = name.parse().ok().and_then(|id| self.role(id)) else {
            return Ok(Reply::empty(204));
        };
        if !role.custom {
            let message = format!("The built-in role '{}' cannot be deleted.", role.id);
            return Err(Error::bad("RoleDefinitionDeleteNotPermitted", message));
        }
        if self.authorization.assignments.values().any(|held| held.role == role.id) {
            let message = "There are existing role assignments referencing role.";
            return Err(Error::bad("RoleDefinitionHasAssignments", message));
        }
        self.authorization.roles.remove(&role.id);
        Ok(Reply::new(200, self.role_view(&role)))
    }

    /// A scope is the subscription or something in it, and its resource group must be there.
    pub(super) fn check_scope(&self, scope: &str) -> Result<(), Error> {
        match parts(scope)[..] {
            [first, id] if first.eq_ignore_ascii_case("subscriptions") => self.check_own(id),
            [first, id, group, name, ..]
                if first.eq_ignore_ascii_case("subscriptions")
                    && group.eq_ignore_ascii_case("resourceGroups") =>
            {
                self.check_own(id)?;
                self.resource_group(name).map(|_| ())
            }
            _ => Err(incorrect()),
        }
    }

    fn check_own(&self, subscription: &str) -> Result<(), Error> {
        if subscription.eq_ignore_ascii_case(&self.settings.subscription) {
            return Ok(());
        }
        Err(Error::subscription_not_found(subscription))
    }

    fn all_roles(&self) -> impl Iterator<Item = Role> {
        built_in::roles().chain(self.authorization.roles.values().cloned())
    }

    /// The full id, as assignments show it.
    pub(super) fn role_id(&self, id: Uuid) -> String {
        format!("/subscriptions/{}/providers/{TYPE}/{id}", self.settings.subscription)
    }

    fn role_view(&self, role: &Role) -> Value {
        json!({
            "properties": {
                "roleName": role.name,
                "type": kind_of(role),
                "description": role.description,
                "assignableScopes": role.assignable_scopes,
                "permissions": role.permissions,
                "createdOn": timestamp(role.created),
                "updatedOn": timestamp(role.updated),
                "createdBy": role.created_by,
                "updatedBy": role.updated_by,
            },
            "id": self.role_id(role.id),
            "type": TYPE,
            "name": role.id,
        })
    }
}

fn kind_of(role: &Role) -> &'static str {
    if role.custom { "CustomRole" } else { "BuiltInRole" }
}

/// The service writes ids without hyphens here.
pub(super) fn no_role(status: u16, id: &str) -> Error {
    let id = id.replace('-', "");
    let message = format!("The specified role definition with ID '{id}' does not exist.");
    Error::new(status, "RoleDefinitionDoesNotExist", message)
}

pub(super) fn malformed(what: &str, name: &str) -> Error {
    let code = if what == "role assignment" {
        "InvalidRoleAssignmentId"
    } else {
        "InvalidRoleDefinitionId"
    };
    let message = format!("The {what} ID '{name}' is not valid. The {what} ID must be a GUID.");
    Error::bad(code, message)
}

pub(super) fn incorrect() -> Error {
    Error::bad("BadRequestFormat", "The request was incorrectly formatted.")
}

/// The text in quotes after `before` in an OData filter; a quote inside is doubled.
pub(super) fn quoted(filter: &str, before: &str) -> Option<String> {
    let start = filter.to_ascii_lowercase().find(&before.to_ascii_lowercase())? + before.len();
    let text = filter.get(start..)?.trim_start().strip_prefix('\'')?;
    let inner = text.replace("''", "\u{0}");
    let end = inner.find('\'')?;
    Some(inner[..end].replace('\u{0}', "'"))
}
