//! Who asks: a world in which each principal has rights on some resource groups.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use aci_operator::azure::graph::Graph;
use aci_operator::core::container_group::{Body, Group, GroupId, Scope};
use aci_operator::core::{Credential, Fault, Secret};
use aci_operator::ports::{
    Azure, Clients, ContainerGroups, ExecSession, ResourceGroups, TerminalSize,
};

use super::graph::Wire;
use super::world::{Arm, World};

/// The subscription of the operator's own identity.
pub(crate) const OWN: &str = "00000000-0000-4000-8000-000000000001";
/// A client secret that Entra ID does not take.
pub(crate) const EXPIRED: &str = "expired";

/// The clients of a world.
pub(crate) struct Principals {
    own: Azure,
    world: Arc<World>,
    others: Mutex<HashMap<Credential, Azure>>,
}

impl Principals {
    pub(crate) fn of(world: &Arc<World>) -> Self {
        Self {
            own: Azure {
                principal: String::new(),
                groups: Arc::new(Arm(world.clone())),
                resource_groups: world.clone(),
                directory: Arc::new(Graph::new(Wire { world: world.clone(), tenant: None })),
                subscription: Some(OWN.to_owned()),
            },
            world: world.clone(),
            others: Mutex::default(),
        }
    }
}

impl Clients for Principals {
    fn own(&self) -> Azure {
        self.own.clone()
    }

    fn of(&self, credential: &Credential) -> Result<Azure, String> {
        let make = || {
            let world = self.world.clone();
            let eyes = Arc::new(Eyes { arm: Arm(world.clone()), credential: credential.clone() });
            let tenant = Some(credential.tenant.clone());
            Azure {
                principal: credential.principal(),
                groups: eyes.clone(),
                resource_groups: eyes,
                directory: Arc::new(Graph::new(Wire { world, tenant })),
                subscription: credential.subscription.clone(),
            }
        };
        let mut others = self.others.lock().unwrap();
        Ok(others.entry(credential.clone()).or_insert_with(make).clone())
    }
}

/// ARM, as one principal may see it.
struct Eyes {
    arm: Arm,
    credential: Credential,
}

impl Eyes {
    fn may(&self, resource_group: Option<&str>) -> Result<(), Fault> {
        let forbidden =
            |service, message: &str| Fault::Forbidden { service, message: message.to_owned() };
        if self.credential.secret.as_ref().is_some_and(|secret| secret.reveal() == EXPIRED) {
            return Err(forbidden("Entra ID", "AADSTS7000222: the client secret is expired"));
        }
        let mut state = self.arm.0.state();
        *state.asked.entry(self.credential.client.clone()).or_default() += 1;
        let rights = state.rights.get(&self.credential.client);
        let may = resource_group.is_some_and(|name| rights.is_some_and(|r| r.contains(name)));
        if may { Ok(()) } else { Err(forbidden("ARM", "the client does not have authorization")) }
    }
}

#[async_trait]
impl ContainerGroups for Eyes {
    async fn get(&self, id: &GroupId) -> Result<Option<Group>, Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.get(id).await
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Group>, Fault> {
        self.may(match scope {
            Scope::Subscription(_) => None,
            Scope::ResourceGroup { name, .. } => Some(name),
        })?;
        self.arm.list(scope).await
    }

    async fn put(&self, id: &GroupId, body: &Body) -> Result<(), Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.put(id, body).await
    }

    async fn tag(&self, id: &GroupId, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.tag(id, tags).await
    }

    async fn delete(&self, id: &GroupId) -> Result<(), Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.delete(id).await
    }

    async fn logs(
        &self,
        id: &GroupId,
        container: &str,
        tail: Option<u32>,
        timestamps: bool,
    ) -> Result<String, Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.logs(id, container, tail, timestamps).await
    }

    async fn exec(
        &self,
        id: &GroupId,
        container: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecSession>, Fault> {
        self.may(Some(&id.resource_group))?;
        self.arm.exec(id, container, command, size).await
    }
}

#[async_trait]
impl ResourceGroups for Eyes {
    async fn exists(&self, subscription: &str, name: &str) -> Result<bool, Fault> {
        self.may(Some(name))?;
        self.arm.0.exists(subscription, name).await
    }

    async fn create(&self, subscription: &str, name: &str, location: &str) -> Result<(), Fault> {
        self.may(Some(name))?;
        self.arm.0.create(subscription, name, location).await
    }
}

impl World {
    /// A principal may do everything in these resource groups.
    pub(crate) fn grant(&self, client: &str, resource_groups: &[&str]) {
        let names = resource_groups.iter().map(|name| (*name).to_owned()).collect();
        self.state().rights.insert(client.to_owned(), names);
    }

    /// How often a principal asked ARM, since this was last asked.
    pub(crate) fn asked(&self, client: &str) -> u32 {
        self.state().asked.remove(client).unwrap_or_default()
    }
}

/// The keys of a Secret.
pub(crate) fn keys(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), Secret::new(*text))).collect()
}
