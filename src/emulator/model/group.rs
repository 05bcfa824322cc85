//! One container group and where it is in its life: a function of time and of what the engine said.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::Properties;
use super::event::Events;
use super::identity::Carries;
use super::settings::Settings;
use crate::emulator::engine::ContainerState;

/// A stored container group.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Group {
    /// What the engine knows it by; new for each creation.
    pub(super) key: String,
    /// Name of the resource group.
    pub(super) home: String,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) tags: Map<String, Value>,
    /// The managed identities that its containers may be.
    #[serde(default)]
    pub(super) carries: Carries,
    pub(super) zones: Option<Value>,
    pub(super) properties: Properties,
    /// The public address that answers show.
    pub(super) ip: Option<Ipv4Addr>,
    /// The address that becomes `ip` when the transition ends.
    pub(super) next_ip: Option<Ipv4Addr>,
    pub(super) stopped: bool,
    /// Why the last start failed.
    pub(super) failure: Option<Problem>,
    pub(super) transition: Option<Transition>,
    /// When its containers were started last, by the engine's word; none while they are being started.
    #[serde(default)]
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) events: Events,
    /// What the engine last said of the containers; asked for again after a restart.
    #[serde(skip)]
    pub(super) containers: BTreeMap<String, ContainerState>,
}

/// A change that has begun and not yet ended.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Transition {
    pub(super) operation: String,
    pub(super) kind: TransitionKind,
    pub(super) since: DateTime<Utc>,
    /// When the engine had done its part.
    pub(super) reported: Option<DateTime<Utc>>,
    pub(super) problem: Option<Problem>,
}

/// What is going on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) enum TransitionKind {
    /// PUT, start or restart: the containers are made anew.
    Deploy,
    /// The platform moved the group: the same, unasked.
    Move,
    Stop,
    Delete,
}

/// Why a group could not be started.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Problem {
    /// Code in the operation's error.
    pub code: String,
    /// Text for people.
    pub message: String,
}

impl Transition {
    /// When the change is over for clients: not before the configured delay, not before the engine.
    pub(super) fn ends(&self, settings: &Settings) -> Option<DateTime<Utc>> {
        Some(self.reported?.max(self.since + delay(settings)))
    }
}

impl Group {
    /// `provisioningState`. Source: learn.microsoft.com/azure/container-instances/container-state.
    pub(super) fn provisioning_state(
        &self,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> &'static str {
        let failed = if self.failure.is_some() { "Failed" } else { "Succeeded" };
        let Some(transition) = &self.transition else { return failed };
        match transition.kind {
            TransitionKind::Deploy if now < transition.since + delay(settings) / 2 => "Pending",
            TransitionKind::Deploy => "Creating",
            TransitionKind::Move => "Repairing",
            TransitionKind::Stop => failed,
            TransitionKind::Delete => "Deleting",
        }
    }

    /// The group's `instanceView.state`.
    pub(super) fn state(&self) -> &'static str {
        match self.transition.as_ref().map(|transition| transition.kind) {
            Some(TransitionKind::Deploy | TransitionKind::Move) => "Pending",
            _ if self.stopped => "Stopped",
            _ if self.failure.is_some() => "Failed",
            _ => self.terminated().unwrap_or("Running"),
        }
    }

    /// `Succeeded` or `Failed` where every container has ended for good.
    pub(super) fn terminated(&self) -> Option<&'static str> {
        let policy = self.properties.restart_policy.as_deref();
        let ended = |state: &ContainerState| {
            !state.running
                && match (policy, state.exit_code) {
                    (Some("Never"), Some(_)) => true,
                    (Some("OnFailure"), Some(code)) => code == 0,
                    _ => false,
                }
        };
        if self.stopped || self.containers.is_empty() || !self.containers.values().all(ended) {
            return None;
        }
        let well = self.containers.values().all(|state| state.exit_code == Some(0));
        Some(if well { "Succeeded" } else { "Failed" })
    }

    /// Whether containers are meant to run now.
    pub(super) fn runs(&self) -> bool {
        !self.stopped && self.failure.is_none() && self.transition.is_none()
    }

    /// Whether the group has a public address.
    pub(super) fn is_public(&self) -> bool {
        self.properties.ip_address.as_ref().is_some_and(|address| address.kind == "Public")
    }

    /// Takes over what the engine says of the containers.
    pub(super) fn observe(&mut self, states: BTreeMap<String, ContainerState>) {
        if !states.is_empty() {
            self.containers = states;
        }
    }

    /// The transition is over: what it led to becomes what is.
    pub(super) fn settle(&mut self, transition: &Transition, at: DateTime<Utc>) {
        match transition.kind {
            TransitionKind::Deploy | TransitionKind::Move => {
                self.ip = self.next_ip.take().or(self.ip);
                self.failure.clone_from(&transition.problem);
            }
            TransitionKind::Stop => {
                self.stopped = true;
                self.ip = None;
                for state in self.containers.values_mut().filter(|state| state.running) {
                    state.running = false;
                    state.ready = false;
                    state.finished_at = Some(at);
                    state.exit_code = Some(KILLED);
                }
            }
            TransitionKind::Delete => (),
        }
    }
}

/// Exit code of a container that was stopped from outside: 128 + SIGKILL.
const KILLED: i32 = 137;

fn delay(settings: &Settings) -> TimeDelta {
    TimeDelta::from_std(settings.provisioning).unwrap_or_default()
}
