//! The group that the operator runs in.

use super::*;

fn own() -> Observed {
    Observed { own: true, ..observed() }
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
