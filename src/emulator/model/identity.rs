//! `identity` of a container group: which managed identities its containers may be.
//!
//! Source: learn.microsoft.com/azure/container-instances/container-instances-managed-identity.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::identities::{IDENTITY_TYPE, IdentityIds};
use super::{Azure, Error, GroupId, Now};
use crate::emulator::faults::{Effect, Operation};

/// What a group carries.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Carries {
    /// Its own, made and deleted with it.
    pub(super) system: Option<IdentityIds>,
    /// Those assigned, as they were written.
    pub(super) assigned: Vec<String>,
}

/// How a container asks for one of its group's identities.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// The group's own, or the only one.
    Any,
    /// By `clientId`.
    Client(&'a str),
    /// By `principalId`.
    Principal(&'a str),
    /// By resource id.
    Resource(&'a str),
}

/// Why a container gets no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoIdentity {
    /// The group does not carry it.
    NotFound,
    /// It carries several, and none was named.
    Several,
}

impl Carries {
    /// As a PUT would ask for it.
    pub(super) fn document(&self) -> Value {
        let assigned: Map<_, _> = self.assigned.iter().map(|id| (id.clone(), json!({}))).collect();
        match (self.system.is_some(), assigned.is_empty()) {
            (false, true) => Value::Null,
            (true, true) => json!({"type": "SystemAssigned"}),
            (own, false) => json!({
                "type": if own { "SystemAssigned, UserAssigned" } else { "UserAssigned" },
                "userAssignedIdentities": assigned,
            }),
        }
    }
}

impl Azure {
    /// The ids of the identities that a PUT would have the group carry, as they are written; its caller
    /// needs the right to assign each of them.
    pub fn links(body: &Value) -> Vec<String> {
        assigned(body).into_iter().filter(|id| place(id).is_some()).collect()
    }

    /// Reads `identity` of a PUT of the group `resource`; what is not given is gone.
    pub(super) fn carries(
        &mut self,
        resource: &str,
        body: &Value,
        old: Option<&Carries>,
    ) -> Result<Carries, Error> {
        let given = &body["identity"];
        let kind = given["type"].as_str().unwrap_or("None").to_ascii_lowercase();
        let kinds: Vec<&str> = kind.split(',').map(str::trim).collect();
        if !kinds.iter().all(|kind| ["none", "systemassigned", "userassigned"].contains(kind)) {
            let message = format!("The identity type '{}' is invalid.", given["type"]);
            return Err(Error::bad("InvalidIdentityType", message));
        }
        let assigned = assigned(body);
        if kinds.contains(&"userassigned") == assigned.is_empty() {
            let message = if assigned.is_empty() {
                "The request format was unexpected, a UserAssigned identity type should contain: \
                 userAssignedIdentities"
            } else {
                // Text: Azure/azure-rest-api-specs #17650.
                "The request format was unexpected, a non-UserAssigned identity type should not \
                 contain: userAssignedIdentities"
            };
            return Err(failed(resource, message));
        }
        for id in &assigned {
            let place = place(id).ok_or_else(|| not_an_id(id))?;
            if !self.identities.contains_key(&place) {
                return Err(failed(resource, &format!("Resource '{id}' was not found.")));
            }
        }
        let system = kinds
            .contains(&"systemassigned")
            .then(|| old.and_then(|old| old.system).unwrap_or_else(|| self.next_identity()));
        Ok(Carries { system, assigned })
    }

    /// Which identity a container of the group with this engine key may be, as it asks for it.
    pub fn identity_in(&self, group: &str, asked: Asked<'_>) -> Result<IdentityIds, NoIdentity> {
        let group = self.groups.values().find(|stored| stored.key == group);
        let carries = group.map(|group| &group.carries).ok_or(NoIdentity::NotFound)?;
        let assigned = self.assigned(carries);
        let is = |given: &str, id: Uuid| given.parse().is_ok_and(|given: Uuid| given == id);
        let mut all = carries.system.iter().copied().chain(assigned.iter().map(|(_, ids)| *ids));
        let found = match asked {
            Asked::Any if carries.system.is_some() => carries.system,
            Asked::Any if assigned.len() > 1 => return Err(NoIdentity::Several),
            Asked::Any => all.next(),
            Asked::Client(given) => all.find(|ids| is(given, ids.client)),
            Asked::Principal(given) => all.find(|ids| is(given, ids.principal)),
            Asked::Resource(given) => {
                let named = place(given);
                assigned.iter().find(|(at, _)| Some(at) == named.as_ref()).map(|(_, ids)| *ids)
            }
        };
        found.ok_or(NoIdentity::NotFound)
    }

    /// The injected effects on an operation in the group with this engine key.
    pub fn standing(&self, operation: Operation, group: &str) -> Vec<Effect> {
        let found = self.groups.values().find(|stored| stored.key == group);
        self.faults.standing(operation, found.map(|group| group.name.as_str()))
    }

    /// When the containers of a group that runs were started last, by its engine key.
    pub fn started(&self, group: &str) -> Option<Now> {
        self.groups.values().find(|stored| stored.key == group)?.started
    }

    fn assigned(&self, carries: &Carries) -> Vec<(GroupId, IdentityIds)> {
        let found = carries.assigned.iter().filter_map(|id| {
            let place = place(id)?;
            let ids = self.identities.get(&place)?.ids;
            Some((place, ids))
        });
        found.collect()
    }

    /// As GET shows it; none where the group carries nothing.
    pub(super) fn carries_view(&self, carries: &Carries) -> Option<Value> {
        let mut shown = carries.document();
        if shown.is_null() {
            return None;
        }
        if let Some(own) = carries.system {
            shown["principalId"] = json!(own.principal);
            shown["tenantId"] = json!(self.settings.tenant);
        }
        let pairs = carries.assigned.iter().map(|id| {
            let ids = place(id).and_then(|place| Some(self.identities.get(&place)?.ids));
            let ids = ids.map_or_else(
                || json!({}),
                |ids| json!({"principalId": ids.principal, "clientId": ids.client}),
            );
            (id.clone(), ids)
        });
        if !carries.assigned.is_empty() {
            shown["userAssignedIdentities"] = Value::Object(pairs.collect::<Map<_, _>>());
        }
        Some(shown)
    }
}

fn assigned(body: &Value) -> Vec<String> {
    let assigned = body["identity"]["userAssignedIdentities"].as_object();
    assigned.into_iter().flatten().map(|(id, _)| id.clone()).collect()
}

/// The resource group and name in an identity's id.
fn place(id: &str) -> Option<GroupId> {
    let parts: Vec<&str> = id.split('/').filter(|part| !part.is_empty()).collect();
    let (namespace, kind) = IDENTITY_TYPE.split_once('/')?;
    match parts[..] {
        [s, _, g, group, p, ns, k, name]
            if s.eq_ignore_ascii_case("subscriptions")
                && g.eq_ignore_ascii_case("resourceGroups")
                && p.eq_ignore_ascii_case("providers")
                && ns.eq_ignore_ascii_case(namespace)
                && k.eq_ignore_ascii_case(kind) =>
        {
            Some(GroupId::new(group, name))
        }
        _ => None,
    }
}

/// Shape of the text: Azure/azure-libraries-for-net #690.
fn failed(resource: &str, problem: &str) -> Error {
    let inner = json!({"error": {"code": "BadRequest", "message": problem}});
    let message = format!(
        "Identity operation for resource '{resource}' failed with error 'Failed to perform resource \
         identity operation. Status: 'BadRequest'. Response: '{inner}'.'."
    );
    Error::bad("FailedIdentityOperation", message)
}

fn not_an_id(id: &str) -> Error {
    let message = format!(
        "Property id '{id}' at path 'identity.userAssignedIdentities' is invalid. Expect fully qualified \
         resource Id that start with '/subscriptions/{{subscriptionId}}' or \
         '/providers/{{resourceProviderNamespace}}/'."
    );
    Error::bad("LinkedInvalidPropertyId", message)
}

#[cfg(test)]
mod tests;
