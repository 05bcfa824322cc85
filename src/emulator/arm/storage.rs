//! The paths of `Microsoft.Storage`.

use axum::http::Method;
use serde_json::{Value, json};

use super::authorize::{Demand, home, resource, sub, verb};
use super::{Arm, found};
use crate::emulator::model::{ACCOUNT_TYPE, Error, Reply, STORAGE_NAMESPACE};
use crate::emulator::storage::StorageError;

/// A place of the storage provider. The fields are resource group, account and container.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    CheckName,
    Operation(String),
    Accounts(Option<String>),
    Account(String, String),
    Keys(String, String),
    Service(String, String),
    Policy(String, String),
    Containers(String, String),
    Container(String, String, String),
}

/// The place of a path, given as it is and in lower case.
pub(super) fn parse(method: &Method, given: &[&str], words: &[&str]) -> Option<Place> {
    let ours = STORAGE_NAMESPACE.to_ascii_lowercase();
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    let one_of = |methods: &[Method]| methods.contains(method);
    let text = |index: usize| given[index].to_owned();
    match words {
        ["subscriptions", _, "providers", ns, rest @ ..] if *ns == ours => match rest {
            ["checknameavailability"] if post => Some(Place::CheckName),
            ["storageaccounts"] if get => Some(Place::Accounts(None)),
            ["locations", _, "asyncoperations", _] if get => Some(Place::Operation(text(7))),
            _ => None,
        },
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            ns,
            "storageaccounts",
            rest @ ..,
        ] if *ns == ours => {
            let account = || (text(3), text(7));
            let whole = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
            let (group, name) = match rest {
                [] if get => return Some(Place::Accounts(Some(text(3)))),
                [] => return None,
                _ => account(),
            };
            match rest {
                [_] if one_of(&whole) => Some(Place::Account(group, name)),
                [_, "listkeys"] if post => Some(Place::Keys(group, name)),
                [_, "managementpolicies", "default"]
                    if one_of(&[Method::GET, Method::PUT, Method::DELETE]) =>
                {
                    Some(Place::Policy(group, name))
                }
                [_, "blobservices", "default"] if one_of(&[Method::GET, Method::PUT]) => {
                    Some(Place::Service(group, name))
                }
                [_, "blobservices", "default", "containers"] if get => {
                    Some(Place::Containers(group, name))
                }
                [_, "blobservices", "default", "containers", _]
                    if one_of(&[Method::GET, Method::PUT, Method::DELETE]) =>
                {
                    Some(Place::Container(group, name, text(11)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

impl Place {
    /// What serving it takes.
    pub(super) fn demand(&self, subscription: &str, method: &Method) -> Demand {
        let account = |group: &str, name: &str| resource(subscription, group, ACCOUNT_TYPE, name);
        let below = |group: &str, name: &str, what: &str| {
            Demand::Action(format!("{ACCOUNT_TYPE}/{what}/{}", verb(method)), account(group, name))
        };
        let read = format!("{ACCOUNT_TYPE}/read");
        match self {
            Self::CheckName => {
                let action = format!("{STORAGE_NAMESPACE}/checknameavailability/read");
                Demand::Action(action, sub(subscription))
            }
            Self::Operation(_) => Demand::Track,
            Self::Accounts(None) => Demand::Listed(read, sub(subscription)),
            Self::Accounts(Some(group)) => Demand::Action(read, home(subscription, group)),
            Self::Account(group, name) => {
                let action = format!("{ACCOUNT_TYPE}/{}", verb(method));
                Demand::Action(action, account(group, name))
            }
            Self::Keys(group, name) => {
                Demand::Action(format!("{ACCOUNT_TYPE}/listkeys/action"), account(group, name))
            }
            Self::Service(group, name) => below(group, name, "blobServices"),
            Self::Policy(group, name) => below(group, name, "managementPolicies"),
            Self::Containers(group, name) => below(group, name, "blobServices/containers"),
            Self::Container(group, name, container) => {
                let action = format!("{ACCOUNT_TYPE}/blobServices/containers/{}", verb(method));
                let service = format!("{}/blobServices/default", account(group, name));
                Demand::Action(action, format!("{service}/containers/{container}"))
            }
        }
    }
}

impl Arm {
    /// Answers at a place of the storage provider.
    pub(super) async fn account(
        &self,
        method: &Method,
        place: &Place,
        body: &Value,
    ) -> Result<Reply, Error> {
        let world = &self.world;
        match place {
            Place::CheckName => {
                let name = body["name"].as_str().unwrap_or_default();
                Ok(world.look(|azure, _| azure.check_account_name(name)))
            }
            Place::Operation(id) => world.read(|azure, now| azure.account_operation(now, id)),
            Place::Accounts(home) => {
                let all = world.read(|azure, now| azure.list_accounts(now, home.as_deref()))?;
                Ok(found(json!({ "value": all })))
            }
            Place::Account(home, name) if *method == Method::PUT => {
                self.put_account(home, name, body).await
            }
            Place::Account(home, name) => world.on(method, |azure, now| match *method {
                Method::PATCH => azure.patch_account(now, home, name, body),
                Method::DELETE => azure.delete_account(now, home, name),
                _ => azure.get_account(now, home, name),
            }),
            Place::Keys(home, name) => {
                let created = world.read(|azure, now| azure.get_account(now, home, name))?;
                let created = &created.body.unwrap_or_default()["properties"]["creationTime"];
                let keys = self.storage.keys(&name.to_ascii_lowercase());
                let view = |(name, value)| json!({"keyName": name, "value": value, "permissions": "FULL", "creationTime": created});
                let keys: Vec<_> = keys.into_iter().map(view).collect();
                Ok(Reply { status: 200, body: Some(json!({"keys": keys})), poll: None })
            }
            Place::Service(home, name) => world.on(method, |azure, now| match *method {
                Method::PUT => azure.put_blob_service(now, home, name, body),
                _ => azure.get_blob_service(now, home, name),
            }),
            Place::Policy(home, name) => world.on(method, |azure, now| match *method {
                Method::PUT => azure.put_management_policy(now, home, name, body),
                Method::DELETE => azure.delete_management_policy(now, home, name),
                _ => azure.get_management_policy(now, home, name),
            }),
            Place::Containers(home, name) => {
                world.read(|azure, now| azure.list_containers(now, home, name))
            }
            Place::Container(home, account, name) => {
                self.container(method, (home, account), name, body).await
            }
        }
    }

    /// A new account is there when its blobs can be served.
    async fn put_account(&self, home: &str, name: &str, body: &Value) -> Result<Reply, Error> {
        self.storage.check_installed().map_err(|error| unavailable(&error))?;
        let (reply, new) =
            self.world.with(|azure, now| azure.put_account(now, home, name, body))?;
        // One of this name may have been here before.
        if new && let Err(error) = self.storage.empty(name).await {
            self.world.with(|azure, now| azure.delete_account(now, home, name))?;
            return Err(unavailable(&error));
        }
        Ok(reply)
    }

    /// What ARM says of a container is what the blob endpoint has.
    async fn container(
        &self,
        method: &Method,
        (home, account): (&str, &str),
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let place = (home, account);
        let reply = self.world.on(method, |azure, now| match *method {
            Method::PUT => azure.put_container(now, place, name, body),
            Method::DELETE => azure.delete_container(now, place, name),
            _ => azure.get_container(now, place, name),
        })?;
        let account = account.to_ascii_lowercase();
        let done = match *method {
            Method::PUT => self.storage.create_container(&account, name).await,
            Method::DELETE => self.storage.delete_container(&account, name).await,
            _ => Ok(()),
        };
        done.map_err(|error| unavailable(&error)).map(|()| reply)
    }
}

/// Local Azure's own refusal: no Azure says this.
fn unavailable(error: &StorageError) -> Error {
    Error::new(503, "LocalBlobServiceUnavailable", error.to_string())
}
