//! From what is wanted and what was seen to at most one step.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

use super::body::body;
use super::changes::needs_replacement;
use super::desired::tags;
use super::memory::{DeleteRecord, PutRecord, STALE};
use super::origins::{count_revision, given_away, held_by, owned};
use super::{Desired, Group, Memory, Observed, Provisioning, Served, Step, TlsDesired};
use crate::core::certificate::{hex, renewal_time};
use crate::core::{Assertion, ConditionType, Cost, Goal, Health, Plan, Reason, Truth, Wake};

mod group;
mod leaf;
mod origins;
mod rollout;

/// Time between two looks while ARM is at work.
const POLL: Duration = Duration::from_secs(3);
/// A full look at a group that is as wanted; events, drift LIST and probe come sooner.
const REST: Duration = Duration::from_mins(10);
/// PUTs of one digest that may fail before somebody has to look.
const PATIENCE: u32 = 5;

/// A plan, and what a person may have to approve.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a plan does nothing until the shell performs it"]
pub struct Decision {
    /// The plan.
    pub plan: Plan<Step, Memory>,
    /// The change that waits for approval.
    pub pending: Option<Pending>,
}

/// A change that waits for approval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pending {
    /// Names this change and no other.
    pub digest: String,
    /// What it costs.
    pub cost: Cost,
    /// What differs.
    pub changes: Vec<String>,
}

/// What one stage of the plan decides.
struct Verdict {
    step: Option<Step>,
    cost: Cost,
    health: Health,
    reason: Reason,
    message: String,
    changes: Vec<String>,
    wake: Wake,
}

impl Verdict {
    fn wait(health: Health, reason: Reason, message: impl Into<String>, after: Duration) -> Self {
        Self {
            step: None,
            cost: Cost::Tag,
            health,
            reason,
            message: message.into(),
            changes: Vec::new(),
            wake: Wake::After(after),
        }
    }

    fn step(step: Step, cost: Cost, reason: Reason, message: impl Into<String>) -> Self {
        let waiting = Self::wait(Health::Reconciling, reason, message, Duration::ZERO);
        Self { step: Some(step), cost, ..waiting }
    }

    fn changing(self, changes: &[String]) -> Self {
        Self { changes: changes.to_vec(), ..self }
    }
}

/// One stage: the first that has something to say ends the pass.
type Stage = fn(&mut Pass<'_>) -> Option<Verdict>;

/// The stages of a group that is wanted, in order. A later one may rely on what an earlier one has
/// made sure.
const STAGES: &[Stage] = &[
    group::own,
    leaf::have_leaf,
    group::create,
    group::read_own_write,
    group::wait_for_arm,
    group::revive,
    rollout::try_out,
    group::repair,
    leaf::try_exec,
    leaf::rotate,
    origins::gather,
    origins::follow,
    origins::tell,
    leaf::refresh_volume,
    leaf::hold_back,
];

/// Decides what one pass does.
pub fn plan(goal: Goal<&Desired>, observed: &Observed, now: DateTime<Utc>) -> Decision {
    match goal {
        Goal::Absent => remove(observed, now),
        Goal::Present(desired) => {
            let mut pass = Pass::new(desired, observed, now);
            let (verdict, pending) = pass.decide();
            pass.conclude(verdict, pending)
        }
    }
}

/// Deletes what we made and nothing else.
fn remove(observed: &Observed, now: DateTime<Utc>) -> Decision {
    let ours = observed.group.as_ref().is_some_and(|group| is_ours(group, observed));
    let mut memory = observed.memory.clone();
    let leaving = given_away(&Step::Delete, None, true, observed);
    memory.origins.clear();
    count_revision(&mut memory, observed);
    let verdict = match &observed.group {
        Some(_) if ours && observed.own => rollout::leave(observed),
        Some(_) if ours && observed.requests.suspended => {
            Verdict::wait(Health::Stalled, Reason::Suspended, "deletion waits for resume", REST)
        }
        Some(group) if ours && matches!(group.provisioning, Provisioning::Busy(_)) => {
            Verdict::wait(
                Health::Reconciling,
                Reason::Deleting,
                format!("ARM says {}", group.provisioning),
                POLL,
            )
        }
        Some(group) if ours && is_deleted(group, &memory, now) => {
            let message = "ARM still shows the group that was deleted";
            Verdict::wait(Health::Reconciling, Reason::Deleting, message, POLL)
        }
        Some(_) if ours && let Some(waiting) = parting(&leaving, observed) => waiting,
        Some(group) if ours => {
            memory.deleted = Some(DeleteRecord { at: now, start: first_start(group) });
            Verdict {
                wake: Wake::After(POLL),
                ..Verdict::step(Step::Delete, Cost::Tag, Reason::Deleting, "deleting the group")
            }
        }
        Some(_) => Verdict::wait(Health::Gone, Reason::Deleted, "the group is not ours", REST),
        // Forgotten now, it would be nobody's when ARM shows it.
        None if memory.put.as_ref().is_some_and(|put| put.is_under_way(now)) => {
            let message = "ARM does not show yet the group that was made";
            Verdict::wait(Health::Reconciling, Reason::Deleting, message, POLL)
        }
        None => Verdict::wait(Health::Gone, Reason::Deleted, "the group is gone", REST),
    };
    let Verdict { step, health, reason, message, wake, .. } = verdict;
    let conditions = Vec::new();
    let plan = Plan { step, health, reason, message, conditions, memory, made: ours, wake };
    Decision { plan, pending: None }
}

/// Our tag, or no owner's tag at all on a group that the ledger proves to be ours.
fn is_ours(group: &Group, observed: &Observed) -> bool {
    match tags::get(&group.tags, tags::OWNER) {
        Some(owner) => owner == observed.owner,
        None => observed.made,
    }
}

/// Whether this is an old read of a group that we have deleted.
fn is_deleted(group: &Group, memory: &Memory, now: DateTime<Utc>) -> bool {
    let old = |gone: &DeleteRecord| gone.start == first_start(group) && now < gone.at + STALE;
    memory.deleted.as_ref().is_some_and(old)
}

/// One pass over a group that is wanted.
struct Pass<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    now: DateTime<Utc>,
    memory: Memory,
    conditions: Vec<Assertion>,
    made: bool,
    /// Origins that a step is about to give away.
    leaving: BTreeSet<String>,
    /// A look that is due before the verdict's own.
    sooner: Option<Duration>,
}

impl<'a> Pass<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, now: DateTime<Utc>) -> Self {
        let mut memory = observed.memory.clone();
        memory.reached |= matches!(observed.served, Served::Leaf { .. });
        if memory.put.as_ref().is_some_and(|put| put.digest != desired.digest) {
            memory.failed_puts = 0;
        }
        let owned = |tls: &TlsDesired| owned(&tls.hosts, observed.group.as_ref());
        let owned = desired.tls.as_ref().map(owned).unwrap_or_default();
        memory.origins.retain(|origin| owned.contains(origin));
        let (conditions, made, leaving) = (Vec::new(), observed.made, BTreeSet::new());
        let sooner = None;
        Self { desired, observed, now, memory, conditions, made, leaving, sooner }
    }

    /// Says how a condition is. What an earlier stage found to hold, a later one does not deny: it
    /// knows only its own part.
    fn assert(
        &mut self,
        kind: ConditionType,
        status: impl Into<Truth>,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let assertion = Assertion::new(kind, status, reason, message);
        let holds = |said: &Assertion| said.kind == kind && said.status == Truth::True;
        if assertion.status == Truth::True || !self.conditions.iter().any(holds) {
            self.conditions.push(assertion);
        }
    }

    /// Asks for a look after `wait` at the latest.
    fn sooner(&mut self, wait: Duration) {
        self.sooner = Some(self.sooner.map_or(wait, |other| other.min(wait)));
    }

    /// The group, in the stages after [`Pass::create`].
    fn group(&self) -> Option<&'a Group> {
        self.observed.group.as_ref()
    }

    /// The group, where its containers are there for exec and handshakes.
    fn running(&self) -> Option<&'a Group> {
        let stopped = |group: &Group| group.state.as_deref() == Some("Stopped");
        self.group().filter(|group| !terminated(group) && !stopped(group))
    }

    /// Puts the whole body. Where ARM would refuse that, the group is deleted and the PUT is that of a
    /// later pass: its containers ended, or what differs can only be made anew. Where nothing runs,
    /// nothing is lost by it, and it costs no more than the PUT.
    fn put(&mut self, cost: Cost, reason: Reason, message: String, changes: &[String]) -> Verdict {
        if let Some(group) = self.group() {
            let replaced = needs_replacement(self.desired, group, &self.memory);
            if terminated(group) || replaced {
                let lost = replaced && self.running().is_some();
                let cost = if lost { Cost::Replace } else { cost };
                return self.delete(cost, reason, message).changing(changes);
            }
        }
        self.memory.put = Some(PutRecord {
            at: self.now,
            digest: self.desired.digest.clone(),
            previous: self
                .group()
                .and_then(|group| tags::get(&group.tags, tags::DIGEST))
                .filter(|previous| *previous != self.desired.digest)
                .map(str::to_owned),
            start: self.group().and_then(first_start),
            seen: false,
            settled: false,
        });
        let step = Step::Put(Box::new(body(self.desired, self.observed)));
        Verdict::step(step, cost, reason, message).changing(changes)
    }

    /// Deletes the group, to be made anew by a later pass.
    fn delete(&mut self, cost: Cost, reason: Reason, message: String) -> Verdict {
        let start = self.group().and_then(first_start);
        self.memory.deleted = Some(DeleteRecord { at: self.now, start });
        let step = Verdict::step(Step::Delete, cost, reason, message);
        Verdict { wake: Wake::After(POLL), ..step }
    }

    fn rest(&mut self) -> Verdict {
        let Some(group) = self.group() else {
            return Verdict::wait(Health::Reconciling, Reason::Pending, "", POLL);
        };
        let address = self.desired.user.0.get("ipAddress").is_some();
        if address && group.ip.is_none() {
            let kind = ConditionType::EndpointAssigned;
            self.assert(kind, false, Reason::Provisioning, "ARM has not assigned an address");
            let message = "waiting for an address";
            return Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL);
        }
        self.memory.settled_start = first_start(group);
        self.memory.frame = self.observed.own.then(|| self.desired.frame.clone());
        // A leave that was given for a change is used up when nothing is left to change.
        let given = self.observed.requests.approve.as_ref().map(|approval| approval.at);
        self.memory.approval_used = self.memory.approval_used.max(given);
        let finished =
            !self.desired.service && matches!(group.state.as_deref(), Some("Succeeded" | "Failed"));
        let (reason, message) = if finished {
            (Reason::Finished, "the containers ended, as their restart policy says")
        } else {
            (Reason::InSync, "as the manifest says")
        };
        let wait = Verdict::wait(Health::Ready, reason, message, self.until_due());
        if leaf::exec_is_due(self) {
            return Verdict { step: Some(Step::TryExec), wake: Wake::After(POLL), ..wait };
        }
        wait
    }

    /// Until the next look: at the renewal at the latest.
    fn until_due(&self) -> Duration {
        let due = self.observed.leaf.as_ref().and_then(|leaf| {
            let facts = &leaf.facts.leaf;
            let at = renewal_time(facts.not_before, facts.not_after, &self.desired.uid);
            (at - self.now).to_std().ok()
        });
        due.map_or(REST, |due| due.clamp(Duration::from_secs(1), REST))
    }

    /// The first verdict of the stages. A step that a person must allow does not keep those from being
    /// taken that cost nobody anything: a certificate rotates while a change of CPU waits.
    fn decide(&mut self) -> (Verdict, Option<Pending>) {
        let mut held: Option<(Verdict, Option<Pending>)> = None;
        for stage in STAGES {
            let memory = self.memory.clone();
            let Some(verdict) = stage(self) else { continue };
            match (self.gate(verdict), &mut held) {
                (Gate::Open(verdict), None) => return (verdict, None),
                (Gate::Open(verdict), Some(_)) if verdict.step.is_some() => {
                    if verdict.cost <= Cost::Hot {
                        return (verdict, None);
                    }
                    self.memory = memory;
                }
                (Gate::Open(waiting), Some((held, _))) => held.wake = held.wake.min(waiting.wake),
                (Gate::Held(verdict, pending), held) => {
                    self.memory = memory;
                    held.get_or_insert((verdict, pending));
                }
            }
        }
        held.unwrap_or_else(|| (self.rest(), None))
    }

    fn conclude(mut self, verdict: Verdict, pending: Option<Pending>) -> Decision {
        if let Some(group) = self.group()
            && let Some(ip) = group.ip
        {
            let fqdn = group.fqdn.as_deref().unwrap_or_default();
            let message = format!("{ip} {fqdn}").trim_end().to_owned();
            let kind = ConditionType::EndpointAssigned;
            self.assert(kind, true, Reason::EndpointAssigned, message);
        }
        let Verdict { step, health, reason, message, wake, .. } = verdict;
        let wake = self.sooner.map_or(wake, |sooner| wake.min(Wake::After(sooner)));
        let Self { mut memory, conditions, made, leaving, .. } = self;
        memory.origins.retain(|origin| !leaving.contains(origin));
        count_revision(&mut memory, self.observed);
        let plan = Plan { step, health, reason, message, conditions, memory, made, wake };
        Decision { plan, pending }
    }

    /// A step that gives an address away waits until nobody is sent there any more.
    fn part(&mut self, verdict: Verdict) -> Gate {
        let Some(step) = &verdict.step else { return Gate::Open(verdict) };
        let label = self.desired.user.0["ipAddress"]["dnsNameLabel"].as_str();
        self.leaving = given_away(step, label, false, self.observed);
        match parting(&self.leaving, self.observed) {
            Some(waiting) => Gate::Held(waiting, None),
            None => Gate::Open(verdict),
        }
    }

    /// What a person has the last word on: `suspend` blocks every step, `spec.updatePolicy` the dear
    /// ones until they are approved.
    fn gate(&mut self, verdict: Verdict) -> Gate {
        if verdict.step.is_none() {
            return Gate::Open(verdict);
        }
        if self.observed.own && !rollout::lets_through(self, verdict.step.as_ref()) {
            return Gate::Held(rollout::refuse(&verdict.message), None);
        }
        if self.observed.requests.suspended {
            let message = format!("suspended; waiting: {}", verdict.message);
            let held = Verdict::wait(Health::Stalled, Reason::Suspended, message, REST);
            return Gate::Held(held, None);
        }
        if verdict.cost <= self.desired.allowed {
            return self.part(verdict);
        }
        let pending = Pending {
            digest: plan_digest(&self.desired.digest, verdict.cost, &verdict.changes),
            cost: verdict.cost,
            changes: verdict.changes.clone(),
        };
        let used = self.observed.memory.approval_used;
        match &self.observed.requests.approve {
            Some(approval) if approval.digest == pending.digest && used < Some(approval.at) => {
                self.part(verdict)
            }
            _ => {
                let message = format!(
                    "needs {} but spec.updatePolicy allows {}: {} (`aci-operator approve` lets it \
                     through once)",
                    verdict.cost, self.desired.allowed, verdict.message
                );
                let (reason, after) = (Reason::ApprovalRequired, self.until_due().max(POLL));
                let held = Verdict::wait(Health::Stalled, reason, message, after);
                Gate::Held(held, Some(pending))
            }
        }
    }
}

/// The wait for those who still send tokens to an address that is `leaving`.
fn parting(leaving: &BTreeSet<String>, observed: &Observed) -> Option<Verdict> {
    let who = held_by(leaving, observed)?;
    let what = leaving.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("{what} leaves the redirect URIs of {who} first");
    Some(Verdict::wait(Health::Reconciling, Reason::OriginsBehind, message, POLL))
}

/// Whether a verdict may be carried out.
enum Gate {
    /// It may, or does nothing.
    Open(Verdict),
    /// It waits for a person; what is said instead, and what is to be approved.
    Held(Verdict, Option<Pending>),
}

/// Names a plan: what is wanted, what it costs, what differs.
fn plan_digest(desired: &str, cost: Cost, changes: &[String]) -> String {
    let text = format!("{desired}\n{cost}\n{}", changes.join("\n"));
    hex(&digest(&SHA256, text.as_bytes()).as_ref()[..8])
}

/// The earliest start of the containers that run.
fn first_start(group: &Group) -> Option<DateTime<Utc>> {
    group.containers.iter().filter_map(|container| container.started).min()
}

/// Whether all containers ended.
/// <https://learn.microsoft.com/azure/container-instances/container-state>
fn terminated(group: &Group) -> bool {
    matches!(group.state.as_deref(), Some("Succeeded" | "Failed"))
}
