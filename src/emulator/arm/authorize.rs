//! What a request takes: the action that its method and resource type are, at its scope.
//!
//! Source: learn.microsoft.com/azure/role-based-access-control/resource-provider-operations, and the
//! pages beside it for each provider.

use axum::http::Method;

use super::Arm;
use super::route::{Route, Verb};
use crate::emulator::model::{Azure, Error, GROUP_TYPE, IDENTITY_TYPE, Principal, Right};

const RESOURCE_GROUPS: &str = "Microsoft.Resources/subscriptions/resourceGroups";
const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

/// What must hold before a request is served.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Demand {
    /// A token is enough.
    Token,
    /// Any role in the subscription.
    Known,
    /// A role at a resource group or above: operations are tracked outside of their resource.
    Track,
    /// This action at this scope.
    Action(String, String),
    /// This action somewhere: a LIST shows what its caller may read.
    Listed(String, String),
}

impl Route {
    /// What serving it takes.
    pub(super) fn demand(&self, method: &Method) -> Demand {
        let crud =
            |kind: &str, scope: String| Demand::Action(format!("{kind}/{}", verb(method)), scope);
        let read = |kind: &str| format!("{kind}/read");
        match self {
            Self::Metadata | Self::Subscriptions => Demand::Token,
            Self::Subscription(_) => Demand::Known,
            Self::OperationStatus(..) | Self::OperationResult(..) => Demand::Track,
            Self::Locations(s) => {
                Demand::Action(read("Microsoft.Resources/subscriptions/locations"), sub(s))
            }
            Self::Provider(s, _) => {
                Demand::Action(read("Microsoft.Resources/subscriptions/providers"), sub(s))
            }
            Self::Register(s, namespace, registered) => {
                let verb = if *registered { "register" } else { "unregister" };
                Demand::Action(format!("{namespace}/{verb}/action"), sub(s))
            }
            Self::ResourceGroups(s) => Demand::Listed(read(RESOURCE_GROUPS), sub(s)),
            Self::ResourceGroup(s, name) => crud(RESOURCE_GROUPS, home(s, name)),
            Self::Contents(s, name) => {
                Demand::Action(read(&format!("{RESOURCE_GROUPS}/resources")), home(s, name))
            }
            Self::Groups(s, None) => Demand::Listed(read(GROUP_TYPE), sub(s)),
            Self::Groups(s, Some(name)) => Demand::Action(read(GROUP_TYPE), home(s, name)),
            Self::Group(s, at, name) => crud(GROUP_TYPE, resource(s, at, GROUP_TYPE, name)),
            Self::Act(s, at, name, verb) => {
                let verb = match verb {
                    Verb::Start => "start",
                    Verb::Stop => "stop",
                    Verb::Restart => "restart",
                };
                Demand::Action(
                    format!("{GROUP_TYPE}/{verb}/action"),
                    resource(s, at, GROUP_TYPE, name),
                )
            }
            Self::Logs(s, at, name, container) => {
                let scope = format!("{}/containers/{container}", resource(s, at, GROUP_TYPE, name));
                Demand::Action(format!("{GROUP_TYPE}/containers/logs/read"), scope)
            }
            Self::Exec(s, at, name, container) => {
                let scope = format!("{}/containers/{container}", resource(s, at, GROUP_TYPE, name));
                Demand::Action(format!("{GROUP_TYPE}/containers/exec/action"), scope)
            }
            Self::Identities(s, None) => Demand::Listed(read(IDENTITY_TYPE), sub(s)),
            Self::Identities(s, Some(name)) => Demand::Action(read(IDENTITY_TYPE), home(s, name)),
            Self::Identity(s, at, name) => {
                crud(IDENTITY_TYPE, resource(s, at, IDENTITY_TYPE, name))
            }
            Self::Storage(s, place) => place.demand(s, method),
            Self::Assignments(scope) | Self::Assignment(scope, _) => {
                crud("Microsoft.Authorization/roleAssignments", scope.clone())
            }
            // Azure's own roles are of the whole tenant.
            Self::Roles(scope) | Self::Role(scope, _) if scope == "/" => Demand::Token,
            Self::Roles(scope) | Self::Role(scope, _) => {
                crud("Microsoft.Authorization/roleDefinitions", scope.clone())
            }
        }
    }
}

impl Arm {
    /// Refuses who may not, and notes who asked for what.
    pub(super) fn authorize(&self, caller: &Principal, demand: &Demand) -> Result<(), Error> {
        let object = caller.object;
        let read = "Microsoft.Resources/subscriptions/read".to_owned();
        let (may, action, scope) = match demand {
            Demand::Token => return Ok(()),
            Demand::Known => (
                self.world.look(|azure, now| azure.is_known(now, object)),
                &read,
                &self.subscription(),
            ),
            Demand::Track => {
                let may = self.world.look(|azure, now| azure.may_track(now, object));
                (may, &read, &self.subscription())
            }
            Demand::Action(action, scope) => {
                (self.world.may(caller, Right::Action(action), scope), action, scope)
            }
            Demand::Listed(action, scope) => {
                let right = Right::Action(action);
                let may = self.world.look(|azure, now| azure.may_somewhere(now, object, right));
                self.world.access.note(caller, right, may);
                (may, action, scope)
            }
        };
        if may { Ok(()) } else { Err(Azure::unauthorized(caller, action, scope)) }
    }

    /// Refuses to give a group identities that the caller may not assign.
    pub(super) fn authorize_links(
        &self,
        caller: &Principal,
        demand: &Demand,
        links: &[String],
    ) -> Result<(), Error> {
        let refused: Vec<String> = links
            .iter()
            .filter(|id| !self.world.may(caller, Right::Action(ASSIGN), id))
            .cloned()
            .collect();
        match demand {
            Demand::Action(action, scope) if !refused.is_empty() => {
                Err(Azure::unauthorized_link(caller, (action, scope), (ASSIGN, &refused)))
            }
            _ => Ok(()),
        }
    }

    fn subscription(&self) -> String {
        sub(&self.facts.subscription.to_string())
    }
}

pub(super) fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ => "write",
    }
}

pub(super) fn sub(id: &str) -> String {
    format!("/subscriptions/{id}")
}

pub(super) fn home(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{name}")
}

pub(super) fn resource(subscription: &str, at: &str, kind: &str, name: &str) -> String {
    format!("{}/providers/{kind}/{name}", home(subscription, at))
}

#[cfg(test)]
mod tests {
    use super::super::route::parse;
    use super::*;

    #[test]
    fn actions() {
        let aci = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups";
        let identities = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities";
        let roles = "/subscriptions/s/providers/Microsoft.Authorization";
        let get = Method::GET;
        for (method, path, action, scope) in [
            (
                Method::PUT,
                format!("{aci}/g"),
                "Microsoft.ContainerInstance/containerGroups/write",
                format!("{aci}/g"),
            ),
            (
                Method::PATCH,
                format!("{aci}/g"),
                "Microsoft.ContainerInstance/containerGroups/write",
                format!("{aci}/g"),
            ),
            (
                Method::DELETE,
                format!("{aci}/g"),
                "Microsoft.ContainerInstance/containerGroups/delete",
                format!("{aci}/g"),
            ),
            (
                Method::POST,
                format!("{aci}/g/restart"),
                "Microsoft.ContainerInstance/containerGroups/restart/action",
                format!("{aci}/g"),
            ),
            (
                Method::POST,
                format!("{aci}/g/containers/c/exec"),
                "Microsoft.ContainerInstance/containerGroups/containers/exec/action",
                format!("{aci}/g/containers/c"),
            ),
            (
                get.clone(),
                format!("{aci}/g/containers/c/logs"),
                "Microsoft.ContainerInstance/containerGroups/containers/logs/read",
                format!("{aci}/g/containers/c"),
            ),
            (
                Method::HEAD,
                "/subscriptions/s/resourcegroups/rg".to_owned(),
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "/subscriptions/s/resourceGroups/rg".to_owned(),
            ),
            (
                Method::POST,
                "/subscriptions/s/providers/Microsoft.ContainerInstance/register".to_owned(),
                "Microsoft.ContainerInstance/register/action",
                "/subscriptions/s".to_owned(),
            ),
            (
                Method::PUT,
                format!("{identities}/me"),
                "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                format!("{identities}/me"),
            ),
            (
                Method::PUT,
                format!("{aci}/g/providers/Microsoft.Authorization/roleAssignments/x"),
                "Microsoft.Authorization/roleAssignments/write",
                format!("{aci}/g"),
            ),
            (
                get.clone(),
                format!("{roles}/roleDefinitions"),
                "Microsoft.Authorization/roleDefinitions/read",
                "/subscriptions/s".to_owned(),
            ),
        ] {
            let route = parse(&method, &path).unwrap();
            let expected = Demand::Action(action.to_owned(), scope);
            assert_eq!(route.demand(&method), expected, "{method} {path}");
        }
        let list =
            parse(&get, "/subscriptions/s/providers/Microsoft.ContainerInstance/containerGroups");
        assert!(matches!(list.unwrap().demand(&get), Demand::Listed(..)));
    }
}
