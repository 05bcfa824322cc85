//! One pass over one object.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{Instrument as _, debug, info, info_span, warn};

use super::kind::{Kind, Resolved};
use super::{Ctx, REFERENCE_WAIT};
use crate::api::{annotation, annotations};
use crate::core::outcome::{self, Summary};
use crate::core::{
    Assertion, Condition, ConditionType, Fault, Goal, Health, Invalid, Reason, Wake,
};
use crate::metrics::Series;
use crate::ports::{Azure, Entry, ObjectKey, Phase, Requests};

/// What a pass leaves to its caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When the next is due.
    pub wake: Wake,
    /// The published status changed: those who refer to the object want to know.
    pub changed: bool,
    /// The object is released: nothing is left to do.
    pub gone: bool,
    /// How it stands.
    pub health: Health,
}

/// What the store keeps of an object between passes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct Kept<M> {
    /// Passes that ended in a fault, in a row.
    failures: u32,
    /// What the kind keeps.
    memory: M,
}

/// One pass as far as it came.
struct Seen<K: Kind> {
    summary: Summary,
    wake: Wake,
    /// What was observed and decided; absent where the pass did not come that far.
    facts: Option<(K::Observed, K::Facts)>,
    /// Why it came no further.
    failed: Option<Fault>,
}

/// Looks at one object, decides, does at most one thing, and says so.
///
/// # Errors
/// The store could not be read or written; everything else becomes a condition.
pub async fn pass<K: Kind>(object: &K, ctx: &Ctx) -> Result<Outcome, Fault> {
    let key = object.key();
    let namespace = key.namespace.as_deref();
    let span = info_span!("pass", kind = K::KIND, namespace, name = key.name);
    Box::pin(look(object, key, ctx)).instrument(span).await
}

async fn look<K: Kind>(object: &K, key: ObjectKey, ctx: &Ctx) -> Result<Outcome, Fault> {
    let now = ctx.clock.now();
    let Some(mut entry) = ctx.ledger.entry(&key).await? else {
        // Released by an earlier pass; the source says Delete soon.
        let (wake, changed, health) = (Wake::OnChange, false, Health::Gone);
        return Ok(Outcome { wake, changed, gone: true, health });
    };
    let before = read_kept::<K>(&key, ctx).await?;
    let requests = ctx.requests.requests(&key).await?;
    let suspended = requests.suspended;
    let mut kept = before.clone();
    let decided = decide(object, &mut entry, &mut kept, requests, ctx, now).await;
    let mut seen = decided.unwrap_or_else(|fault| {
        let nothing = say(Health::Reconciling, Reason::Pending, String::new(), Wake::OnChange);
        Seen { failed: Some(fault), ..nothing }
    });
    match &seen.failed {
        None => kept.failures = 0,
        Some(fault) => {
            let (health, reason, wait) = outcome::after(fault, kept.failures);
            kept.failures += 1;
            warn!(%fault, failures = kept.failures, "pass failed");
            (seen.summary.health, seen.summary.reason) = (health, reason);
            (seen.summary.message, seen.wake) = (fault.to_string(), Wake::After(wait));
        }
    }
    let reason = if suspended { Reason::Suspended } else { Reason::InSync };
    let said = Assertion::new(ConditionType::Suspended, suspended, reason, "");
    seen.summary.conditions.push(said);
    if kept != before {
        remember::<K>(&key, &kept, ctx).await?;
    }
    if seen.summary.health == Health::Gone {
        ctx.ledger.release(&key).await?;
        ctx.metrics.forget(series(&key));
        info!("released");
        let (wake, changed, health) = (Wake::OnChange, true, Health::Gone);
        return Ok(Outcome { wake, changed, gone: true, health });
    }
    let changed = publish(object, &entry, &seen, ctx, now).await?;
    let took = (ctx.clock.now() - now).to_std().unwrap_or_default();
    ctx.metrics.reconciled(K::KIND, seen.summary.reason, took);
    Ok(Outcome { wake: seen.wake, changed, gone: false, health: seen.summary.health })
}

fn say<K: Kind>(health: Health, reason: Reason, message: String, wake: Wake) -> Seen<K> {
    let summary = Summary { health, reason, message, conditions: Vec::new() };
    Seen { summary, wake, facts: None, failed: None }
}

/// Where nothing can be decided, what is there is still looked at: others follow what is published.
async fn look_on<K: Kind>(
    object: &K,
    entry: &Entry,
    kept: &mut Kept<K::Memory>,
    requests: Requests,
    mut seen: Seen<K>,
    (azure, ctx): (&Azure, &Ctx),
) -> Seen<K> {
    let looked = object.observe(entry, kept.memory.clone(), requests, azure, ctx).await;
    if let Ok(Ok(observed)) = looked
        && let Some((memory, facts)) = object.undecided(&observed)
    {
        kept.memory = memory;
        seen.facts = Some((observed, facts));
    }
    seen
}

fn invalid<K: Kind>(invalid: &Invalid) -> Seen<K> {
    say(Health::Stalled, Reason::Invalid, invalid.to_string(), Wake::OnChange)
}

/// What was resolved; else what is said where it could not be.
fn ready<K: Kind, D>(resolved: Result<Resolved<D>, Invalid>) -> Result<D, Box<Seen<K>>> {
    match resolved {
        Ok(Resolved::Ready(found)) => Ok(found),
        Ok(Resolved::Missing(what)) => {
            let wake = Wake::After(REFERENCE_WAIT);
            Err(Box::new(say(Health::Reconciling, Reason::ReferenceMissing, what, wake)))
        }
        Err(problem) => Err(Box::new(invalid(&problem))),
    }
}

/// Azure, as the identity of the object sees it; else what is said of that, for nobody may act or look.
async fn seen_by<K: Kind>(object: &K, ctx: &Ctx) -> Result<Result<Azure, Box<Seen<K>>>, Fault> {
    let Some(source) = object.identity() else { return Ok(Ok(ctx.identities.own())) };
    // Nobody says when the Secret was put right.
    let again = |said: Box<_>| Box::new(Seen { wake: Wake::After(REFERENCE_WAIT), ..*said });
    Ok(ready(ctx.identities.of(&source).await?).map_err(again))
}

async fn decide<K: Kind>(
    object: &K,
    entry: &mut Entry,
    kept: &mut Kept<K::Memory>,
    requests: Requests,
    ctx: &Ctx,
    now: DateTime<Utc>,
) -> Result<Seen<K>, Fault> {
    let suspended = requests.suspended;
    let azure = &match seen_by(object, ctx).await? {
        Ok(azure) => azure,
        Err(said) => return Ok(*said),
    };
    pin(object, entry, azure).await?;
    let desired = if object.meta().deletion_timestamp.is_some() {
        Ok(None)
    } else if let Some(problem) = object.mistakes().first() {
        // A file's were found when it was read; what an API server lets through is seen here first.
        Err(Box::new(invalid(problem)))
    } else {
        ready(object.resolve(entry, ctx).await?).map(Some)
    };
    let desired = match desired {
        Ok(desired) => desired,
        Err(said) => return Ok(look_on(object, entry, kept, requests, *said, (azure, ctx)).await),
    };
    let observed = match object.observe(entry, kept.memory.clone(), requests, azure, ctx).await? {
        Ok(observed) => observed,
        Err(problem) => return Ok(invalid(&problem)),
    };
    let goal = desired.as_ref().map_or(Goal::Absent, Goal::Present);
    let (mut plan, facts) = K::plan(goal, &observed, now);
    if suspended && plan.step.take().is_some() {
        plan.message = format!("suspended; waiting: {}", plan.message);
        (plan.health, plan.reason, plan.wake) =
            (Health::Stalled, Reason::Suspended, Wake::OnChange);
    }
    debug!(reason = %plan.reason, message = %plan.message, wake = ?plan.wake, "planned");
    claim(entry, plan.made, plan.step.is_some(), ctx).await?;
    kept.memory = plan.memory;
    let summary = Summary {
        health: plan.health,
        reason: plan.reason,
        message: plan.message,
        conditions: plan.conditions,
    };
    let mut seen = Seen { summary, wake: plan.wake, facts: None, failed: None };
    if let Some(step) = &plan.step {
        // A costly write is remembered before it happens: a crash in between costs a wait, no second.
        remember::<K>(&entry.key, kept, ctx).await?;
        info!(step = K::step_name(step), reason = %seen.summary.reason, message = %seen.summary.message, "performing");
        let result = object.perform(entry, step, azure, ctx).await;
        kept.memory = K::settle(kept.memory.clone(), step, &observed, &result, ctx.clock.now());
        seen.failed = result.err();
    }
    seen.facts = Some((observed, facts));
    Ok(seen)
}

/// Fixes what must not change with the environment, before the first claim.
async fn pin<K: Kind>(object: &K, entry: &mut Entry, azure: &Azure) -> Result<(), Fault> {
    for (name, value) in object.pins(azure).await? {
        entry.pinned.entry(name.to_owned()).or_insert(value);
    }
    Ok(())
}

/// The ledger knows of a thing before it exists, and that it is ours once our mark was seen on it.
async fn claim(entry: &mut Entry, made: bool, writing: bool, ctx: &Ctx) -> Result<(), Fault> {
    let phase = match (entry.phase, made, writing) {
        (_, true, _) => Phase::Made,
        (Phase::Seen, false, true) => Phase::Claimed,
        (phase, ..) => phase,
    };
    if phase == entry.phase {
        return Ok(());
    }
    entry.phase = phase;
    ctx.ledger.record(entry).await
}

async fn read_kept<K: Kind>(key: &ObjectKey, ctx: &Ctx) -> Result<Kept<K::Memory>, Fault> {
    let Some(value) = ctx.ledger.memory(key).await? else { return Ok(Kept::default()) };
    // Memory steers waits alone: one that an older release wrote otherwise can be done without.
    Ok(Kept::deserialize(value).unwrap_or_else(|problem| {
        warn!(%problem, "the memory cannot be read; starting without");
        Kept::default()
    }))
}

async fn remember<K: Kind>(
    key: &ObjectKey,
    kept: &Kept<K::Memory>,
    ctx: &Ctx,
) -> Result<(), Fault> {
    let value = serde_json::to_value(kept)
        .map_err(|e| Fault::Store { what: format!("memory of {key}"), problem: e.to_string() })?;
    ctx.ledger.remember(key, &value).await
}

/// Publishes a difference, and the event that tells it.
async fn publish<K: Kind>(
    object: &K,
    entry: &Entry,
    seen: &Seen<K>,
    ctx: &Ctx,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let previous = ctx.ledger.status(&entry.key).await?;
    let summary = overlay(object, &seen.summary);
    let conditions = previous.as_ref().map(conditions).unwrap_or_default();
    let (conditions, event) = outcome::conclude(&conditions, &summary, entry.generation, now);
    // A pass that saw nothing keeps what was seen before.
    let mut status = match &seen.facts {
        Some((observed, facts)) => object.status(entry, observed, facts),
        None => previous.clone().unwrap_or_else(|| json!({})),
    };
    status["observedGeneration"] = entry.generation.into();
    status["conditions"] = serde_json::to_value(conditions).unwrap_or_default();
    status["observedAt"] = previous.as_ref().map_or(Value::Null, |p| p["observedAt"].clone());
    if let Some((not_after, renewal)) = K::certificate(&status) {
        let renewal = renewal.unwrap_or(not_after);
        ctx.metrics.certificate(series(&entry.key), not_after, renewal);
    }
    let ready = summary.health == Health::Ready;
    ctx.metrics.ready(series(&entry.key), ready);
    let changed = previous.as_ref() != Some(&status);
    if changed {
        if seen.facts.is_some() || status["observedAt"].is_null() {
            status["observedAt"] = json!(now);
        }
        ctx.ledger.publish(&entry.key, &status).await?;
    }
    if let Some(event) = event {
        ctx.ledger.emit(&entry.key, &event, now).await?;
    }
    Ok(changed)
}

/// What the source of the manifest has to add: the object is kept although its manifest is not there,
/// or cannot be used.
fn overlay<K: Kind>(object: &K, summary: &Summary) -> Summary {
    let mut summary = summary.clone();
    if let Some(problem) = annotation(object.meta(), annotations::INVALID) {
        summary.health = Health::Stalled;
        summary.reason = Reason::Invalid;
        summary.message = format!("{problem}; the last good manifest stays in force");
    } else if annotation(object.meta(), annotations::ORPHANED).is_some()
        && summary.health == Health::Ready
    {
        summary.reason = Reason::Orphaned;
        "no manifest any more; nothing is deleted".clone_into(&mut summary.message);
    }
    summary
}

fn series(key: &ObjectKey) -> Series<'_> {
    Series { kind: &key.kind, namespace: key.namespace.as_deref(), name: &key.name }
}

/// Conditions of a published status; none where they cannot be read.
fn conditions(status: &Value) -> Vec<Condition> {
    Vec::deserialize(&status["conditions"]).unwrap_or_default()
}

impl Outcome {
    /// The next pass, in kube-runtime's words.
    pub(super) fn action(&self) -> kube::runtime::controller::Action {
        use kube::runtime::controller::Action;
        match self.wake {
            // A step was taken: the world is another one.
            Wake::After(wait) => Action::requeue(wait.max(Duration::from_millis(1))),
            Wake::OnChange => Action::await_change(),
        }
    }
}
