//! The stages that hand the group's public origins on.

use chrono::TimeDelta;

use super::super::Step;
use super::super::origins::{named, to_tell};
use super::super::rotation::{hot_works, sidecar_start};
use super::{Pass, Verdict};
use crate::core::{ConditionType, Cost, Reason};

/// Time until containers that could not be told their origins are told again.
const AGAIN: TimeDelta = TimeDelta::minutes(1);

/// The stages before have seen to it that the stored leaf is served: its names may be published.
pub(super) fn gather(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref()?;
    let (group, leaf) = (pass.running()?, pass.observed.leaf.as_ref()?);
    let names = &leaf.facts.leaf.names;
    pass.memory.origins.extend(named(tls, Some(group), names));
    None
}

pub(super) fn follow(pass: &mut Pass<'_>) -> Option<Verdict> {
    let kind = ConditionType::AppRegistrationReady;
    let group = pass.group()?;
    let origins = &pass.memory.origins;
    let followers: Vec<_> = pass.observed.followers.iter().filter(|f| f.named).collect();
    let behind = followers.iter().filter(|follower| !follower.is_current(origins, group));
    let names: Vec<_> = behind.map(|follower| follower.name.as_str()).collect();
    match (followers.is_empty(), names.is_empty()) {
        (true, _) => {}
        (_, true) => pass.assert(kind, true, Reason::InSync, "redirect URIs are as published"),
        (_, false) => {
            let message = format!("{} has other redirect URIs yet", names.join(", "));
            pass.assert(kind, false, Reason::OriginsBehind, message);
        }
    }
    None
}

pub(super) fn tell(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref().filter(|tls| tls.sidecar.origins)?;
    let group = pass.running()?;
    let kind = ConditionType::OriginsCurrent;
    let origins = to_tell(&pass.memory.origins, &pass.observed.followers);
    let start = sidecar_start(group);
    let told = pass.memory.told.clone();
    let told = told.filter(|told| told.start == start && told.origins == origins);
    if told.as_ref().is_some_and(|told| told.failure.is_none()) {
        pass.assert(kind, true, Reason::OriginsTold, "the containers know their origins");
        return None;
    }
    if !(tls.hot && hot_works(group, pass.observed)) {
        let message = "only exec tells the containers their origins, and it does not work";
        pass.assert(kind, false, Reason::ExecFailed, message);
        return None;
    }
    if let Some(failure) = told.as_ref().and_then(|told| told.failure.as_deref())
        && let Some(left) = told.as_ref().map(|told| told.at + AGAIN - pass.now)
        && let Ok(left) = left.to_std()
        && !left.is_zero()
    {
        let message = format!("the containers cannot be told their origins: {failure}");
        pass.assert(kind, false, Reason::ExecFailed, message);
        pass.sooner(left);
        return None;
    }
    let message = "telling the containers their origins";
    pass.assert(kind, false, Reason::OriginsTold, message);
    Some(Verdict::step(Step::TellOrigins(origins), Cost::Hot, Reason::OriginsTold, message))
}
