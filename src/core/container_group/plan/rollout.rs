//! The group that the operator itself runs in. It does not stop itself, but for one change: an image that
//! the manifest names by digest, once a trial beside it went well.

use chrono::TimeDelta;
use serde_json::json;

use super::super::body::own_tags;
use super::super::changes::{Digest, difference};
use super::super::desired::tags;
use super::super::memory::{Ended, Rollout, STALE};
use super::super::{Body, Group, Observed, Provisioning, Step};
use super::{POLL, Pass, REST, Verdict};
use crate::core::install::TRIAL_COMMAND;
use crate::core::{Cost, Health, Reason, Wake};

/// Longest time of a trial: pulling an image takes minutes.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// Until a trial that failed is made again: a registry may have been away.
const RETRY: TimeDelta = TimeDelta::hours(1);

/// Tries a new image beside the operator. Says nothing where there is none to try, or where the trial went
/// well and nothing of it is left: then the next stage puts it.
pub(super) fn try_out(pass: &mut Pass<'_>) -> Option<Verdict> {
    if !pass.observed.own {
        return None;
    }
    let (desired, observed) = (pass.desired, pass.observed);
    let changes = new_image(pass);
    // A trial of what another manifest said tells nothing of this one.
    pass.memory.rollout.take_if(|last| changes.is_none() || last.digest != desired.digest);
    if let Some(trial) = our_trial(observed) {
        return Some(watch(pass, trial));
    }
    let changes = changes?;
    if let Some(foreign) = &observed.trial {
        let message = format!("{} is somebody else's: no image can be tried there", foreign.id);
        return Some(Verdict::wait(Health::Stalled, Reason::NotOwned, message, REST));
    }
    begin(pass, &changes)
}

/// There is no trial: makes one, unless it was made and has told.
fn begin(pass: &mut Pass<'_>, changes: &[String]) -> Option<Verdict> {
    match &pass.memory.rollout {
        Some(Rollout { ended: Some(Ended::Well), .. }) => return None,
        Some(Rollout { ended: Some(Ended::Badly(why)), at, .. }) if pass.now < *at + RETRY => {
            let message = format!("did not pass its trial: {why}; {}", changes.join("; "));
            return Some(Verdict::wait(Health::Stalled, Reason::TrialFailed, message, REST));
        }
        Some(Rollout { ended: None, at, .. }) if pass.now < *at + STALE => {
            return Some(trying("ARM does not show the trial yet"));
        }
        _ => {}
    }
    let (digest, at) = (pass.desired.digest.clone(), pass.now);
    pass.memory.rollout = Some(Rollout { digest, at, ended: None });
    let step = Step::PutTrial(Box::new(trial(pass)));
    let verdict = Verdict::step(step, Cost::Restart, Reason::Trial, changes.join("; "));
    Some(verdict.changing(changes))
}

/// Waits for the end of a trial, notes it, and takes the trial away.
fn watch(pass: &mut Pass<'_>, trial: &Group) -> Verdict {
    let Some(last) = pass.memory.rollout.as_mut().filter(|last| last.ended.is_none()) else {
        return take_away(trial);
    };
    let ended = outcome(trial, &last.digest).or_else(|| {
        let minutes = LONGEST.num_minutes();
        let why = || Ended::Badly(format!("it did not end within {minutes} minutes"));
        (pass.now >= last.at + LONGEST).then(why)
    });
    if ended.is_none() {
        return trying(&format!("the trial is {}", trial.state.as_deref().unwrap_or("starting")));
    }
    last.ended = ended;
    take_away(trial)
}

/// ARM deletes nothing that it is at work on.
fn take_away(trial: &Group) -> Verdict {
    if let Provisioning::Busy(word) = &trial.provisioning {
        return trying(&format!("the trial is over; ARM says {word}"));
    }
    let step = Verdict::step(Step::DeleteTrial, Cost::Tag, Reason::Trial, "the trial is over");
    Verdict { wake: Wake::After(POLL), ..step }
}

/// The operator does not delete itself, and leaves no trial behind.
pub(super) fn leave(observed: &Observed) -> Verdict {
    match our_trial(observed) {
        Some(trial) if !observed.requests.suspended => take_away(trial),
        _ => refuse("deletion"),
    }
}

fn our_trial(observed: &Observed) -> Option<&Group> {
    let owner = |trial: &&Group| tags::get(&trial.tags, tags::OWNER) == Some(&observed.owner);
    observed.trial.as_ref().filter(owner)
}

/// Whether a step may be taken in the operator's own group: it stops no containers, or puts what was tried.
pub(super) fn lets_through(pass: &Pass<'_>, step: Option<&Step>) -> bool {
    match step {
        Some(Step::Put(_)) => passed(pass),
        Some(step) => !step.stops_containers(),
        None => true,
    }
}

fn passed(pass: &Pass<'_>) -> bool {
    let well =
        |last: &Rollout| last.digest == pass.desired.digest && last.ended == Some(Ended::Well);
    pass.memory.rollout.as_ref().is_some_and(well) && new_image(pass).is_some()
}

/// Whoever restarts itself may not come back to see how that went, and nobody else looks.
pub(super) fn refuse(change: &str) -> Verdict {
    let message = format!(
        "the operator runs in this group and does not stop itself, but for a new image, by digest, and \
         nothing else: {change} (`aci-operator upgrade azure` does it from outside)"
    );
    Verdict::wait(Health::Stalled, Reason::SelfReplace, message, REST)
}

/// What differs, where the manifest has another image, by digest, than when the group was last as wanted, and
/// nothing else but tags: neither a secret nor a property that it does not state any more, which no comparison
/// with ARM shows.
fn new_image(pass: &Pass<'_>) -> Option<Vec<String>> {
    let found = difference(pass.desired, pass.group()?, &pass.memory);
    let name = pass.desired.user.0["containers"][0]["name"].as_str()?;
    let mut dear = found.changes.iter().filter(|change| change.cost > Cost::Tag);
    let (image, None) = (dear.next()?, dear.next()) else { return None };
    let by_digest = image.want.as_str().is_some_and(|image| image.contains("@sha256:"));
    let only = by_digest && image.path == format!("containers[{name}].image");
    let changes = found.changes.iter().map(ToString::to_string);
    let same = pass.memory.frame.as_ref() == Some(&pass.desired.frame);
    (only && same && found.digest == Digest::Changed).then(|| changes.collect())
}

/// How a trial of what `digest` names ended; a read of an older trial says nothing.
fn outcome(trial: &Group, digest: &str) -> Option<Ended> {
    let why = trial.events.first().map_or("its container failed", String::as_str);
    match (&trial.provisioning, trial.state.as_deref()) {
        _ if tags::get(&trial.tags, tags::DIGEST) != Some(digest) => None,
        (Provisioning::Failed, _) | (_, Some("Failed")) => Some(Ended::Badly(why.to_owned())),
        (_, Some("Succeeded")) => Some(Ended::Well),
        _ => None,
    }
}

/// The operator's own container with a command that ends: it signs in, reads the home, and writes nothing.
fn trial(pass: &Pass<'_>) -> Body {
    let mut properties = pass.desired.user.0.clone();
    let mut container = properties["containers"][0].take();
    container["command"] = json!(TRIAL_COMMAND);
    if let Some(container) = container.as_object_mut() {
        container.retain(|name, _| name != "livenessProbe" && name != "readinessProbe");
    }
    properties["containers"] = json!([container]);
    properties["restartPolicy"] = json!("Never");
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("ipAddress");
    }
    let tags = own_tags(pass.desired, pass.observed);
    Body { location: pass.desired.location.clone(), tags, properties }
}

fn trying(message: &str) -> Verdict {
    Verdict::wait(Health::Reconciling, Reason::Trial, message, POLL)
}
