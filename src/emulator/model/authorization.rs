//! Who may do what: role definitions, role assignments, and the decision.
//!
//! Source: learn.microsoft.com/azure/role-based-access-control/{overview,role-definitions,
//! scope-overview}. An assignment gives a principal the actions of a role at a scope and everything
//! below it; what one assignment leaves out, another may give. Deny assignments, conditions and groups
//! of users are not here: who asks for them is refused.

mod assignments;
mod built_in;
mod definitions;
mod role;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::assignments::Assignment;
use self::role::Role;
use super::{Azure, Error, Now};

pub use self::assignments::{FoundPrincipal, PrincipalType};

/// Who asks: what a token says of its bearer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Object id, which assignments name.
    pub object: Uuid,
    /// What refusals call it: an application's client id, a user's name.
    pub name: String,
}

/// What is asked for. Actions are of ARM, data actions of a service's own endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right<'a> {
    /// `Microsoft.ContainerInstance/containerGroups/write`
    Action(&'a str),
    /// `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read`
    Data(&'a str),
}

/// Custom roles and assignments.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Authorization {
    /// Custom roles by name, which is a GUID.
    roles: BTreeMap<Uuid, Role>,
    /// By scope and name, in lower case.
    assignments: BTreeMap<String, Assignment>,
}

impl Azure {
    /// Whether the principal with this object id has the right at `scope`, a resource id.
    ///
    /// Rights on blobs are asked for at the container:
    /// `/subscriptions/…/storageAccounts/NAME/blobServices/default/containers/NAME`.
    pub fn may(&self, now: Now, principal: Uuid, right: Right<'_>, scope: &str) -> bool {
        let mut here = self.held(now, principal).filter(|(_, at)| within(scope, at));
        here.any(|(role, _)| role.gives(right))
    }

    /// Whether the principal has the right anywhere in the subscription.
    pub fn may_somewhere(&self, now: Now, principal: Uuid, right: Right<'_>) -> bool {
        self.held(now, principal).any(|(role, _)| role.gives(right))
    }

    /// Whether the principal has any role in the subscription, which is what lets it see that there is one.
    pub fn is_known(&self, now: Now, principal: Uuid) -> bool {
        self.held(now, principal).next().is_some()
    }

    /// Whether the principal may ask how an operation goes on: it takes a role at a resource group or
    /// above (learn.microsoft.com/azure/azure-resource-manager/management/async-operations).
    pub fn may_track(&self, now: Now, principal: Uuid) -> bool {
        self.held(now, principal).any(|(_, scope)| parts(&scope).len() <= RESOURCE_GROUP)
    }

    /// ARM's refusal, in its words.
    pub fn unauthorized(principal: &Principal, action: &str, scope: &str) -> Error {
        let Principal { object, name } = principal;
        let message = format!(
            "The client '{name}' with object id '{object}' does not have authorization to perform \
             action '{action}' over scope '{scope}' or the scope is invalid. If access was recently \
             granted, please refresh your credentials."
        );
        Error::new(403, "AuthorizationFailed", message)
    }

    /// The refusal of a write that names resources which the caller has no right to.
    /// Text: Azure/aad-pod-identity #443.
    pub fn unauthorized_link(
        principal: &Principal,
        (action, scope): (&str, &str),
        (linked, links): (&str, &[String]),
    ) -> Error {
        let Principal { object, name } = principal;
        let message = format!(
            "The client '{name}' with object id '{object}' has permission to perform action '{action}' \
             on scope '{scope}'; however, it does not have permission to perform action '{linked}' on \
             the linked scope(s) '{}' or the linked scope(s) are invalid.",
            links.join(",")
        );
        Error::new(403, "LinkedAuthorizationFailed", message)
    }

    /// Where a principal has a right now: there, and at all that is below.
    pub fn scopes(&self, now: Now, principal: Uuid, right: Right<'_>) -> Vec<String> {
        let held = self.held(now, principal).filter(|(role, _)| role.gives(right));
        held.map(|(_, scope)| scope).collect()
    }

    /// The roles that count for a principal now, each with its scope.
    fn held(&self, now: Now, principal: Uuid) -> impl Iterator<Item = (Role, String)> {
        let counts =
            move |held: &Assignment| held.principal == principal && held.counts_from <= now;
        let given = self.assignments().filter(move |held| counts(held));
        given.filter_map(|held| Some((self.role(held.role)?, held.scope.clone())))
    }

    fn role(&self, id: Uuid) -> Option<Role> {
        self.authorization.roles.get(&id).cloned().or_else(|| built_in::role(id))
    }

    /// Assignments on what is no more go with it.
    pub(super) fn forget_scope(&mut self, scope: &str) {
        self.authorization.assignments.retain(|_, held| !within(&held.scope, scope));
    }
}

/// Parts of the id of a resource group.
const RESOURCE_GROUP: usize = 4;

/// Whether `scope` is `root` or below it.
pub fn within(scope: &str, root: &str) -> bool {
    let (scope, root) = (parts(scope), parts(root));
    scope.len() >= root.len() && scope.iter().zip(&root).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

fn parts(scope: &str) -> Vec<&str> {
    scope.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests;
