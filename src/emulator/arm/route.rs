//! Which operation a method and a path are. Paths are matched without case, and double slashes count
//! as one: `az` sends both spellings.

use axum::http::Method;

use super::storage::{self, Place};
use crate::emulator::faults::Operation;
use crate::emulator::model::{IDENTITY_NAMESPACE, NAMESPACE};

/// The provider of roles, in lower case; its resources stand below others.
const AUTHORIZATION: &str = "microsoft.authorization";

/// A place in ARM. The first field is the subscription; container groups are in a resource group
/// (the second) and have a name (the third).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    Metadata,
    Subscriptions,
    Subscription(String),
    Locations(String),
    Provider(String, String),
    /// Registers the provider, or not any more.
    Register(String, String, bool),
    ResourceGroups(String),
    ResourceGroup(String, String),
    /// Everything in a resource group.
    Contents(String, String),
    Groups(String, Option<String>),
    Group(String, String, String),
    Act(String, String, String, Verb),
    Logs(String, String, String, String),
    Exec(String, String, String, String),
    /// User-assigned identities of a resource group, or of all.
    Identities(String, Option<String>),
    Identity(String, String, String),
    /// Role assignments and definitions: their scope, then their name.
    Assignments(String),
    Assignment(String, String),
    Roles(String),
    Role(String, String),
    OperationStatus(String, String),
    OperationResult(String, String),
    Storage(String, Place),
}

/// A POST on a container group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
}

/// The route of a request, `None` for what ARM does not have.
pub(super) fn parse(method: &Method, path: &str) -> Option<Route> {
    let given: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let lower: Vec<String> = given.iter().map(|part| part.to_ascii_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let text = |index: usize| given[index].to_owned();
    let [aci, identities] = [NAMESPACE, IDENTITY_NAMESPACE].map(str::to_ascii_lowercase);
    if let Some(at) = words.windows(2).rposition(|pair| pair == ["providers", AUTHORIZATION]) {
        return authorization(method, &given[..at], &words[at + 2..], given.last()?);
    }
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    if let Some(place) = storage::parse(method, &given, &words) {
        return Some(Route::Storage(text(1), place));
    }
    let route = match words[..] {
        ["metadata", "endpoints"] if get => Route::Metadata,
        ["subscriptions"] if get => Route::Subscriptions,
        ["subscriptions", _] if get => Route::Subscription(text(1)),
        ["subscriptions", _, "locations"] if get => Route::Locations(text(1)),
        ["subscriptions", _, "resourcegroups"] if get => Route::ResourceGroups(text(1)),
        ["subscriptions", _, "resourcegroups", _]
            if [Method::GET, Method::HEAD, Method::PUT, Method::DELETE].contains(method) =>
        {
            Route::ResourceGroup(text(1), text(3))
        }
        ["subscriptions", _, "resourcegroups", _, "resources"] if get => {
            Route::Contents(text(1), text(3))
        }
        ["subscriptions", _, "operationresults", _] if get => {
            Route::OperationResult(text(1), text(3))
        }
        ["subscriptions", _, "providers", _] if get => Route::Provider(text(1), text(3)),
        ["subscriptions", _, "providers", _, verb @ ("register" | "unregister")] if post => {
            Route::Register(text(1), text(3), verb == "register")
        }
        ["subscriptions", _, "providers", ns, "locations", _, "operations", _]
            if get && *ns == *aci =>
        {
            Route::OperationStatus(text(1), text(7))
        }
        ["subscriptions", _, "providers", ns, "containergroups"] if get && *ns == *aci => {
            Route::Groups(text(1), None)
        }
        ["subscriptions", _, "providers", ns, "userassignedidentities"]
            if get && *ns == *identities =>
        {
            Route::Identities(text(1), None)
        }
        ["subscriptions", _, "resourcegroups", _, "providers", ns, "userassignedidentities"]
            if get && *ns == *identities =>
        {
            Route::Identities(text(1), Some(text(3)))
        }
        ["subscriptions", _, "resourcegroups", _, "providers", ns, "userassignedidentities", _]
            if [Method::GET, Method::PUT, Method::DELETE].contains(method)
                && *ns == *identities =>
        {
            Route::Identity(text(1), text(3), text(7))
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            ns,
            "containergroups",
            ref rest @ ..,
        ] if *ns == *aci => {
            return group(method, &given, rest);
        }
        _ => return None,
    };
    Some(route)
}

/// What comes after `SCOPE/providers/Microsoft.Authorization`, in lower case in `rest`.
fn authorization(method: &Method, scope: &[&str], rest: &[&str], name: &str) -> Option<Route> {
    let scope = format!("/{}", scope.join("/"));
    let get = *method == Method::GET;
    let one = [Method::GET, Method::PUT, Method::DELETE].contains(method);
    match rest {
        ["roleassignments"] if get => Some(Route::Assignments(scope)),
        ["roleassignments", _] if one => Some(Route::Assignment(scope, name.to_owned())),
        ["roledefinitions"] if get => Some(Route::Roles(scope)),
        ["roledefinitions", _] if one => Some(Route::Role(scope, name.to_owned())),
        _ => None,
    }
}

/// What comes after `…/containerGroups`, in lower case in `rest`.
fn group(method: &Method, given: &[&str], rest: &[&str]) -> Option<Route> {
    let place = || (given[1].to_owned(), given[3].to_owned());
    let name = || given[7].to_owned();
    let (subscription, home) = place();
    let writes = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    let act = |verb| Some(Route::Act(given[1].to_owned(), given[3].to_owned(), name(), verb));
    match rest {
        [] if get => Some(Route::Groups(subscription, Some(home))),
        [_] if writes.contains(method) => Some(Route::Group(subscription, home, name())),
        [_, "start"] if post => act(Verb::Start),
        [_, "stop"] if post => act(Verb::Stop),
        [_, "restart"] if post => act(Verb::Restart),
        [_, "containers", _, "logs"] if get => {
            Some(Route::Logs(subscription, home, name(), given[9].to_owned()))
        }
        [_, "containers", _, "exec"] if post => {
            Some(Route::Exec(subscription, home, name(), given[9].to_owned()))
        }
        _ => None,
    }
}

impl Route {
    /// What faults and counts call it.
    pub(super) fn operation(&self, method: &Method) -> Operation {
        match self {
            Self::Group(..) if *method == Method::PUT => Operation::Put,
            Self::Group(..) if *method == Method::PATCH => Operation::Patch,
            Self::Group(..) if *method == Method::DELETE => Operation::Delete,
            Self::Groups(..) => Operation::List,
            Self::Group(..) => Operation::Get,
            Self::Act(.., Verb::Start) => Operation::Start,
            Self::Act(.., Verb::Stop) => Operation::Stop,
            Self::Act(.., Verb::Restart) => Operation::Restart,
            Self::Logs(..) => Operation::Logs,
            Self::Exec(..) => Operation::Exec,
            Self::OperationStatus(..) | Self::OperationResult(..) => Operation::Poll,
            Self::ResourceGroups(..) | Self::ResourceGroup(..) => Operation::ResourceGroup,
            Self::Assignments(..) | Self::Assignment(..) => Operation::RoleAssignment,
            _ => Operation::Other,
        }
    }

    /// The container group's name.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Self::Group(_, _, name)
            | Self::Act(_, _, name, _)
            | Self::Logs(_, _, name, _)
            | Self::Exec(_, _, name, _) => Some(name),
            _ => None,
        }
    }

    /// The subscription's id.
    pub(super) fn subscription(&self) -> Option<&str> {
        match self {
            Self::Metadata | Self::Subscriptions => None,
            Self::Assignments(scope)
            | Self::Assignment(scope, _)
            | Self::Roles(scope)
            | Self::Role(scope, _) => scope.split('/').nth(2),
            Self::Subscription(id)
            | Self::Locations(id)
            | Self::Provider(id, _)
            | Self::Register(id, ..)
            | Self::ResourceGroups(id)
            | Self::ResourceGroup(id, _)
            | Self::Contents(id, _)
            | Self::Groups(id, _)
            | Self::Group(id, ..)
            | Self::Act(id, ..)
            | Self::Logs(id, ..)
            | Self::Exec(id, ..)
            | Self::Identities(id, _)
            | Self::Identity(id, ..)
            | Self::OperationStatus(id, _)
            | Self::OperationResult(id, _)
            | Self::Storage(id, _) => Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let s = || "s".to_owned();
        let place = || ("s".to_owned(), "Rg".to_owned(), "web".to_owned());
        let aci = "/subscriptions/s/resourcegroups/Rg/providers/microsoft.containerinstance";
        let group = |rest: &str| format!("{aci}//containerGroups/web{rest}");
        let (a, b, c) = place();
        let cases = [
            (Method::GET, "/metadata/endpoints".to_owned(), Some(Route::Metadata)),
            (Method::GET, "//subscriptions".to_owned(), Some(Route::Subscriptions)),
            (Method::GET, "/Subscriptions/s/locations".to_owned(), Some(Route::Locations(s()))),
            (
                Method::HEAD,
                "/subscriptions/s/resourcegroups/Rg".to_owned(),
                Some(Route::ResourceGroup(s(), b.clone())),
            ),
            (
                Method::POST,
                "/subscriptions/s/providers/X.Y/register".to_owned(),
                Some(Route::Register(s(), "X.Y".to_owned(), true)),
            ),
            (
                Method::GET,
                format!("{aci}/CONTAINERGROUPS"),
                Some(Route::Groups(s(), Some(b.clone()))),
            ),
            (Method::PUT, group(""), Some(Route::Group(a.clone(), b.clone(), c.clone()))),
            (
                Method::POST,
                group("/stop"),
                Some(Route::Act(a.clone(), b.clone(), c.clone(), Verb::Stop)),
            ),
            (
                Method::GET,
                group("/containers/App/logs"),
                Some(Route::Logs(a.clone(), b.clone(), c.clone(), "App".to_owned())),
            ),
            (
                Method::POST,
                group("/containers/App/exec"),
                Some(Route::Exec(a, b, c, "App".to_owned())),
            ),
            (Method::POST, group(""), None),
            (Method::GET, group("/stop"), None),
            (
                Method::GET,
                "/subscriptions/s/resourcegroups/Rg/providers/other/containerGroups".to_owned(),
                None,
            ),
            (Method::GET, "/".to_owned(), None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(parse(&method, &path), expected, "{method} {path}");
        }
    }
}
