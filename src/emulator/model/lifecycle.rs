//! Transitions: begun by writes and accidents, ended by time and by what the engine reports.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::group::{Group, Problem, Transition, TransitionKind};
use super::view::{self, image};
use super::{Azure, GroupId, Now, Work, run};
use crate::emulator::engine::ContainerState;

/// A group whose containers are meant to run, as a restart of local Azure finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// The engine's key.
    pub group: String,
    /// Its public address.
    pub ip: Option<Ipv4Addr>,
}

impl Azure {
    /// Takes in what the engine did about one [`Work::Start`] or [`Work::Remove`]: the state of each
    /// container, or why it could not be done. A report on an operation that is over is ignored;
    /// `false` where there is no such group any more.
    pub fn report(
        &mut self,
        now: Now,
        group: &str,
        operation: &str,
        outcome: Result<BTreeMap<String, ContainerState>, Problem>,
    ) -> bool {
        let found = self.groups.values_mut().find(|stored| stored.key == group);
        let Some(group) = found else { return false };
        let Some(transition) = &mut group.transition else { return true };
        if transition.operation != operation || transition.reported.is_some() {
            return true;
        }
        transition.reported = Some(now);
        match outcome {
            Ok(states) => {
                let starts =
                    matches!(transition.kind, TransitionKind::Deploy | TransitionKind::Move);
                group.observe(states);
                if starts {
                    group.started = Some(now);
                    started(group, now);
                }
            }
            Err(problem) => {
                // What ran before was removed first.
                group.containers.clear();
                group.events.add(now, "", "Failed", problem.message.clone(), true);
                transition.problem = Some(problem);
            }
        }
        self.advance(now);
        true
    }

    /// Takes in the state of each container of a running group.
    pub fn observe(&mut self, group: &str, states: BTreeMap<String, ContainerState>) {
        if let Some(group) = self.groups.values_mut().find(|stored| stored.key == group) {
            group.observe(states);
        }
    }

    /// Another public address for a group whose address cannot be had on this machine.
    pub fn readdress(&mut self, group: &str) -> Option<Ipv4Addr> {
        let ip = self.next_address();
        let group = self.groups.values_mut().find(|stored| stored.key == group)?;
        match &mut group.next_ip {
            Some(next) => *next = ip,
            None => group.ip = Some(ip),
        }
        Some(ip)
    }

    /// The groups that run, for a restart of local Azure to check; operations that were cut off come
    /// out as work again.
    pub fn resume(&mut self, now: Now) -> Vec<Running> {
        self.advance(now);
        let cut_off: Vec<_> = self
            .groups
            .iter()
            .filter(|(_, group)| group.transition.as_ref().is_some_and(|t| t.reported.is_none()))
            .map(|(id, _)| id.clone())
            .collect();
        for id in cut_off {
            self.ask_engine(&id);
        }
        let running = self.groups.values().filter(|group| group.runs());
        running.map(|group| Running { group: group.key.clone(), ip: group.ip }).collect()
    }

    /// The engine has lost a running group: it is made anew, as after a platform move.
    pub fn lost(&mut self, now: Now, group: &str) {
        let found = self.groups.iter().find(|(_, stored)| stored.key == group && stored.runs());
        if let Some((id, _)) = found {
            let id = id.clone();
            self.transit(now, &id, TransitionKind::Move);
        }
    }

    /// Whether [`Self::advance`] has something to do.
    pub fn is_due(&self, now: Now) -> bool {
        self.over(now).next().is_some()
            || self.lags.values().any(|lag| lag.until <= now)
            || self.deletes_resource_groups()
    }

    /// Transitions that are over by now, and when they ended.
    fn over(&self, now: Now) -> impl Iterator<Item = (&GroupId, Now)> {
        self.groups.iter().filter_map(move |(id, group)| {
            let end = group.transition.as_ref()?.ends(&self.settings)?;
            (end <= now).then_some((id, end))
        })
    }

    /// Ends what is over by now.
    pub fn advance(&mut self, now: Now) {
        let over: Vec<_> = self.over(now).map(|(id, end)| (id.clone(), end)).collect();
        for (id, end) in over {
            self.settle(&id, end);
        }
        self.lags.retain(|_, lag| now < lag.until);
        self.advance_deletions(now);
    }

    fn settle(&mut self, id: &GroupId, end: Now) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let Some(transition) = group.transition.take() else { return };
        group.settle(&transition, end);
        if transition.kind == TransitionKind::Delete {
            let gone = view::id(&self.settings, &group.home, &group.name);
            self.principals_changed |= group.carries.system.is_some();
            self.groups.remove(id);
            self.forget_scope(&gone);
        }
        self.end(&transition.operation, end, transition.problem);
    }

    /// Begins a transition and asks the engine for its part; the operation's id.
    pub(super) fn transit(&mut self, now: Now, id: &GroupId, kind: TransitionKind) -> String {
        let operation = self.begin(now);
        if let Some(group) = self.groups.get_mut(id) {
            group.started = None;
            group.transition = Some(Transition {
                operation: operation.clone(),
                kind,
                since: now,
                reported: None,
                problem: None,
            });
        }
        self.ask_engine(id);
        operation
    }

    fn ask_engine(&mut self, id: &GroupId) {
        let Some(group) = self.groups.get(id) else { return };
        let Some(transition) = &group.transition else { return };
        let (key, operation) = (group.key.clone(), transition.operation.clone());
        let work = match transition.kind {
            TransitionKind::Deploy | TransitionKind::Move => {
                let ip = group.next_ip.or(group.ip).map(IpAddr::V4);
                let run = Box::new(run::group(&group.properties, ip));
                Work::Start { group: key, operation, run }
            }
            TransitionKind::Stop | TransitionKind::Delete => Work::Remove { group: key, operation },
        };
        self.work.push(work);
    }

    /// Begins the deletion of a group that is in no transition.
    pub(super) fn begin_removal(&mut self, now: Now, id: &GroupId) -> String {
        self.transit(now, id, TransitionKind::Delete)
    }
}

/// The events of a start that went well.
fn started(group: &mut Group, now: Now) {
    let containers = group.properties.init_containers.iter().chain(&group.properties.containers);
    for container in containers {
        let (name, image) = (&container.name, image(container));
        group.events.add(now, name, "Pulling", format!("pulling image \"{image}\""), false);
        group.events.add(
            now,
            name,
            "Pulled",
            format!("Successfully pulled image \"{image}\""),
            false,
        );
        group.events.add(now, name, "Started", "Started container".to_owned(), false);
    }
}
