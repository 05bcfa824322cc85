//! Who may do what: the custom role, and the roles that are given.

use serde_json::{Value, json};

use super::storage::{self, HOME, SECRETS};
use super::{Facts, Resource, Sort, Wanted, guid};

/// <https://learn.microsoft.com/rest/api/authorization/role-assignments>
const API: &str = "2022-04-01";

/// What the operator does with ARM, and nothing else: container groups (a PATCH of tags is a write), exec into
/// its sidecars, whether a resource group is there.
/// <https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations>
pub const ACTIONS: [&str; 5] = [
    "Microsoft.ContainerInstance/containerGroups/read",
    "Microsoft.ContainerInstance/containerGroups/write",
    "Microsoft.ContainerInstance/containerGroups/delete",
    "Microsoft.ContainerInstance/containerGroups/containers/exec/action",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
];

/// Built-in roles: name and id.
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
pub type BuiltIn = (&'static str, &'static str);
/// Lets a container group carry an identity.
pub const IDENTITY_OPERATOR: BuiltIn =
    ("Managed Identity Operator", "f1a07417-d97a-45cb-824c-7a7467783830");
/// Reads and writes blobs.
pub const BLOB_CONTRIBUTOR: BuiltIn =
    ("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe");
/// Reads blobs.
pub const BLOB_READER: BuiltIn =
    ("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1");

/// The name of the custom role's definition.
fn role_guid(wanted: &Wanted) -> String {
    guid(&[&wanted.scope(&wanted.resource_group), &wanted.name, "role"])
}

/// The custom role, which can be given in the managed resource groups alone.
pub(super) fn role(wanted: &Wanted) -> Resource {
    let own = wanted.scope(&wanted.resource_group);
    let id = role_guid(wanted);
    let scopes: Vec<_> = [&wanted.resource_group]
        .into_iter()
        .chain(&wanted.manage)
        .map(|name| wanted.scope(name))
        .collect();
    Resource {
        sort: Sort::Role,
        id: format!("{own}/providers/Microsoft.Authorization/roleDefinitions/{id}"),
        api_version: API,
        body: json!({"properties": {
            // Names of roles are unique in the tenant.
            "roleName": format!("{} operator {}", wanted.name, &id[..8]),
            "description": note(wanted),
            "type": "CustomRole",
            "permissions": [{
                "actions": ACTIONS, "notActions": [], "dataActions": [], "notDataActions": [],
            }],
            "assignableScopes": scopes,
        }}),
        purpose: format!("a role of {} actions", ACTIONS.len()),
        waiting: false,
    }
}

/// What the operator may do with container groups, and as whom they may run. Whoever may write its own group
/// may run anything as the operator: that is asked for by name.
pub(super) fn on_groups_and_identities(wanted: &Wanted, facts: &Facts) -> Vec<Resource> {
    let operator = (role_guid(wanted), format!("{} operator", wanted.name));
    let own = wanted.self_update.then_some(&wanted.resource_group);
    let groups = wanted.manage.iter().chain(own).map(|name| {
        let (id, called) = &operator;
        give(wanted, facts.principal.as_deref(), &wanted.scope(name), (called, id), true)
    });
    let own = wanted.self_update.then(|| wanted.identity());
    let identities = wanted
        .identities
        .iter()
        .chain(&own)
        .map(|scope| give(wanted, facts.principal.as_deref(), scope, IDENTITY_OPERATOR, true));
    groups.chain(identities).collect()
}

/// Who may read and write the home: the operator all of it, readers and writers what holds no key.
pub(super) fn on_blobs(wanted: &Wanted, facts: &Facts) -> Vec<Resource> {
    let operator = [HOME, SECRETS].map(|container| {
        let scope = storage::container_id(wanted, container);
        give(wanted, facts.principal.as_deref(), &scope, BLOB_CONTRIBUTOR, true)
    });
    let home = storage::container_id(wanted, HOME);
    let to = |people: &[String], role: BuiltIn| -> Vec<Resource> {
        people.iter().map(|one| give(wanted, Some(one), &home, role, false)).collect()
    };
    let readers = to(&wanted.readers, BLOB_READER);
    operator.into_iter().chain(readers).chain(to(&wanted.writers, BLOB_CONTRIBUTOR)).collect()
}

/// A role given at a scope. Without its kind a new service principal, which not every replica of the
/// directory shows, would be refused; of somebody else's we do not know it.
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>
fn give(
    wanted: &Wanted,
    principal: Option<&str>,
    scope: &str,
    (called, role): (&str, &str),
    ours: bool,
) -> Resource {
    let definition = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        wanted.subscription
    );
    let mut properties = json!({
        "roleDefinitionId": definition,
        "principalId": principal,
        "description": note(wanted),
    });
    if ours {
        properties["principalType"] = Value::from("ServicePrincipal");
    }
    let id = principal.map_or_else(
        || scope.to_owned(),
        |principal| {
            let name = guid(&[scope, principal, role]);
            format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
        },
    );
    let who = if ours { "the operator" } else { principal.unwrap_or_default() };
    Resource {
        sort: Sort::Assignment,
        id,
        api_version: API,
        body: json!({ "properties": properties }),
        purpose: format!("{who} is {called} at {}", short(scope)),
        waiting: principal.is_none(),
    }
}

/// The last two segments of a scope: what kind, and its name.
fn short(scope: &str) -> String {
    let mut parts: Vec<&str> = scope.rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/")
}

/// What roles and assignments, which have no tags, are marked with.
pub(super) fn note(wanted: &Wanted) -> String {
    format!("{}={}", super::TAG, wanted.installation())
}
