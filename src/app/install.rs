//! The operator's own installation in Azure: looked at, made, taken back.
//!
//! What it consists of is [`core::install`](crate::core::install)'s business; here each resource is read,
//! compared and, where it differs, put and waited for, one after the other. A run that was interrupted is
//! gone on with by the next: it starts from what is there.

use std::sync::Arc;

use kube::Resource as _;
use serde_json::{Value, json};

use super::{App, Error, Result, wire};
use crate::api::ContainerGroup;
use crate::core::Fault;
use crate::core::install::{self, action, resources};
pub use crate::core::install::{Action, Facts, Resource, Sort, Wanted};
use crate::ports::{ContainerGroups, Grants, Resources};
use crate::reconcile::Kind as _;

mod patience;
mod removal;
mod upgrade;

pub use removal::Removal;

use patience::{Look, Patience};

/// What is asked for, before defaults.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Subscription; else the one in use.
    pub subscription: Option<String>,
    /// Resource group.
    pub resource_group: String,
    /// Region.
    pub location: String,
    /// Name of identity and container group.
    pub name: String,
    /// Storage account; else a name that follows from the rest.
    pub account: Option<String>,
    /// Resource groups in which container groups may be made.
    pub manage: Vec<String>,
    /// Managed identities that container groups may carry.
    pub identities: Vec<String>,
    /// Object ids of readers.
    pub readers: Vec<String>,
    /// Object ids of writers.
    pub writers: Vec<String>,
    /// The operator's image.
    pub image: String,
    /// The operator may put another image into its own container group.
    pub self_update: bool,
}

/// One resource of the plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// The resource.
    pub resource: Resource,
    /// What is to be done about it.
    pub action: Action,
}

/// What a run tells while it works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// At work on this.
    Doing(String),
    /// It was written.
    Done(String),
    /// It was as wanted already.
    Kept(String),
    /// What is waited for.
    Waiting(String),
}

/// An installation that is there, or could be.
pub struct Installation {
    /// What it is to be.
    pub wanted: Wanted,
    resources: Arc<dyn Resources>,
    groups: Arc<dyn ContainerGroups>,
    grants: Arc<dyn Grants>,
}

impl App {
    /// The installation that is asked for, in the app's cloud.
    ///
    /// # Errors
    /// No subscription is known, or the cloud cannot be spoken to.
    pub async fn installation(&self, request: Request) -> Result<Installation> {
        let wire::Ground { resources, groups, grants, subscription, environment } =
            wire::ground(self).await?;
        let subscription = request.subscription.or(subscription).ok_or(Error::NoSubscription)?;
        let scope =
            format!("/subscriptions/{subscription}/resourceGroups/{}", request.resource_group);
        let account =
            request.account.unwrap_or_else(|| install::account_name(&scope, &request.name));
        let wanted = Wanted {
            subscription,
            resource_group: request.resource_group,
            location: request.location,
            name: request.name,
            account,
            manage: request.manage,
            identities: request.identities,
            readers: request.readers,
            writers: request.writers,
            image: request.image,
            self_update: request.self_update,
            environment,
        };
        Ok(Installation { wanted, resources, groups, grants })
    }
}

impl Installation {
    /// Whether it can be made as it is asked for.
    ///
    /// # Errors
    /// A name cannot be had, or a right would be given too widely.
    pub fn check(&self) -> Result<()> {
        install::check(&self.wanted).map_err(|invalid| Error::Install {
            problem: invalid.to_string(),
            remedy: String::new(),
        })
    }

    /// What is there, and what is to be done: reads alone.
    pub async fn plan(&self) -> Result<Vec<Step>> {
        let mut facts = Facts::default();
        let mut steps = Vec::new();
        for index in 0.. {
            let Some(resource) = resources(&self.wanted, &facts).into_iter().nth(index) else {
                return Ok(steps);
            };
            // What waits for a fact belongs to something that is not there.
            let seen = if resource.waiting { None } else { self.see(&resource).await? };
            if let Some(seen) = &seen {
                facts.learn(resource.sort, seen);
            }
            let action = action(&self.wanted, &resource, seen.as_ref());
            steps.push(Step { resource, action });
        }
        Ok(steps)
    }

    /// Makes what is missing and changes what differs; ends when the operator runs.
    ///
    /// # Errors
    /// Something of a name is somebody else's, a right is missing, or Azure does not get there.
    pub async fn make(&self, tell: &mut (dyn FnMut(News) + Send)) -> Result<()> {
        let mut facts = Facts::default();
        let patience = &mut Patience::new(tell);
        for index in 0.. {
            let Some(resource) = resources(&self.wanted, &facts).into_iter().nth(index) else {
                return Ok(());
            };
            let seen = patience.with(async || self.see(&resource).await).await?;
            let purpose = resource.purpose.clone();
            let seen = match (action(&self.wanted, &resource, seen.as_ref()), seen) {
                (Action::Refuse, _) => return Err(somebody_elses(&resource)),
                (Action::Keep, Some(seen)) => {
                    patience.tell(News::Kept(purpose));
                    seen
                }
                _ => {
                    patience.tell(News::Doing(purpose.clone()));
                    self.put(&resource, patience).await?;
                    if resource.sort == Sort::Assignment {
                        patience.gave_rights();
                    }
                    let seen = self.settled(&resource, patience).await?;
                    patience.tell(News::Done(purpose));
                    seen
                }
            };
            if resource.sort == Sort::Group {
                self.running(&resource, patience).await?;
            }
            facts.learn(resource.sort, &seen);
        }
        Ok(())
    }

    /// What an administrator has to do for the operator to make app registrations; nothing where it may
    /// already. Who may not look is told all the same.
    ///
    /// # Errors
    /// There is no such installation.
    pub async fn graph_grant(&self) -> Result<Option<String>> {
        let facts = self.facts().await?;
        let principal = facts.principal.ok_or_else(not_there)?;
        let granted = self.grants.may_own_applications(&principal).await;
        Ok(if granted.unwrap_or(false) { None } else { Some(self.grants.grant(&principal).await) })
    }

    /// The home, as `--home` takes it, where its account is there.
    pub async fn home(&self) -> Result<Option<String>> {
        Ok(self.facts().await?.blob.as_deref().map(install::home_url))
    }

    /// The manifest with which the operator keeps its own container group, as that runs now.
    ///
    /// # Errors
    /// There is no such installation.
    pub async fn manifest(&self) -> Result<Value> {
        let facts = self.facts().await?;
        let all = resources(&self.wanted, &facts);
        let group = all.iter().find(|resource| resource.sort == Sort::Group);
        let Some(group) = group.filter(|group| !group.waiting) else { return Err(not_there()) };
        let seen = self.see(group).await?.ok_or_else(not_there)?;
        Ok(json!({
            "apiVersion": ContainerGroup::api_version(&()),
            "kind": ContainerGroup::KIND,
            "metadata": {"name": self.wanted.name},
            "spec": install::spec(&self.wanted, &facts, &seen),
        }))
    }

    /// What identity and account say, as far as they are there.
    async fn facts(&self) -> Result<Facts> {
        let mut facts = Facts::default();
        let all = resources(&self.wanted, &facts);
        let telling = |sort: &Sort| matches!(sort, Sort::Identity | Sort::Account);
        for resource in all.iter().filter(|resource| telling(&resource.sort)) {
            if let Some(seen) = self.see(resource).await? {
                facts.learn(resource.sort, &seen);
            }
        }
        Ok(facts)
    }

    async fn see(&self, resource: &Resource) -> Result<Option<Value>, Fault> {
        self.resources.get(&resource.id, resource.api_version).await
    }

    async fn put(&self, resource: &Resource, patience: &mut Patience<'_>) -> Result<()> {
        let Resource { id, api_version, body, .. } = resource;
        patience.with(async || self.resources.put(id, api_version, body).await).await
    }

    /// Waits until ARM is done with what was put.
    async fn settled(&self, resource: &Resource, patience: &mut Patience<'_>) -> Result<Value> {
        let waiting = |state: &str| Look::Waiting(format!("{}: {state}", resource.purpose), None);
        let look = |seen: Option<Value>| {
            let Some(seen) = seen else { return waiting("not shown yet") };
            match seen["properties"]["provisioningState"].as_str() {
                None | Some("Succeeded") => Look::Found(seen),
                Some("Failed") => Look::Never(failed(resource, &seen)),
                Some(state) => waiting(state),
            }
        };
        patience.until(async || self.see(resource).await, look).await
    }

    /// Waits until the operator's container runs.
    async fn running(&self, resource: &Resource, patience: &mut Patience<'_>) -> Result<()> {
        let look = |seen: Option<Value>| {
            let state = match seen.as_ref().map_or("", container_state) {
                "Running" => return Look::Found(()),
                "" => "not started",
                state => state,
            };
            let what = format!("the operator's container is {state}");
            Look::Waiting(what, seen.map(|seen| failed(resource, &seen)))
        };
        patience.until(async || self.see(resource).await, look).await
    }
}

/// The state of the group's first container: `Running`, `Waiting`, `Terminated`; empty before it has one.
fn container_state(group: &Value) -> &str {
    let container = &group["properties"]["containers"][0]["properties"]["instanceView"];
    container["currentState"]["state"].as_str().unwrap_or_default()
}

fn somebody_elses(resource: &Resource) -> Error {
    Error::Install {
        problem: format!("{} is there and was not made by this installation", resource.id),
        remedy: "choose another --name, --storage-account or --resource-group".to_owned(),
    }
}

fn not_there() -> Error {
    Error::Install {
        problem: "there is no such installation".to_owned(),
        remedy: "`aci-operator install azure` makes one; --resource-group and --name say which"
            .to_owned(),
    }
}

fn failed(resource: &Resource, seen: &Value) -> Error {
    let group = &seen["properties"];
    let container = &group["containers"][0]["properties"]["instanceView"];
    let last = |view: &Value| {
        let events = view["events"].as_array().into_iter().flatten();
        let told = events.filter_map(|event| event["message"].as_str()).next_back();
        told.map(str::to_owned)
    };
    let ended = &container["currentState"];
    let code = ended["exitCode"].as_i64().map(|code| format!("its container ended with {code}"));
    let why = last(&group["instanceView"]).or_else(|| last(container)).or(code);
    Error::Install {
        problem: format!(
            "{} does not get there: {}",
            resource.id,
            why.unwrap_or_else(|| group["provisioningState"].to_string())
        ),
        remedy: "run it again: it goes on from what is there".to_owned(),
    }
}
