//! The model at work: saved after each change, its work done by the engine, its time from a clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::Method;
use chrono::{DateTime, Utc};
use tokio_util::task::TaskTracker;

use super::access::AccessLog;
use super::directory::Directory;
use super::engine::{ContainerState, Endpoints, Engine, EngineError, GroupRun};
use super::faults::{Effect, Faults, Operation};
use super::kept::Kept;
use super::model::{Azure, Principal, Problem, Right, Work};
use super::proxy::Proxy;

/// Addresses tried for one group before its start fails.
const ADDRESSES_TRIED: usize = 8;

/// The model and everything that it acts through.
pub(super) struct World {
    model: Kept<Azure>,
    directory: Arc<Kept<Directory>>,
    /// What was asked for, and whether it was allowed.
    pub(super) access: AccessLog,
    pub(super) engine: Arc<dyn Engine>,
    proxy: Proxy,
    pub(super) clock: fn() -> DateTime<Utc>,
    /// Owns the tasks that work on containers.
    pub(super) tasks: TaskTracker,
}

impl World {
    /// The world of a model that is kept in `file`; managed identities have their principals in
    /// `directory`.
    pub(super) fn new(
        azure: Azure,
        file: PathBuf,
        directory: Arc<Kept<Directory>>,
        engine: Arc<dyn Engine>,
        clock: fn() -> DateTime<Utc>,
    ) -> Arc<Self> {
        Arc::new(Self {
            model: Kept::new(azure, file),
            directory,
            access: AccessLog::default(),
            engine,
            proxy: Proxy::new(),
            clock,
            tasks: TaskTracker::new(),
        })
    }

    /// Lets `act` read or change the model. What changed is on disk when this returns, and the work
    /// that came up has begun.
    pub(super) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut Azure, DateTime<Utc>) -> R) -> R {
        let now = (self.clock)();
        let (result, work, identities) = self.model.with(|azure| {
            let result = act(azure, now);
            (result, azure.take_work(), azure.take_principals())
        });
        if let Some(identities) = identities {
            self.directory.with(|directory| directory.settle_identities(now, &identities));
        }
        for work in work {
            let world = Arc::clone(self);
            self.tasks.spawn(async move { world.perform(work).await });
        }
        result
    }

    /// Lets `act` read the model as it is now: what is over has ended. What `act` changes all the same is
    /// saved with the next change.
    pub(super) fn read<R>(self: &Arc<Self>, act: impl FnOnce(&mut Azure, DateTime<Utc>) -> R) -> R {
        let now = (self.clock)();
        if self.model.look(|azure| azure.is_due(now)) {
            self.with(Azure::advance);
        }
        self.model.look(|azure| act(azure, now))
    }

    /// Lets `act` answer a request: one that reads saves nothing.
    pub(super) fn on<R>(
        self: &Arc<Self>,
        method: &Method,
        act: impl FnOnce(&mut Azure, DateTime<Utc>) -> R,
    ) -> R {
        if matches!(*method, Method::GET | Method::HEAD) { self.read(act) } else { self.with(act) }
    }

    /// The faults that meet a request before it is served.
    pub(super) fn outward(self: &Arc<Self>, on: Operation, group: Option<&str>) -> Vec<Effect> {
        self.faults(|faults| faults.outward(on, group))
    }

    /// The faults that meet a request as it is served.
    pub(super) fn inward(self: &Arc<Self>, on: Operation, group: Option<&str>) -> Vec<Effect> {
        self.faults(|faults| faults.inward(on, group))
    }

    /// A fault that is met is used up, which is a change; most of the time there is none.
    fn faults(self: &Arc<Self>, meet: impl FnOnce(&mut Faults) -> Vec<Effect>) -> Vec<Effect> {
        if self.model.look(|azure| azure.faults().list().is_empty()) {
            return Vec::new();
        }
        self.with(|azure, _| meet(azure.faults()))
    }

    /// Sees to it, for ever, that model and directory get on disk.
    pub(super) async fn keep_saving(&self) {
        tokio::join!(self.model.keep_saving(), self.directory.keep_saving());
    }

    /// Puts on disk what is not there yet.
    pub(super) fn flush(&self) {
        self.model.flush();
        self.directory.flush();
    }

    /// Lets `act` read the model.
    pub(super) fn look<R>(&self, act: impl FnOnce(&Azure, DateTime<Utc>) -> R) -> R {
        let now = (self.clock)();
        self.model.look(|azure| act(azure, now))
    }

    /// Whether `principal` has `right` at `scope` now; the answer is remembered.
    pub(super) fn may(&self, principal: &Principal, right: Right<'_>, scope: &str) -> bool {
        self.may_any(principal, &[right], scope)
    }

    /// Whether `principal` has one of `rights` at `scope` now; remembered is the one that served, or the
    /// first that did not.
    pub(super) fn may_any(&self, principal: &Principal, rights: &[Right<'_>], scope: &str) -> bool {
        let may = |right: &&Right<'_>| {
            self.look(|azure, now| azure.may(now, principal.object, **right, scope))
        };
        let held = rights.iter().find(may);
        if let Some(right) = held.or_else(|| rights.first()) {
            self.access.note(principal, *right, held.is_some());
        }
        held.is_some()
    }

    /// Takes up what a restart interrupted: what still runs is published again, not restarted.
    pub(super) async fn resume(self: &Arc<Self>) {
        for running in self.with(Azure::resume) {
            let found = match self.engine.endpoints(&running.group).await {
                Ok(endpoints) => self.publish(&running.group, running.ip, &endpoints).await,
                Err(error) => Err(problem(&error)),
            };
            let states = self.engine.inspect(&running.group).await.unwrap_or_default();
            self.with(|azure, now| match found {
                Ok(()) => azure.observe(&running.group, states),
                Err(_) => azure.lost(now, &running.group),
            });
        }
    }

    /// Removes every container and empties the model; CA, keys and ports stay.
    pub(super) async fn reset(self: &Arc<Self>) -> Result<(), EngineError> {
        let groups = self.with(|azure, _| {
            let keys = azure.keys();
            azure.wipe();
            keys
        });
        for group in groups {
            self.proxy.remove(&group).await;
        }
        self.engine.reset().await
    }

    async fn perform(self: Arc<Self>, work: Work) {
        match work {
            Work::Start { group, operation, run } => {
                let outcome = self.start(&group, &run).await;
                let known = self.with(|azure, now| azure.report(now, &group, &operation, outcome));
                if !known && let Err(error) = self.remove(&group).await {
                    tracing::warn!(group, %error, "cannot remove a group that was reset meanwhile");
                }
            }
            Work::Remove { group, operation } => {
                let removed = self.remove(&group).await;
                let outcome = removed.map(|()| BTreeMap::new()).map_err(|error| problem(&error));
                self.with(|azure, now| azure.report(now, &group, &operation, outcome));
            }
            Work::Publish { group, ip } => {
                let endpoints = self.engine.endpoints(&group).await;
                let outcome = match endpoints {
                    Ok(endpoints) => self.publish(&group, Some(ip), &endpoints).await,
                    Err(error) => Err(problem(&error)),
                };
                if let Err(problem) = outcome {
                    tracing::warn!(group, problem = problem.message, "cannot change the address");
                }
            }
            Work::Kill { group, container } => {
                if let Err(error) = self.engine.kill(&group, &container).await {
                    tracing::warn!(group, container, %error, "cannot kill the container");
                }
            }
        }
    }

    async fn remove(&self, group: &str) -> Result<(), EngineError> {
        self.proxy.remove(group).await;
        self.engine.remove(group).await
    }

    async fn start(
        self: &Arc<Self>,
        group: &str,
        run: &GroupRun,
    ) -> Result<BTreeMap<String, ContainerState>, Problem> {
        let endpoints = self.engine.start(group, run).await.map_err(|error| problem(&error))?;
        let ip = run.ip.and_then(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None });
        self.publish(group, ip, &endpoints).await?;
        self.engine.inspect(group).await.map_err(|error| problem(&error))
    }

    /// Publishes on `ip`, or on another address where that one cannot be had on this machine.
    async fn publish(
        self: &Arc<Self>,
        group: &str,
        ip: Option<Ipv4Addr>,
        endpoints: &Endpoints,
    ) -> Result<(), Problem> {
        let Some(mut ip) = ip else { return Ok(()) };
        let mut tried = 1;
        loop {
            let Err(error) = self.proxy.set(group, IpAddr::V4(ip), endpoints).await else {
                return Ok(());
            };
            let next = self.with(|azure, _| azure.readdress(group));
            match next {
                Some(next) if tried < ADDRESSES_TRIED => (ip, tried) = (next, tried + 1),
                _ => {
                    let message = format!("cannot listen on the public address {ip}: {error}");
                    return Err(Problem { code: "PublicAddressUnavailable".to_owned(), message });
                }
            }
        }
    }
}

fn problem(error: &EngineError) -> Problem {
    let code = match error {
        EngineError::Image { .. } => "InaccessibleImage",
        _ => "ContainerGroupStartFailed",
    };
    Problem { code: code.to_owned(), message: error.to_string() }
}
