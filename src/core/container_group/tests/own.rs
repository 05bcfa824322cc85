//! The group that the operator runs in.

use super::super::memory::{Ended, Rollout, settle};
use super::*;
use crate::core::{Fault, install};

const IMAGE: &str = "operator@sha256:2";
const NEXT: &str = "1.key.next";

fn own() -> Observed {
    let mut observed = Observed { own: true, ..observed() };
    observed.memory.frame = Some(desired().frame);
    observed
}

fn refused(decision: &Decision) -> bool {
    let plan = &decision.plan;
    plan.step.is_none() && (plan.health, plan.reason) == (Health::Stalled, Reason::SelfReplace)
}

#[test]
fn it_is_neither_restarted_nor_replaced_nor_deleted() {
    let changed = Desired { digest: "1.key.changed".to_owned(), ..desired() };
    assert!(refused(&plan(Goal::Present(&changed), &own(), at(10))));
    let mut drifted = own();
    group(&mut drifted).properties["containers"][0]["image"] = json!("api:2");
    assert!(refused(&plan(Goal::Present(&desired()), &drifted, at(10))));
    assert!(refused(&plan(Goal::Absent, &own(), at(10))));
}

#[test]
fn no_approval_lets_it_through() {
    let changed =
        Desired { digest: "1.key.changed".to_owned(), allowed: Cost::Replace, ..desired() };
    assert!(refused(&plan(Goal::Present(&changed), &own(), at(10))));
}

#[test]
fn what_stops_nothing_goes_on() {
    let mut untagged = own();
    group(&mut untagged).tags.remove(tags::DIGEST);
    let decision = plan(Goal::Present(&desired()), &untagged, at(10));
    assert!(matches!(decision.plan.step, Some(Step::Tag(_))), "{decision:?}");
    let decision = plan(Goal::Present(&desired()), &own(), at(10));
    assert_eq!(decision.plan.health, Health::Ready);
}

/// The manifest names another image, by digest.
fn next() -> Desired {
    let mut user = user();
    user["containers"][0]["image"] = json!(IMAGE);
    let (user, want) = (Hidden(user.clone()), Hidden(user));
    Desired { user, want, digest: NEXT.to_owned(), tls: None, ..desired() }
}

/// The trial as ARM shows it.
fn trial(state: &str) -> Group {
    let mut trial = own().group.unwrap();
    trial.tags.insert(tags::DIGEST.to_owned(), NEXT.to_owned());
    trial.state = Some(state.to_owned());
    trial
}

fn tried(seconds: i64, ended: Option<Ended>, shown: Option<Group>) -> Observed {
    let mut observed = Observed { trial: shown, ..own() };
    observed.memory.rollout = Some(Rollout { digest: NEXT.to_owned(), at: at(seconds), ended });
    observed
}

#[track_caller]
fn decides(observed: &Observed, seconds: i64, expected: (Health, Reason, Option<&str>)) -> Memory {
    let plan = plan(Goal::Present(&next()), observed, at(seconds)).plan;
    let found = (plan.health, plan.reason, plan.step.as_ref().map(Step::name));
    assert_eq!(found, expected, "{}", plan.message);
    plan.memory
}

#[test]
fn a_new_image_is_tried_beside_it() {
    let decision = plan(Goal::Present(&next()), &own(), at(10));
    let Some(Step::PutTrial(body)) = decision.plan.step else { panic!("{decision:?}") };
    let container = &body.properties["containers"][0];
    assert_eq!(container["image"], IMAGE);
    assert_eq!(container["command"], json!(install::TRIAL_COMMAND));
    assert_eq!(body.properties["restartPolicy"], "Never");
    assert!(body.properties.get("ipAddress").is_none());
    assert_eq!(tags::get(&body.tags, tags::OWNER), Some(OWNER));
    let begun = Rollout { digest: NEXT.to_owned(), at: at(10), ended: None };
    assert_eq!(decision.plan.memory.rollout, Some(begun));
    assert_eq!(decision.plan.memory.put, None, "its own group is as it was");
}

#[test]
fn it_restarts_with_an_image_that_passed() {
    let trying = |seconds, shown| tried(seconds, None, shown);
    decides(&trying(10, None), 12, waits(Reason::Trial));
    decides(&trying(10, None), 60, does(Reason::Trial, "PutTrial"));
    decides(&trying(10, Some(trial("Running"))), 12, waits(Reason::Trial));
    let mut older = trial("Succeeded");
    older.tags.insert(tags::DIGEST.to_owned(), DIGEST.to_owned());
    decides(&trying(10, Some(older)), 12, waits(Reason::Trial));
    let memory =
        decides(&trying(10, Some(trial("Succeeded"))), 12, does(Reason::Trial, "DeleteTrial"));
    assert_eq!(memory.rollout.unwrap().ended, Some(Ended::Well));
    let well = |shown| tried(10, Some(Ended::Well), shown);
    decides(&well(Some(trial("Succeeded"))), 15, does(Reason::Trial, "DeleteTrial"));
    decides(&well(None), 18, does(Reason::Changed, "Put"));
}

#[test]
fn the_next_process_finds_itself_as_wanted() {
    let mut observed = tried(10, Some(Ended::Well), None);
    group(&mut observed).properties["containers"][0]["image"] = json!(IMAGE);
    tag(&mut observed, tags::DIGEST, NEXT);
    observed.memory.frame = None;
    let memory = decides(&observed, 30, ready(Reason::InSync));
    assert_eq!((memory.rollout, memory.frame), (None, Some(next().frame)));
}

#[test]
fn an_image_that_does_not_pass_is_not_taken() {
    for state in ["Failed", "Running"] {
        let observed = tried(10, None, Some(trial(state)));
        let memory = decides(&observed, 10 + 601, does(Reason::Trial, "DeleteTrial"));
        assert!(matches!(memory.rollout.unwrap().ended, Some(Ended::Badly(_))), "{state}");
    }
    let badly = tried(10, Some(Ended::Badly("no such program".to_owned())), None);
    let memory = decides(&badly, 700, stalls(Reason::TrialFailed));
    assert_eq!(memory.rollout, badly.memory.rollout);
    decides(&badly, 10 + 3600, does(Reason::Trial, "PutTrial"));
    // Another image is another trial.
    let other = Desired { digest: "1.key.other".to_owned(), ..next() };
    let decision = plan(Goal::Present(&other), &badly, at(700));
    assert!(matches!(decision.plan.step, Some(Step::PutTrial(_))), "{decision:?}");
}

#[test]
fn arm_is_not_asked_to_delete_what_it_is_at_work_on() {
    let mut creating = trial("");
    creating.provisioning = Provisioning::Busy("Creating".to_owned());
    let late = tried(10, None, Some(creating.clone()));
    let memory = decides(&late, 10 + 601, waits(Reason::Trial));
    assert!(matches!(memory.rollout.unwrap().ended, Some(Ended::Badly(_))));
    let left = Observed { trial: Some(creating), ..own() };
    decides(&left, 12, waits(Reason::Trial));
}

#[test]
fn a_deletion_takes_the_trial_along_and_not_the_operator() {
    let mut left = Observed { trial: Some(trial("Running")), ..own() };
    let decision = plan(Goal::Absent, &left, at(12));
    assert!(matches!(decision.plan.step, Some(Step::DeleteTrial)), "{decision:?}");
    left.requests.suspended = true;
    assert!(refused(&plan(Goal::Absent, &left, at(12))));
    let mut foreign = Observed { trial: Some(trial("Running")), ..own() };
    foreign.trial.as_mut().unwrap().tags.clear();
    assert!(refused(&plan(Goal::Absent, &foreign, at(12))));
}

#[test]
fn an_operator_that_ended_is_not_made_anew_by_itself() {
    let mut ended = tried(10, Some(Ended::Well), None);
    group(&mut ended).state = Some("Failed".to_owned());
    decides(&ended, 18, stalls(Reason::SelfReplace));
}

#[test]
fn what_is_left_of_a_trial_goes_when_the_manifest_is_as_before() {
    let observed = tried(10, None, Some(trial("Running")));
    let decision = plan(Goal::Present(&desired()), &observed, at(12));
    assert!(matches!(decision.plan.step, Some(Step::DeleteTrial)), "{decision:?}");
    let observed = tried(10, None, None);
    assert_eq!(plan(Goal::Present(&desired()), &observed, at(12)).plan.memory.rollout, None);
}

#[test]
fn a_trial_touches_nothing_of_somebody_elses() {
    let mut foreign = trial("Succeeded");
    foreign.tags.remove(tags::OWNER);
    decides(&tried(10, None, Some(foreign.clone())), 12, stalls(Reason::NotOwned));
    let observed = Observed { trial: Some(foreign), ..own() };
    decides(&observed, 12, stalls(Reason::NotOwned));
    assert_eq!(plan(Goal::Present(&desired()), &observed, at(12)).plan.health, Health::Ready);
}

#[test]
fn a_trial_that_arm_refuses_was_none() {
    let memory = tried(10, None, None).memory;
    let body = Body { location: String::new(), tags: BTreeMap::new(), properties: json!({}) };
    let step = Step::PutTrial(Box::new(body));
    let (service, code, message) = ("ARM", String::new(), String::new());
    let refused = Err(Fault::Refused { service, code, message });
    assert_eq!(settle(memory, &step, None, &refused, at(11)).rollout, None);
}

#[test]
fn no_other_change_comes_along_with_an_image() {
    let mut tagged = next();
    tagged.user.0["containers"][0]["image"] = json!("operator:2");
    tagged.want = tagged.user.clone();
    assert!(refused(&plan(Goal::Present(&tagged), &own(), at(10))), "not named by digest");
    let mut more = next();
    more.user.0["containers"][0]["cpu"] = json!(2);
    more.want = more.user.clone();
    assert!(refused(&plan(Goal::Present(&more), &own(), at(10))));
    // A secret, or a property that the manifest does not state any more: ARM shows neither.
    let unseen = Desired { frame: "another".to_owned(), ..next() };
    assert!(refused(&plan(Goal::Present(&unseen), &own(), at(10))));
    let mut never = own();
    never.memory.frame = None;
    assert!(refused(&plan(Goal::Present(&next()), &never, at(10))), "never as wanted yet");
    // Somebody else's edit is no wish of the manifest's.
    let mut drifted = own();
    group(&mut drifted).properties["containers"][0]["image"] = json!("operator@sha256:1");
    assert!(refused(&plan(Goal::Present(&desired()), &drifted, at(10))));
}

#[test]
fn its_policy_has_the_last_word_on_a_new_image() {
    let held = Desired { allowed: Cost::Hot, ..next() };
    let decision = plan(Goal::Present(&held), &own(), at(10));
    assert_eq!(decision.plan.reason, Reason::ApprovalRequired);
    let digest = decision.pending.unwrap().digest;
    let mut approved = own();
    approved.requests.approve = Some(Approval { digest, at: at(11) });
    let decision = plan(Goal::Present(&held), &approved, at(12));
    assert!(matches!(decision.plan.step, Some(Step::PutTrial(_))), "{decision:?}");
    approved.memory.rollout = tried(12, Some(Ended::Well), None).memory.rollout;
    let decision = plan(Goal::Present(&held), &approved, at(20));
    assert!(matches!(decision.plan.step, Some(Step::Put(_))), "{decision:?}");
}
