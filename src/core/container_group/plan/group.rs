//! The stages that look at the group itself.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::super::body::{over, own_tags};
use super::super::changes::{Difference, Digest, difference};
use super::super::desired::tags;
use super::super::memory::{Kept, TagRecord};
use super::super::{Group, Provisioning, Step};
use super::{PATIENCE, POLL, Pass, REST, STALE, Verdict, first_start, is_deleted, is_ours};
use crate::core::fields::{Change, states_hidden};
use crate::core::{ConditionType, Cost, Health, Reason};

/// Time until the mark of our ownership that ARM did not keep is sent again.
const RETAG: TimeDelta = TimeDelta::hours(1);

pub(super) fn own(pass: &mut Pass<'_>) -> Option<Verdict> {
    let group = pass.group()?;
    if is_ours(group, pass.observed) {
        pass.made = true;
        return None;
    }
    let owner = tags::get(&group.tags, tags::OWNER);
    if pass.desired.adopt {
        let own = [(tags::OWNER.to_owned(), pass.observed.owner.clone())].into();
        return tag(pass, own, "taking over the group").or_else(|| {
            let message = "ARM does not keep our owner's tag: does a policy remove it?";
            Some(Verdict::wait(Health::Stalled, Reason::NotConverging, message, REST))
        });
    }
    let message = match owner {
        Some(owner) => format!("the group belongs to {owner}; set spec.adopt to take it over"),
        None => "a group of that name exists and is not ours; set spec.adopt to take it over \
                 or choose another name"
            .to_owned(),
    };
    Some(Verdict::wait(Health::Stalled, Reason::NotOwned, message, REST))
}

pub(super) fn create(pass: &mut Pass<'_>) -> Option<Verdict> {
    if pass.group().is_some() {
        return None;
    }
    if pass.memory.put.as_ref().is_some_and(|put| put.is_under_way(pass.now)) {
        let message = "ARM does not show the new group yet";
        return Some(Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL));
    }
    if !pass.observed.resource_group {
        let (step, message) = (Step::CreateResourceGroup, "making the resource group");
        return Some(Verdict::step(step, Cost::Tag, Reason::Creating, message));
    }
    // Another run of the containers: nothing that was seen of the last one counts.
    (pass.memory.live, pass.memory.trial, pass.memory.settled_start) = (None, None, None);
    (pass.memory.deleted, pass.memory.tagged) = (None, None);
    (pass.memory.swap_failures, pass.memory.swap_after) = (0, None);
    Some(pass.put(Cost::Tag, Reason::Creating, "making the group".to_owned(), &[]))
}

/// A read older than our last write, by value, is a wait: every PUT starts the containers anew, so one
/// that shows their old start is old; without a start the digest tells.
pub(super) fn read_own_write(pass: &mut Pass<'_>) -> Option<Verdict> {
    let group = pass.group()?;
    if is_deleted(group, &pass.memory, pass.now) {
        let message = "ARM still shows the group that was deleted";
        return Some(Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL));
    }
    let digest = tags::get(&group.tags, tags::DIGEST);
    let put = pass.memory.put.as_mut().filter(|put| !put.seen)?;
    let old = match put.start {
        Some(_) => first_start(group) == put.start,
        None => put.previous.is_some() && digest == put.previous.as_deref(),
    };
    if !old || !put.is_under_way(pass.now) {
        put.seen = true;
        return None;
    }
    let message = "ARM still shows the group as it was before our last change";
    Some(Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL))
}

pub(super) fn wait_for_arm(pass: &mut Pass<'_>) -> Option<Verdict> {
    let group = pass.group()?;
    match &group.provisioning {
        Provisioning::Succeeded => {
            pass.memory.failed_puts = 0;
            None
        }
        Provisioning::Busy(word) => {
            let message = format!("ARM says {word}");
            Some(Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL))
        }
        Provisioning::Failed => Some(retry_failed(pass, group)),
    }
}

fn retry_failed(pass: &mut Pass<'_>, group: &Group) -> Verdict {
    let same = tags::get(&group.tags, tags::DIGEST) == Some(pass.desired.digest.as_str());
    let why = group.events.first().map_or("ARM gives no cause", String::as_str);
    let failed = pass.memory.failed_puts;
    if same && failed >= PATIENCE {
        let message = format!("provisioning failed {failed} times: {why}");
        return Verdict::wait(Health::Stalled, Reason::ProvisioningFailed, message, REST);
    }
    if same && let Some(put) = &pass.memory.put {
        let wait = TimeDelta::seconds(15 << failed.min(6));
        let left = (put.at + wait - pass.now).to_std().unwrap_or_default();
        if !left.is_zero() {
            let message = format!("provisioning failed: {why}; trying again");
            let health = Health::Reconciling;
            return Verdict::wait(health, Reason::ProvisioningFailed, message, left);
        }
    }
    pass.memory.failed_puts = if same { failed + 1 } else { 0 };
    let message = format!("provisioning failed: {why}");
    pass.put(Cost::Restart, Reason::ProvisioningFailed, message, &[])
}

/// Containers that ended or were stopped although they should run.
pub(super) fn revive(pass: &mut Pass<'_>) -> Option<Verdict> {
    if !pass.desired.service {
        return None;
    }
    match pass.group()?.state.as_deref() {
        Some("Succeeded" | "Failed") => {
            let message = "the containers ended; the group is made anew".to_owned();
            Some(pass.put(Cost::Restart, Reason::Terminated, message, &[]))
        }
        Some("Stopped") => {
            let message = "the group was stopped".to_owned();
            pass.assert(ConditionType::Drifted, true, Reason::Drifted, message.as_str());
            Some(pass.put(Cost::Restart, Reason::Drifted, message, &[]))
        }
        _ => None,
    }
}

pub(super) fn repair(pass: &mut Pass<'_>) -> Option<Verdict> {
    let (desired, group) = (pass.desired, pass.group()?);
    let mut found = difference(desired, group, &pass.memory);
    learn(pass, &mut found);
    say_drift(pass, &found);
    let told: Vec<String> = found.changes.iter().map(ToString::to_string).collect();
    let dearest = found.changes.iter().map(|change| change.cost).max();
    let message = |text: &str| match told.as_slice() {
        [] => text.to_owned(),
        told => told.join("; "),
    };
    match (found.digest, dearest) {
        (_, Some(Cost::Replace)) => {
            Some(pass.delete(Cost::Replace, Reason::Replacing, message("")).changing(&told))
        }
        (Digest::Changed, _) => {
            let text = message("a value that ARM does not show changed");
            Some(pass.put(Cost::Restart, Reason::Changed, text, &told))
        }
        (_, Some(Cost::Restart | Cost::Hot)) => {
            Some(pass.put(Cost::Restart, Reason::Drifted, message(""), &told))
        }
        (Digest::Missing, _) if unseen(pass, group) => {
            let text = message("somebody else replaced the group: not all of it can be seen");
            Some(pass.put(Cost::Restart, Reason::Drifted, text, &told))
        }
        (Digest::Same, None) => {
            pass.memory.tagged = None;
            None
        }
        (Digest::Same | Digest::Missing | Digest::Foreign, _) => {
            let own = own_tags(desired, pass.observed);
            tag(pass, own, &message("the digest is stamped anew"))
        }
    }
}

/// Sends `own` tags: a read that does not show them yet is waited for, and what ARM shows otherwise
/// for longer, although it accepted them, is ARM's to decide: `None`. The mark of our ownership is
/// tried again: somebody may have taken it away right after us, and it restarts nothing.
fn tag(pass: &mut Pass<'_>, own: BTreeMap<String, String>, message: &str) -> Option<Verdict> {
    let all = over(pass.group(), own.clone());
    let marked = pass.group().and_then(|group| tags::get(&group.tags, tags::OWNER)).is_some();
    match &pass.memory.tagged {
        Some(last) if last.tags == own && pass.now < last.at + STALE => {
            let message = "ARM still shows the tags as they were before our last change";
            Some(Verdict::wait(Health::Reconciling, Reason::Provisioning, message, POLL))
        }
        Some(last)
            if last.tags == own && last.accepted && (marked || pass.now < last.at + RETAG) =>
        {
            let (kind, reason) = (ConditionType::NotConverging, Reason::NotConverging);
            pass.assert(kind, true, reason, format!("ARM keeps its own tags: {message}"));
            None
        }
        _ => {
            pass.memory.tagged = Some(TagRecord { at: pass.now, tags: own, accepted: false });
            Some(Verdict::step(Step::Tag(all), Cost::Tag, Reason::Changed, message))
        }
    }
}

/// What still differs right after our own successful PUT is ARM's to decide: putting it again
/// would restart the containers for nothing, forever.
fn learn(pass: &mut Pass<'_>, found: &mut Difference) {
    let Some(put) = &mut pass.memory.put else { return };
    if put.settled || found.digest != Digest::Same {
        return;
    }
    put.settled = true;
    pass.memory.azures.retain(|path, _| found.kept.iter().any(|change| change.path == *path));
    for change in found.changes.drain(..) {
        let kept = Kept { want: change.want.clone(), have: change.have.clone() };
        pass.memory.azures.insert(change.path.clone(), kept);
        found.kept.push(change);
    }
}

fn say_drift(pass: &mut Pass<'_>, found: &Difference) {
    let join = |changes: &mut dyn Iterator<Item = &Change>| {
        changes.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let foreign = join(&mut found.changes.iter().filter(|change| change.cost > Cost::Tag));
    let lost = found.digest == Digest::Missing && pass.memory.put.is_some();
    let drifted = lost || found.digest != Digest::Changed && !foreign.is_empty();
    let (reason, message) = match (drifted, foreign.is_empty()) {
        (false, _) => (Reason::InSync, String::new()),
        (true, true) => (Reason::Drifted, "our tags are gone".to_owned()),
        (true, false) => (Reason::Drifted, foreign),
    };
    pass.assert(ConditionType::Drifted, drifted, reason, message);
    let kept = join(&mut found.kept.iter());
    let (reason, message) = if kept.is_empty() {
        (Reason::InSync, String::new())
    } else {
        (Reason::NotConverging, format!("ARM keeps its own value: {kept}"))
    };
    pass.assert(ConditionType::NotConverging, !found.kept.is_empty(), reason, message);
}

/// Whether somebody else put the group, and not all of it can be seen: a secret, or, in place of one that was
/// ours, what the manifest does not state. One that was never ours is taken over as it is.
fn unseen(pass: &Pass<'_>, group: &Group) -> bool {
    let replaced = pass.memory.put.is_some() && !pass.observed.own;
    let secret = || states_hidden(pass.desired.fields, &pass.desired.want.0);
    restarted(pass, group) && (replaced || secret())
}

/// Whether the containers were started anew since the group was last as wanted.
fn restarted(pass: &Pass<'_>, group: &Group) -> bool {
    first_start(group) != pass.memory.settled_start
}
