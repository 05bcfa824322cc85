//! The kind `ContainerGroup`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;

use super::monitor::Endpoint;
use super::{Ctx, Kind, Resolved, identity};
use crate::api::{AppRegistration, ContainerGroup, Issuer};
use crate::core::certificate::{self, LeafFacts, Pair};
use crate::core::container_group::{
    Decision, Desired, Effect, Follower, Group, GroupId, Memory, Observed, Pending, Served, Step,
    StoredLeaf, origins, plan, settle, sidecar_start,
};
use crate::core::{Fault, Goal, Invalid, Plan, sidecar};
use crate::ports::{Azure, Entry, ObjectKey, Phase, Requests};

mod desired;
mod dialogue;
mod preview;
mod status;

pub use preview::{Preview, preview};

/// Name under which a subscription is pinned in the ledger.
const SUBSCRIPTION: &str = "subscriptionId";

#[async_trait]
impl Kind for ContainerGroup {
    const KIND: &'static str = "ContainerGroup";
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Effect = Effect;
    type Memory = Memory;
    type Facts = Facts;

    fn references(&self) -> Vec<ObjectKey> {
        let issuer = self.spec.tls.as_ref().map(|tls| &tls.issuer_ref.name);
        let key = self.key();
        let issuer = issuer.map(|name| key.beside(Issuer::KIND, name));
        let variables = self.spec.containers.iter().flat_map(|c| &c.environment_variables);
        let published = variables.filter_map(|variable| variable.value_from.as_ref());
        let published = published
            .map(|source| key.beside(AppRegistration::KIND, source.app_registration.name.as_str()));
        issuer.into_iter().chain(published).collect()
    }

    fn identity(&self) -> Option<identity::Source> {
        Some(identity::Source::named(&self.key(), self.spec.identity_ref.as_ref()))
    }

    async fn resolve(
        &self,
        entry: &Entry,
        ctx: &Ctx,
    ) -> Result<Result<Resolved<Desired>, Invalid>, Fault> {
        desired::resolve(self, entry, ctx).await
    }

    async fn pins(&self, azure: &Azure) -> Result<Vec<(&'static str, String)>, Fault> {
        let subscription = self.spec.subscription_id.as_ref().or(azure.subscription.as_ref());
        Ok(subscription.map(|id| (SUBSCRIPTION, id.clone())).into_iter().collect())
    }

    async fn observe(
        &self,
        entry: &Entry,
        memory: Memory,
        requests: Requests,
        azure: &Azure,
        ctx: &Ctx,
    ) -> Result<Result<Observed, Invalid>, Fault> {
        let id = match group_id(self, entry) {
            Ok(id) => id,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let group = azure.groups.get(&id).await?;
        let resource_group = match &group {
            Some(_) => true,
            None => azure.resource_groups.exists(&id.subscription, &id.resource_group).await?,
        };
        let own = is_own(&id, ctx);
        let trial = if own { azure.groups.get(&id.trial()).await? } else { None };
        // Without TLS there is none to look for, and most groups of many may be without.
        let leaf = match self.spec.tls {
            Some(_) => ctx.secrets.pair(&entry.key).await?.map(stored_leaf).transpose()?,
            None => None,
        };
        let endpoint = endpoint(self, group.as_ref());
        let served = served(endpoint.as_ref(), ctx).await;
        let source = identity::Source::named(&entry.key, self.spec.identity_ref.as_ref());
        ctx.sightings.see(&entry.key, source, &id, group.as_ref(), endpoint, &served);
        let (owner, made) = (owner(entry, ctx), entry.phase == Phase::Made);
        let known = origins::known(&memory.origins, group.as_ref());
        let followers = followers(&entry.key, &known, ctx).await?;
        Ok(Ok(Observed {
            group,
            resource_group,
            leaf,
            served,
            own,
            trial,
            owner,
            made,
            memory,
            requests,
            followers,
        }))
    }

    fn plan(
        goal: Goal<&Desired>,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> (Plan<Step, Memory>, Facts) {
        let Decision { plan, pending } = plan(goal, observed, now);
        let facts = Facts::of(&plan.memory, pending);
        (plan, facts)
    }

    fn step_name(step: &Step) -> &'static str {
        step.name()
    }

    async fn perform(
        &self,
        entry: &Entry,
        step: &Step,
        azure: &Azure,
        ctx: &Ctx,
    ) -> Result<Effect, Fault> {
        let id = group_id(self, entry).map_err(|invalid| Fault::Refused {
            service: "manifest",
            code: "Invalid".to_owned(),
            message: invalid.to_string(),
        })?;
        match step {
            Step::CreateResourceGroup => {
                let (subscription, name) = (&id.subscription, &id.resource_group);
                azure.resource_groups.create(subscription, name, &self.spec.location).await?;
            }
            Step::IssueLeaf(request) => {
                let root = desired::root(self, ctx).await?;
                ctx.secrets.set_pair(&entry.key, &ctx.authority.leaf(&root, request)?).await?;
            }
            Step::StoreLeaf(pair) => ctx.secrets.set_pair(&entry.key, pair).await?,
            Step::TryExec => {
                let tried = dialogue::trial(&id, azure, ctx).await;
                return Ok(Effect::Tried(answered(tried)?));
            }
            Step::SwapLeaf(pair) => {
                let swapped = dialogue::swap(&id, pair, azure, ctx).await;
                return Ok(Effect::Swapped(answered(swapped)?));
            }
            Step::TellOrigins(origins) => {
                let told = dialogue::publish(&id, origins, azure, ctx).await;
                return Ok(Effect::Told(answered(told)?));
            }
            Step::Tag(tags) => azure.groups.tag(&id, tags).await?,
            Step::Put(body) => azure.groups.put(&id, body).await?,
            Step::Delete => azure.groups.delete(&id).await?,
            Step::PutTrial(body) => azure.groups.put(&id.trial(), body).await?,
            Step::DeleteTrial => azure.groups.delete(&id.trial()).await?,
        }
        Ok(Effect::Accepted)
    }

    fn settle(
        memory: Memory,
        step: &Step,
        observed: &Observed,
        result: &Result<Effect, Fault>,
        now: DateTime<Utc>,
    ) -> Memory {
        let start = observed.group.as_ref().and_then(sidecar_start);
        settle(memory, step, start, result, now)
    }

    /// An address that is lost leaves the published origins, whatever else cannot be done.
    fn undecided(&self, observed: &Observed) -> Option<(Memory, Facts)> {
        let hosts = self.spec.tls.as_ref().map(|tls| tls.hosts.as_slice()).unwrap_or_default();
        let memory = origins::remaining(hosts, observed);
        let facts = Facts::of(&memory, None);
        Some((memory, facts))
    }

    fn status(&self, entry: &Entry, observed: &Observed, facts: &Facts) -> Value {
        status::status(self, entry, observed, facts)
    }

    fn certificate(status: &Value) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let time = |name: &str| status["certificate"][name].as_str()?.parse().ok();
        Some((time("notAfter")?, time("renewalTime")))
    }
}

/// What the decision about a group says beside the plan.
pub struct Facts {
    /// The change that waits for approval.
    pub pending: Option<Pending>,
    /// Its public origins.
    pub origins: BTreeSet<String>,
    /// Counts changes of them.
    pub origins_revision: u64,
}

impl Facts {
    fn of(memory: &Memory, pending: Option<Pending>) -> Self {
        let (origins, origins_revision) = (memory.origins.clone(), memory.origins_revision);
        Self { pending, origins, origins_revision }
    }
}

/// The app registrations whose redirect URIs follow the group, and those that did and still have some of
/// its `origins`.
async fn followers(
    group: &ObjectKey,
    origins: &BTreeSet<String>,
    ctx: &Ctx,
) -> Result<Vec<Follower>, Fault> {
    let mut followers = Vec::new();
    for entry in ctx.ledger.beside(group, AppRegistration::KIND).await? {
        let spec = &entry.manifest["spec"];
        let named = spec["containerGroupRef"]["name"] == group.name.as_str();
        if !named && origins.is_empty() {
            continue;
        }
        let status = ctx.ledger.status(&entry.key).await?.unwrap_or_default();
        let held = BTreeSet::deserialize(&status["held"]).unwrap_or_default();
        if !named && held.is_disjoint(origins) {
            continue;
        }
        followers.push(Follower {
            origins: BTreeSet::deserialize(&status["origins"]).unwrap_or_default(),
            held,
            seen: status["seenOriginsRevision"].as_u64(),
            named,
            addresses: spec["ipRedirectUris"] == true,
            name: entry.key.name,
        });
    }
    Ok(followers)
}

/// Exec that does not work is an answer; what asks for a wait, and our own store, are none.
fn answered<T>(result: Result<Result<T, String>, Fault>) -> Result<Result<T, String>, Fault> {
    match result {
        Err(fault @ (Fault::Throttled { .. } | Fault::Busy { .. } | Fault::Store { .. })) => {
            Err(fault)
        }
        Err(fault) => Ok(Err(fault.to_string())),
        Ok(answer) => Ok(answer),
    }
}

/// Names the group in ARM.
fn group_id(object: &ContainerGroup, entry: &Entry) -> Result<GroupId, Invalid> {
    let Some(subscription) = entry.pinned.get(SUBSCRIPTION) else {
        let problem = "no subscription is known: set it here, or AZURE_SUBSCRIPTION_ID where its \
                       identity is from, or a default with `az account set`";
        return Err(Invalid::new("spec.subscriptionId", problem));
    };
    Ok(GroupId {
        subscription: subscription.clone(),
        resource_group: object.spec.resource_group.clone(),
        name: entry.key.name.clone(),
    })
}

/// Whether the operator itself runs in the group.
fn is_own(id: &GroupId, ctx: &Ctx) -> bool {
    ctx.own_group.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&id.to_string()))
}

/// Value of the owner tag: home and object.
fn owner(entry: &Entry, ctx: &Ctx) -> String {
    format!("{}/{}", ctx.home_id, entry.uid)
}

fn stored_leaf(pair: Pair) -> Result<StoredLeaf, Fault> {
    let facts = certificate::Observed::of(&pair).map_err(|problem| Fault::Store {
        what: "stored leaf".to_owned(),
        problem: problem.to_string(),
    })?;
    Ok(StoredLeaf { pair, facts })
}

/// Where the sidecar answers.
fn endpoint(object: &ContainerGroup, group: Option<&Group>) -> Option<Endpoint> {
    let tls = object.spec.tls.as_ref()?;
    let ip = group?.ip?;
    let name = group?.fqdn.clone().or_else(|| tls.hosts.first().cloned());
    Some(Endpoint {
        address: SocketAddr::new(ip, sidecar::PORT),
        server_name: name.unwrap_or_else(|| ip.to_string()),
    })
}

/// What a handshake with the endpoint sees.
pub(super) async fn served(endpoint: Option<&Endpoint>, ctx: &Ctx) -> Served {
    let Some(Endpoint { address, server_name }) = endpoint else { return Served::NotTried };
    let chain = match ctx.probe.served(*address, server_name).await {
        Ok(chain) => chain,
        Err(fault) => return Served::Unreachable(fault.to_string()),
    };
    match chain.first().map(|der| LeafFacts::from_der(der)) {
        Some(Ok(facts)) => Served::Leaf {
            fingerprint: facts.fingerprint,
            serial: facts.serial,
            not_after: facts.not_after,
        },
        Some(Err(problem)) => Served::Unreachable(problem.to_string()),
        None => Served::Unreachable("the server presents no certificate".to_owned()),
    }
}
