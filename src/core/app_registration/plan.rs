//! From what is wanted and what was seen to at most one step.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::foreign::{additions, grace_ends, is_registered, origins};
use super::memory::{STALE, is_recent};
use super::wanted::Context;
use super::{
    AppMemory, Application, Desired, Memory, Observed, Properties, Seen, Step, Which, believed,
    owner_of,
};
use crate::core::{Assertion, ConditionType, Goal, Health, Plan, Reason, Truth, Wake};

mod application;
mod consent;

/// Time between two looks while Graph's replicas follow.
const POLL: Duration = Duration::from_secs(3);
/// A look at applications that are as wanted; what the group says of itself comes sooner.
const REST: Duration = Duration::from_mins(10);

/// What the decision says beside the plan.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Origins of the group that are redirect URIs, or may be: one that a write of ours has just
    /// registered counts before Graph shows it, one that a write of ours has just removed counts until
    /// Graph shows it gone.
    pub origins: BTreeSet<String>,
    /// Origins that a write of this pass may register besides: who gives an address away must see it
    /// in neither.
    pub held: BTreeSet<String>,
    /// Which revision of the group's origins this pass has seen.
    pub seen: Option<u64>,
    /// What somebody else added.
    pub foreign: Vec<String>,
}

/// What one stage of the plan decides.
struct Verdict {
    step: Option<Step>,
    health: Health,
    reason: Reason,
    message: String,
    wake: Wake,
}

impl Verdict {
    fn wait(health: Health, reason: Reason, message: impl Into<String>, after: Duration) -> Self {
        Self { step: None, health, reason, message: message.into(), wake: Wake::After(after) }
    }

    fn step(step: Step, reason: Reason, message: impl Into<String>) -> Self {
        let waiting = Self::wait(Health::Reconciling, reason, message, Duration::ZERO);
        Self { step: Some(step), ..waiting }
    }

    /// Graph's replicas have yet to follow.
    fn not_shown(message: impl Into<String>) -> Self {
        Self::wait(Health::Reconciling, Reason::Provisioning, message, POLL)
    }
}

/// One stage: the first that has something to say ends the pass.
type Stage = fn(&mut Pass<'_>) -> Option<Verdict>;

/// The stages of a registration that is wanted, in order. A later one may rely on what an earlier one
/// has made sure. What could send a token to an address that is no longer ours goes first; what a
/// client needs comes before the client.
const STAGES: &[Stage] = &[
    application::own,
    application::lose_addresses,
    application::drop_swagger,
    application::refuse_foreign,
    |pass| application::make(pass, Which::Api),
    |pass| application::make_principal(pass, Which::Api),
    |pass| application::make(pass, Which::Swagger),
    |pass| application::make_principal(pass, Which::Swagger),
    consent::consent,
];

/// Decides what one pass does.
pub fn plan(
    goal: Goal<&Desired>,
    observed: &Observed,
    now: DateTime<Utc>,
) -> (Plan<Step, Memory>, Facts) {
    match goal {
        Goal::Absent => {
            let origins = registered(observed, &observed.memory);
            let facts = Facts { held: origins.clone(), origins, ..Facts::default() };
            (application::remove(observed, now), facts)
        }
        Goal::Present(desired) => {
            let mut pass = Pass::new(desired, observed, now);
            let decided = STAGES.iter().find_map(|stage| stage(&mut pass));
            let verdict = decided.unwrap_or_else(|| pass.rest());
            pass.conclude(verdict)
        }
    }
}

/// One application, as a read and our own writes show it.
struct View<'a> {
    seen: &'a Seen,
    read: &'a Application,
    /// The read, corrected by our writes.
    now: Application,
}

impl View<'_> {
    /// Whether the read shows all our writes.
    fn is_shown(&self) -> bool {
        self.read.properties == self.now.properties
    }

    /// A change of the application.
    fn update(&self, which: Which, properties: Properties) -> Step {
        Step::Update {
            which,
            object_id: self.now.object_id.clone(),
            before: Box::new(properties.of_same_names(&self.now.properties)),
            properties: Box::new(properties),
        }
    }
}

/// One pass over a registration that is wanted.
struct Pass<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    now: DateTime<Utc>,
    memory: Memory,
    conditions: Vec<Assertion>,
    made: bool,
    /// Origins that should be redirect URIs.
    origins: BTreeSet<String>,
    api: Option<View<'a>>,
    swagger: Option<View<'a>>,
}

impl<'a> Pass<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, now: DateTime<Utc>) -> Self {
        let mut memory = observed.memory.clone();
        let origins = origins(desired, &mut memory, now);
        if let Some(swagger) = &observed.swagger.application {
            memory.clients.insert(swagger.app_id.clone());
        }
        Self {
            desired,
            observed,
            now,
            api: view(&observed.api, &mut memory, Which::Api, now),
            swagger: view(&observed.swagger, &mut memory, Which::Swagger, now),
            memory,
            conditions: Vec::new(),
            made: observed.made,
            origins,
        }
    }

    fn view(&self, which: Which) -> Option<&View<'a>> {
        match which {
            Which::Api => self.api.as_ref(),
            Which::Swagger => self.swagger.as_ref(),
        }
    }

    fn seen(&self, which: Which) -> &'a Seen {
        match which {
            Which::Api => &self.observed.api,
            Which::Swagger => &self.observed.swagger,
        }
    }

    fn context(&self) -> Context<'_> {
        Context { desired: self.desired, owner: &self.observed.owner, origins: &self.origins }
    }

    fn clients(&self) -> BTreeSet<&str> {
        self.memory.clients.iter().map(String::as_str).collect()
    }

    fn assert(
        &mut self,
        kind: ConditionType,
        status: impl Into<Truth>,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.conditions.push(Assertion::new(kind, status, reason, message));
    }

    fn rest(&mut self) -> Verdict {
        for kind in [ConditionType::Drifted, ConditionType::NotConverging] {
            if !self.conditions.iter().any(|said| said.kind == kind) {
                self.assert(kind, false, Reason::InSync, "");
            }
        }
        let unseen = [&self.api, &self.swagger].into_iter().flatten().any(|view| !view.is_shown());
        if unseen {
            return Verdict::not_shown("Graph does not show our last change yet");
        }
        if let Some(group) = self.desired.group.as_ref().filter(|group| !group.exists) {
            let message = format!("there is no container group `{}`", group.name);
            let health = Health::Reconciling;
            return Verdict::wait(health, Reason::ReferenceMissing, message, REST);
        }
        Verdict::wait(Health::Ready, Reason::InSync, "as the manifest says", REST)
    }

    fn conclude(mut self, verdict: Verdict) -> (Plan<Step, Memory>, Facts) {
        let foreign = self.foreign();
        let may_be = registered(self.observed, &self.memory);
        self.remember_uris(&may_be);
        self.say_redirect_uris();
        let mut wake = verdict.wake;
        if let Some(left) = grace_ends(self.desired, &self.memory, self.now) {
            wake = wake.min(Wake::After(left.to_std().unwrap_or_default()));
        }
        let Verdict { mut step, mut health, mut reason, mut message, .. } = verdict;
        if self.observed.requests.suspended && step.take().is_some() {
            (health, reason, wake) = (Health::Stalled, Reason::Suspended, Wake::OnChange);
            message = format!("suspended; waiting: {message}");
        }
        if let Some(step) = &step {
            self.memory.note(step, self.now);
        }
        let (memory, conditions, made) = (self.memory, self.conditions, self.made);
        let plan = Plan { step, health, reason, message, conditions, memory, made, wake };
        let held = may_be.union(&self.origins).cloned().collect();
        let seen = self.desired.group.as_ref().map(|group| group.revision);
        (plan, Facts { origins: may_be, held, seen, foreign })
    }

    fn foreign(&self) -> Vec<String> {
        let (context, clients) = (self.context(), self.clients());
        let of = |which: Which| {
            let view = self.view(which)?;
            let placed = &self.memory.of(which).placed;
            Some(additions(&context, which, &view.now.properties, placed, &clients))
        };
        Which::ALL.into_iter().filter_map(of).flatten().collect()
    }

    /// What was ours stays in memory until it is seen gone.
    fn remember_uris(&mut self, registered: &BTreeSet<String>) {
        let origins = &self.origins;
        self.memory.origins.retain(|o, _| origins.contains(o) || registered.contains(o));
        for which in Which::ALL {
            let wanted = self.context().redirect_uris(which);
            let shown = self.seen(which).application.is_some();
            let there = redirect_uris(self.seen(which), self.memory.of(which));
            let placed = &mut self.memory.of_mut(which).placed;
            if shown {
                placed.retain(|uri| there.contains(uri));
            }
            placed.extend(wanted);
        }
    }

    fn say_redirect_uris(&mut self) {
        let kind = ConditionType::RedirectUrisCurrent;
        let Some(group) = &self.desired.group else {
            let message = "no container group is named";
            return self.assert(kind, Truth::Unknown, Reason::Unknown, message);
        };
        let is_current = |which: Which| {
            let view = self.view(which)?;
            let (now, placed) = (&view.read.properties, &self.memory.of(which).placed);
            let (have, want) = (now.redirect_uris(), self.context().redirect_uris(which));
            Some(
                have.is_superset(&want)
                    && !have.iter().any(|u| placed.contains(u) && !want.contains(u)),
            )
        };
        let swagger = self.desired.swagger.is_none() || is_current(Which::Swagger) == Some(true);
        let current = swagger && is_current(Which::Api) == Some(true);
        let served = self.origins.iter().cloned().collect::<Vec<_>>().join(" ");
        let assertion = match (current, group.exists && served.is_empty()) {
            (true, false) => Assertion::new(kind, true, Reason::Registered, served),
            (true, true) => {
                let message = "the group serves its certificate under no address yet";
                Assertion::new(kind, Truth::Unknown, Reason::Pending, message)
            }
            (false, _) => {
                let message = format!("being registered, or removed; wanted: {served}");
                Assertion::new(kind, false, Reason::Changed, message)
            }
        };
        self.conditions.push(assertion);
    }
}

/// Redirect URIs that an application has, or may have: as a read shows it, and as our writes make it. One
/// that Graph does not show has those that we gave it, unless we deleted it: one 404 is not absence.
fn redirect_uris(seen: &Seen, memory: &AppMemory) -> BTreeSet<String> {
    let Some(read) = &seen.application else {
        return if memory.deleted.is_none() { memory.placed.clone() } else { BTreeSet::new() };
    };
    let now = believed(&read.properties, memory).redirect_uris();
    read.properties.redirect_uris().union(&now).cloned().collect()
}

/// Origins of the group that are redirect URIs of either application, or may be.
fn registered(observed: &Observed, memory: &Memory) -> BTreeSet<String> {
    let mut uris = redirect_uris(&observed.api, &memory.api);
    uris.append(&mut redirect_uris(&observed.swagger, &memory.swagger));
    let known = memory.origins.keys();
    known.filter(|origin| is_registered(origin, &uris)).cloned().collect()
}

/// An application that is there.
fn view<'a>(
    seen: &'a Seen,
    memory: &mut Memory,
    which: Which,
    now: DateTime<Utc>,
) -> Option<View<'a>> {
    let read = seen.application.as_ref()?;
    let memory = memory.of_mut(which);
    memory.expire(&read.properties, now);
    memory.absent = None;
    let properties = believed(&read.properties, memory);
    Some(View { seen, read, now: Application { properties, ..read.clone() } })
}

/// Whether an application is ours to change and to delete: it bears our mark, or nobody's and our
/// name.
fn is_ours(seen: &Seen, application: &Application, observed: &Observed) -> bool {
    match application.properties.tags.as_ref().and_then(owner_of) {
        Some(owner) => owner == observed.owner,
        None => !seen.adopted,
    }
}
