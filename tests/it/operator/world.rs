//! Azure in memory: the emulator's model behind the ports, with an engine that does at once what it
//! is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use aci_operator::azure::wire::{self, SecretValues};
use aci_operator::core::Fault;
use aci_operator::core::certificate::Pair;
use aci_operator::core::container_group::{Body, Group, GroupId, Scope};
use aci_operator::emulator::faults::{Effect, Operation};
use aci_operator::emulator::model::{Azure, Error, Reply, Settings};
use aci_operator::ports::{
    Clock, ContainerGroups, ExecSession, Probe, Random, ResourceGroups, TerminalSize,
};

use super::engine::Engine;
use super::gate::Gate;
use super::graph::Tenant;
use super::session::Session;

/// The resource group of all manifests here.
pub(crate) const RESOURCE_GROUP: &str = "mon-groupe";
/// The container group of most of them.
pub(crate) const GROUP: &str = "app-with-ssl";
const ARM: &str = "ARM";

/// Everything outside of the process and its home.
pub(crate) struct World {
    pub(crate) gate: Gate,
    begin: Instant,
    state: Mutex<State>,
    /// Changes the body of a PUT before ARM sees it: how another release would have written it.
    pub(crate) rewrite: Mutex<Option<fn(&mut Value)>>,
}

/// The part behind one lock.
pub(crate) struct State {
    pub(crate) azure: Azure,
    pub(crate) engine: Engine,
    pub(crate) tenant: Tenant,
    /// Every write that was tried, in order.
    pub(crate) writes: Vec<&'static str>,
    /// Operations for which our rights do not suffice.
    pub(crate) forbidden: BTreeSet<Operation>,
    /// The answer to the next of these is lost on its way, its effect is not.
    pub(crate) lost: Option<Operation>,
    /// Resource groups in which a principal may do everything, by client id.
    pub(crate) rights: BTreeMap<String, BTreeSet<String>>,
    /// Requests, by the client id of who asked.
    pub(crate) asked: BTreeMap<String, u32>,
    /// Requests, by what they are.
    pub(crate) requests: BTreeMap<Operation, u32>,
    random: u8,
}

impl World {
    /// An empty subscription, now.
    pub(crate) fn new() -> Arc<Self> {
        let network = Ipv4Addr::new(20, 50, 0, 0);
        let state = State {
            azure: Azure::new(Settings { network, ..Settings::default() }),
            engine: Engine::default(),
            tenant: Tenant::default(),
            writes: Vec::new(),
            forbidden: BTreeSet::new(),
            lost: None,
            rights: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: BTreeMap::new(),
            random: 0,
        };
        Arc::new(Self {
            gate: Gate::default(),
            begin: Instant::now(),
            state: Mutex::new(state),
            rewrite: Mutex::default(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Something is written.
    pub(crate) fn note(&self, what: &'static str) {
        self.state().writes.push(what);
    }

    /// Something happens to Azure that is none of ours; the engine follows.
    pub(crate) fn azure<T>(&self, happens: impl FnOnce(&mut Azure, DateTime<Utc>) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        let result = happens(&mut state.azure, now);
        state.work(now);
        result
    }

    /// One fault of the emulator, so many times.
    pub(crate) fn fault(&self, effect: Effect, operation: Option<Operation>, times: u32) {
        let fault = aci_operator::emulator::faults::Fault {
            effect,
            operation,
            group: None,
            container: None,
            times: Some(times),
        };
        self.state().azure.faults().add(fault);
    }

    /// The group as ARM's GET shows it, or null; nobody counts this look.
    pub(crate) fn shown(&self, name: &str) -> Value {
        self.azure(|azure, now| azure.get(now, RESOURCE_GROUP, name).ok().and_then(|r| r.body))
            .unwrap_or_default()
    }

    /// Somebody else's PUT of what is there, changed.
    pub(crate) fn foreign_put(&self, change: impl FnOnce(&mut Value)) {
        self.azure(|azure, now| {
            let mut body = azure.get(now, RESOURCE_GROUP, GROUP).unwrap().body.unwrap();
            for volume in body["properties"]["volumes"].as_array_mut().into_iter().flatten() {
                if volume["secret"].is_object() {
                    volume["secret"] = json!({"file": "eA=="});
                }
            }
            change(&mut body);
            azure.put(now, RESOURCE_GROUP, GROUP, body).unwrap();
        });
    }

    /// Somebody else's PATCH of the tags.
    pub(crate) fn foreign_tags(&self, change: impl FnOnce(&mut Value)) {
        self.azure(|azure, now| {
            let mut body = azure.get(now, RESOURCE_GROUP, GROUP).unwrap().body.unwrap();
            change(&mut body["tags"]);
            azure.patch(now, RESOURCE_GROUP, GROUP, json!({"tags": body["tags"]})).unwrap();
        });
    }

    /// The pair that the group's sidecar serves.
    pub(crate) fn live(&self) -> Option<Pair> {
        self.state().engine.runs().next().and_then(|run| run.live.clone())
    }

    /// One request to ARM.
    async fn request<T>(
        &self,
        operation: Operation,
        group: Option<&str>,
        effect: impl FnOnce(&mut State, DateTime<Utc>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.gate.enter()?;
        let faults = {
            let mut state = self.state();
            *state.requests.entry(operation).or_default() += 1;
            if state.forbidden.contains(&operation) {
                let message = "the client does not have authorization".to_owned();
                return Err(Fault::Forbidden { service: ARM, message });
            }
            state.azure.faults().outward(operation, group)
        };
        for fault in faults {
            match fault {
                Effect::Latency { millis } => sleep(Duration::from_millis(millis)).await,
                other => return Err(outward(&other)),
            }
        }
        let now = self.now();
        let result = {
            let mut state = self.state();
            let result = effect(&mut state, now);
            state.work(now);
            match state.lost.take_if(|lost| *lost == operation) {
                Some(_) => Err(unreachable(ARM, "the connection was reset")),
                None => result,
            }
        };
        self.gate.leave()?;
        result
    }
}

impl State {
    fn work(&mut self, now: DateTime<Utc>) {
        for work in self.azure.take_work() {
            if let Some((group, operation, report)) = self.engine.perform(work, now) {
                self.azure.report(now, &group, &operation, report);
            }
        }
    }

    /// GET asks the engine first, as local Azure does.
    fn look(&mut self, id: &GroupId, now: DateTime<Utc>) {
        if let Some(key) = self.azure.key_of(now, &id.resource_group, &id.name)
            && let Some(run) = self.engine.run(&key)
        {
            let states = run.states.clone();
            self.azure.observe(&key, states);
        }
    }
}

impl Clock for World {
    fn now(&self) -> DateTime<Utc> {
        let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        begin + self.elapsed()
    }
}

impl Random for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.gate.around(|| {
            let mut state = self.state();
            for byte in bytes {
                state.random = state.random.wrapping_mul(5).wrapping_add(113);
                *byte = state.random;
            }
            Ok(())
        })
    }
}

/// The port of container groups, which hands out sessions that hold the world.
pub(crate) struct Arm(pub(crate) Arc<World>);

#[async_trait]
impl ContainerGroups for Arm {
    async fn get(&self, id: &GroupId) -> Result<Option<Group>, Fault> {
        let get = |state: &mut State, now| {
            state.look(id, now);
            match state.azure.get(now, &id.resource_group, &id.name) {
                Ok(Reply { body, .. }) => Ok(body.as_ref().and_then(wire::group)),
                Err(error) if is_absence(&error) => Ok(None),
                Err(error) => Err(refusal(error)),
            }
        };
        self.0.request(Operation::Get, Some(&id.name), get).await
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Group>, Fault> {
        let home = match scope {
            Scope::Subscription(_) => None,
            Scope::ResourceGroup { name, .. } => Some(name.as_str()),
        };
        let list = |state: &mut State, now| match state.azure.list(now, home, 0) {
            Ok(page) => Ok(page.value.iter().filter_map(wire::group).collect()),
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            Err(error) => Err(refusal(error)),
        };
        self.0.request(Operation::List, None, list).await
    }

    async fn put(&self, id: &GroupId, body: &Body) -> Result<(), Fault> {
        let mut body = wire::render(body, &id.name, SecretValues::Shown);
        if let Some(rewrite) = *self.0.rewrite.lock().unwrap() {
            rewrite(&mut body);
        }
        let put = |state: &mut State, now| {
            state.writes.push("Put");
            let put = state.azure.put(now, &id.resource_group, &id.name, body);
            put.map(drop).map_err(refusal)
        };
        self.0.request(Operation::Put, Some(&id.name), put).await
    }

    async fn tag(&self, id: &GroupId, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        let patch = |state: &mut State, now| {
            state.writes.push("Tag");
            let body = json!({ "tags": tags });
            let patch = state.azure.patch(now, &id.resource_group, &id.name, body);
            patch.map(drop).map_err(refusal)
        };
        self.0.request(Operation::Patch, Some(&id.name), patch).await
    }

    async fn delete(&self, id: &GroupId) -> Result<(), Fault> {
        let delete = |state: &mut State, now| {
            state.writes.push("Delete");
            match state.azure.delete(now, &id.resource_group, &id.name) {
                Err(error) if !is_absence(&error) => Err(refusal(error)),
                _ => Ok(()),
            }
        };
        self.0.request(Operation::Delete, Some(&id.name), delete).await
    }

    async fn logs(&self, _: &GroupId, _: &str, _: Option<u32>, _: bool) -> Result<String, Fault> {
        Ok(String::new())
    }

    async fn exec(
        &self,
        id: &GroupId,
        container: &str,
        command: &str,
        _: TerminalSize,
    ) -> Result<Box<dyn ExecSession>, Fault> {
        assert_eq!(command, "/bin/sh");
        let open = |state: &mut State, now| {
            let key = state.azure.exec_in(now, &id.resource_group, &id.name, container);
            let key = key.map_err(refusal)?;
            let effects = state.azure.faults().inward(Operation::Exec, Some(&id.name));
            if effects.contains(&Effect::ExecRefused) {
                let message = "status 403 Forbidden".to_owned();
                return Err(Fault::Forbidden { service: "exec", message });
            }
            let budget = effects.iter().find_map(|effect| match effect {
                Effect::ExecDiesAfter { bytes } => Some(*bytes),
                _ => None,
            });
            Ok((key, budget))
        };
        let (key, budget) = self.0.request(Operation::Exec, Some(&id.name), open).await?;
        Ok(Box::new(Session::new(self.0.clone(), key, budget)))
    }
}

#[async_trait]
impl ResourceGroups for World {
    async fn exists(&self, _: &str, name: &str) -> Result<bool, Fault> {
        let get = |state: &mut State, now| Ok(state.azure.get_resource_group(now, name).is_ok());
        self.request(Operation::ResourceGroup, None, get).await
    }

    async fn create(&self, _: &str, name: &str, location: &str) -> Result<(), Fault> {
        let put = |state: &mut State, now| {
            state.writes.push("CreateResourceGroup");
            let body = json!({ "location": location });
            state.azure.put_resource_group(now, name, &body).map(drop).map_err(refusal)
        };
        self.request(Operation::ResourceGroup, None, put).await
    }
}

#[async_trait]
impl Probe for World {
    async fn served(&self, address: SocketAddr, _: &str) -> Result<Vec<Vec<u8>>, Fault> {
        self.gate.around(|| {
            let state = self.state();
            let run = state.engine.runs().find(|run| run.ip == Some(address.ip()));
            let served =
                run.filter(|_| state.engine.reachable).and_then(super::engine::Run::served);
            served.ok_or_else(|| unreachable("probe", "connection refused"))
        })
    }
}

/// An injected fault, as the client tells it.
fn outward(effect: &Effect) -> Fault {
    match effect {
        Effect::Throttle { retry_after } => {
            let retry_after = Some(Duration::from_secs(u64::from(*retry_after)));
            Fault::Throttled { service: ARM, retry_after }
        }
        Effect::Conflict => refusal(Error::transitioning(GROUP)),
        Effect::Reset => unreachable(ARM, "the connection was reset"),
        _ => {
            let message = "The server encountered an internal error.".to_owned();
            Fault::Failing { service: ARM, message, retry_after: None }
        }
    }
}

pub(crate) fn unreachable(service: &'static str, problem: &str) -> Fault {
    Fault::Unreachable { service, problem: problem.to_owned() }
}

fn is_absence(error: &Error) -> bool {
    error.status == 404 && ["ResourceNotFound", "ResourceGroupNotFound"].contains(&&*error.code)
}

fn refusal(error: Error) -> Fault {
    let Error { status, code, message, .. } = error;
    let retry_after = Some(Duration::from_secs(10));
    match status {
        409 if code == "ContainerGroupTransitioning" => {
            Fault::Busy { service: ARM, message, retry_after }
        }
        409 => Fault::Busy { service: ARM, message, retry_after: None },
        _ => Fault::Refused { service: ARM, code, message },
    }
}

/// The public address that ARM shows.
pub(crate) fn address(shown: &Value) -> Option<IpAddr> {
    shown["properties"]["ipAddress"]["ip"].as_str()?.parse().ok()
}
