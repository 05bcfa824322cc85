//! The stages that look at the leaf and the way it takes to clients.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::rotation::{self, Liveness};
use super::super::{Group, IssuerView, Step, TlsDesired};
use super::{POLL, Pass, REST, Verdict};
use crate::core::certificate::{Names, renewal_time};
use crate::core::{ConditionType, Cost, Health, Reason, Truth};

/// Time until exec that is known to fail is tried again.
const RETRY: TimeDelta = TimeDelta::minutes(10);

pub(super) fn have_leaf(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref()?;
    let wanted = rotation::wanted(tls, pass.observed);
    let violation = rotation::violation(pass.desired, tls, &wanted.names, pass.observed, pass.now);
    let leaf = pass.observed.leaf.as_ref();
    if let IssuerView::Provided { failed: Some(failed), .. } = &tls.issuer {
        pass.assert(ConditionType::CertificateReady, false, Reason::BadCertificate, failed);
        let none = leaf.is_none();
        return none.then(|| Verdict::wait(Health::Stalled, Reason::BadCertificate, failed, REST));
    }
    if let Some(fqdn) = uncovered(pass, tls) {
        let message =
            format!("the provided certificate does not name {fqdn}, and spec.tls.hosts none");
        pass.assert(ConditionType::CertificateReady, false, Reason::BadCertificate, message);
    }
    if !wanted.excluded.is_empty() {
        let names: Vec<_> = wanted.excluded.iter().map(String::as_str).collect();
        let message = format!(
            "the root may not sign {}: its permitted domains are fixed; make a new issuer",
            names.join(", ")
        );
        pass.assert(ConditionType::CertificateReady, false, Reason::RootMustBeReplaced, message);
    }
    let Some(violation) = violation else {
        if wanted.excluded.is_empty() && uncovered(pass, tls).is_none() {
            let kind = ConditionType::CertificateReady;
            pass.assert(kind, true, Reason::CertificateValid, "the stored leaf is valid");
        }
        return None;
    };
    if violation.usable && replacement_must_wait(pass, tls, &wanted.names) {
        return None;
    }
    let message = violation.message;
    pass.assert(ConditionType::CertificateReady, false, Reason::Issuing, message.as_str());
    if rotation::too_soon(pass.observed, pass.now) {
        let wait = Duration::from_secs(1);
        return Some(Verdict::wait(Health::Reconciling, Reason::Issuing, message, wait));
    }
    let step = rotation::issue(tls, wanted.names, pass.observed, pass.now);
    Some(Verdict::step(step, Cost::Tag, Reason::Issuing, message))
}

/// The group's own name, where it is the only one and the user's certificate does not stand for it.
fn uncovered<'a>(pass: &Pass<'a>, tls: &TlsDesired) -> Option<&'a str> {
    let IssuerView::Provided { failed: None, .. } = &tls.issuer else { return None };
    let fqdn = pass.group()?.fqdn.as_deref().filter(|_| tls.hosts.is_empty())?;
    let names = &pass.observed.leaf.as_ref()?.facts.leaf.names;
    (!names.covers(fqdn)).then_some(fqdn)
}

/// Where only a restart brings a leaf to the sidecar, a changed address alone does not restart
/// the group again and again: the restart may change the address once more.
fn replacement_must_wait(pass: &mut Pass<'_>, tls: &TlsDesired, names: &Names) -> bool {
    let (Some(group), Some(leaf)) = (pass.group(), pass.observed.leaf.as_ref()) else {
        return false;
    };
    let address_alone = leaf.facts.leaf.names.dns == names.dns
        && leaf.facts.leaf.names.ip != names.ip
        && pass.now
            < renewal_time(
                leaf.facts.leaf.not_before,
                leaf.facts.leaf.not_after,
                &pass.desired.uid,
            );
    let cold = !tls.hot || rotation::hot_fails(group, pass.observed);
    if !(address_alone && cold && rotation::address_restart_spent(pass.observed, pass.now)) {
        return false;
    }
    let message = "the address changed again, and a certificate reaches the sidecar only by a \
                   restart: it follows with the next renewal";
    pass.assert(ConditionType::CertificateReady, false, Reason::Issuing, message);
    true
}

pub(super) fn try_exec(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref()?;
    let group = pass.running()?;
    if !tls.hot {
        let message = "spec.tls.rotation.method is Restart";
        let kind = ConditionType::HotRotationAvailable;
        pass.assert(kind, Truth::Unknown, Reason::Unknown, message);
        return None;
    }
    let kind = ConditionType::HotRotationAvailable;
    let trial = rotation::trial(group, pass.observed);
    if trial.is_some_and(|trial| trial.failure.is_none()) {
        pass.assert(kind, true, Reason::ExecAvailable, "exec works");
        return None;
    }
    let known = rotation::hot_fails(group, pass.observed);
    let why = trial.and_then(|trial| trial.failure.as_deref());
    let why = why.unwrap_or("exec has not been tried yet");
    let (status, reason) =
        if known { (Truth::False, Reason::ExecFailed) } else { (Truth::Unknown, Reason::Pending) };
    pass.assert(kind, status, reason, why);
    // Exec may come back: a firewall is opened, a host recovers.
    let pause = if known { RETRY } else { TimeDelta::seconds(5) };
    let left = trial.and_then(|trial| (trial.at + pause - pass.now).to_std().ok());
    match left.filter(|left| !left.is_zero()) {
        // Nothing waits for it: it is tried when all else is done, and the group stays what it is.
        None if known && served_current(pass, group) => None,
        None => {
            let message = "trying exec in the sidecar";
            Some(Verdict::step(Step::TryExec, Cost::Tag, Reason::Rotating, message))
        }
        Some(_) if known => None,
        Some(left) => {
            let message = format!("exec failed, trying again: {why}");
            Some(Verdict::wait(Health::Reconciling, Reason::ExecFailed, message, left))
        }
    }
}

/// Exec that is known to fail, and is due to be tried again.
pub(super) fn exec_is_due(pass: &Pass<'_>) -> bool {
    let hot = pass.desired.tls.as_ref().is_some_and(|tls| tls.hot);
    let Some(group) = pass.running().filter(|_| hot) else { return false };
    let trial = rotation::trial(group, pass.observed);
    rotation::hot_fails(group, pass.observed)
        && trial.is_some_and(|trial| trial.failure.is_some() && trial.at + RETRY <= pass.now)
}

fn served_current(pass: &Pass<'_>, group: &Group) -> bool {
    let leaf = pass.observed.leaf.as_ref();
    leaf.is_some_and(|leaf| match rotation::liveness(group, leaf, pass.observed) {
        Liveness::Seen => true,
        Liveness::Believed(_) => !pass.memory.reached,
        Liveness::Other(_) => false,
    })
}

pub(super) fn rotate(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref()?;
    let (group, leaf) = (pass.running()?, pass.observed.leaf.as_ref()?);
    let kind = ConditionType::ServingCurrent;
    match rotation::liveness(group, leaf, pass.observed) {
        Liveness::Seen => {
            pass.assert(kind, true, Reason::Serving, "the stored leaf was seen served");
            None
        }
        Liveness::Believed(why) if !pass.memory.reached => {
            pass.assert(kind, Truth::Unknown, Reason::Unreachable, why);
            None
        }
        Liveness::Believed(why) => {
            pass.assert(kind, false, Reason::Unreachable, why.as_str());
            let message = format!("the endpoint does not answer: {why}");
            Some(Verdict::wait(Health::Reconciling, Reason::Unreachable, message, POLL))
        }
        Liveness::Other(what) => {
            pass.assert(kind, false, Reason::ServingOther, what.as_str());
            Some(bring_live(pass, tls, group, what))
        }
    }
}

fn bring_live(pass: &mut Pass<'_>, tls: &TlsDesired, group: &Group, what: String) -> Verdict {
    let Some(leaf) = pass.observed.leaf.as_ref() else {
        return Verdict::wait(Health::Reconciling, Reason::Issuing, what, POLL);
    };
    let works = tls.hot && rotation::hot_works(group, pass.observed);
    let failing = pass.memory.swap_failures;
    if works && !(failing > 0 && rotation::pressing(pass.observed, leaf, pass.now)) {
        if let Some(left) = pass.memory.swap_after.map(|at| at - pass.now)
            && let Ok(left) = left.to_std()
            && !left.is_zero()
        {
            let message = format!("{what}; {failing} swaps failed, trying again");
            return Verdict::wait(Health::Reconciling, Reason::ExecFailed, message, left);
        }
        let step = Step::SwapLeaf(Box::new(leaf.pair.clone()));
        return Verdict::step(step, Cost::Hot, Reason::Rotating, what);
    }
    let renewal =
        renewal_time(leaf.facts.leaf.not_before, leaf.facts.leaf.not_after, &pass.desired.uid);
    if pass.now < renewal && pass.memory.put.is_some() {
        pass.memory.address_restart = Some(pass.now);
    }
    let message = format!("{what}; an in-place update brings the new leaf");
    pass.put(Cost::Restart, Reason::Rotating, message, &["the certificate".to_owned()])
}

pub(super) fn refresh_volume(pass: &mut Pass<'_>) -> Option<Verdict> {
    let tls = pass.desired.tls.as_ref().filter(|tls| tls.refresh_volume)?;
    let (serial, not_after) = rotation::baked(pass.group()?)?;
    let leaf = &pass.observed.leaf.as_ref()?.facts.leaf;
    let life = TimeDelta::from_std(tls.life).unwrap_or(TimeDelta::MAX);
    let due = renewal_time(not_after - life, not_after, &pass.desired.uid);
    if serial == leaf.serial || pass.now < due {
        return None;
    }
    let message = "the leaf on the secret volume is due".to_owned();
    let changes = ["the certificate on the volume".to_owned()];
    Some(pass.put(Cost::Restart, Reason::Rotating, message, &changes))
}

/// Everything is done that can be done, but not all is well.
pub(super) fn hold_back(pass: &mut Pass<'_>) -> Option<Verdict> {
    let bad = pass.conditions.iter().find(|c| {
        c.kind == ConditionType::CertificateReady
            && c.status == Truth::False
            && matches!(c.reason, Reason::BadCertificate | Reason::RootMustBeReplaced)
    })?;
    Some(Verdict::wait(Health::Stalled, bad.reason, bad.message.clone(), REST))
}
