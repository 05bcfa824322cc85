//! What others do to the applications.

use super::*;

#[test]
fn what_others_added_is_kept_and_shown_or_stops_everything() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    let theirs = "https://theirs.example/cb";
    let foreign = Scope { value: "theirs".to_owned(), ..scope_of(&mut tenant) };
    let api = tenant.properties(Which::Api);
    api.web_redirect_uris.as_mut().unwrap().insert(theirs.to_owned());
    api.scopes.as_mut().unwrap().insert("their-id".to_owned(), foreign);
    wanted.redirect_uris.insert("https://mine.example".to_owned());
    let Done { facts, .. } = tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication"]);
    assert_eq!(facts.foreign, [format!("redirect URI {theirs}"), "scope theirs".to_owned()]);
    let uris = tenant.uris(Which::Api);
    assert!(uris.contains(theirs) && uris.contains("https://mine.example"));

    wanted.refuse_foreign = true;
    wanted.display_name = "other".to_owned();
    let Done { plan, .. } = tenant.settle(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Stalled, Reason::ForeignEdits));
    assert!(plan.message.contains(theirs) && plan.message.contains("scope theirs"));
    tenant.took(&[]);
    assert!(tenant.uris(Which::Api).contains(theirs));
}

fn scope_of(tenant: &mut Tenant) -> Scope {
    tenant.properties(Which::Api).scopes.as_ref().unwrap().values().next().unwrap().clone()
}

#[test]
fn a_value_that_graph_keeps_is_not_written_for_ever() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    wanted.display_name = "new".to_owned();
    for _ in 0..200 {
        tenant.pass(Goal::Present(&wanted));
        tenant.properties(Which::Api).display_name = Some("theirs".to_owned());
    }
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!(plan.health, Health::Ready);
    let told = condition(&plan, ConditionType::NotConverging);
    assert_eq!(told, Some((Truth::True, Reason::NotConverging)));
    // Once, once more for what somebody else seemed to do, and Swagger's.
    assert_eq!(tenant.steps.len(), 3, "{:?}", tenant.steps);
    // Until the manifest says something new.
    wanted.display_name = "newer".to_owned();
    tenant.steps.clear();
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
}

#[test]
fn what_was_seen_and_undone_later_is_nobodys_value_but_drift() {
    let wanted = desired();
    let mut tenant = Tenant::empty();
    tenant.settle(Goal::Present(&wanted));
    tenant.steps.clear();
    tenant.later(180);
    tenant.properties(Which::Api).web_redirect_uris = Some(BTreeSet::new());
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication"]);
    assert!(tenant.uris(Which::Api).contains("http://localhost:8000"));
}

#[test]
fn somebody_elses_change_is_drift() {
    let wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    tenant.properties(Which::Api).token_version = Some(1);
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!(plan.reason, Reason::Drifted);
    assert_eq!(condition(&plan, ConditionType::Drifted), Some((Truth::True, Reason::Drifted)));
    assert!(plan.message.contains("tokenVersion"), "{}", plan.message);
}

#[test]
fn an_application_of_another_owner_is_not_touched() {
    let wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    tenant.properties(Which::Api).tags = Some(set(&["aci-operator-owner:home-2/uid-9"]));
    let Done { plan, .. } = tenant.settle(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Stalled, Reason::NotOwned));
    assert!(plan.message.contains("home-2/uid-9"));
    // Nor is it deleted; ours is.
    tenant.settle(Goal::Absent);
    tenant.took(&["DeleteApplication"]);
    assert!(tenant.observed.api.application.is_some());
}

#[test]
fn one_that_was_there_is_missed_for_a_while_before_it_is_made_anew() {
    let wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    let there = std::mem::take(&mut tenant.observed.api);
    for _ in 0..50 {
        let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
        assert_eq!(plan.step, None);
    }
    // It was an old read after all.
    tenant.observed.api = there;
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&[]);
    tenant.observed.api = Seen::default();
    tenant.pass(Goal::Present(&wanted));
    tenant.later(60);
    tenant.pass(Goal::Present(&wanted));
    tenant.took(&["CreateApplication"]);
    // Nor does a deletion believe one look.
    let mut tenant = Tenant::made(&wanted);
    (tenant.observed.api, tenant.observed.swagger) = Default::default();
    assert_eq!(tenant.pass(Goal::Absent).plan.health, Health::Reconciling);
}

#[test]
fn a_name_in_the_recycle_bin() {
    let wanted = desired();
    let tags = |owner: &str| set(&[owner_tag(owner).as_str()]);
    let deleted = |tags| Holder::Deleted(Deleted { object_id: "bin".to_owned(), tags });
    for (holder, reason, step) in [
        (deleted(tags(OWNER)), Reason::Creating, Some("RestoreApplication")),
        (deleted(BTreeSet::new()), Reason::Creating, Some("RestoreApplication")),
        (deleted(tags("home-2/uid-9")), Reason::NameInRecycleBin, None),
        (Holder::Hidden("no right".to_owned()), Reason::NameInRecycleBin, None),
        (Holder::Nobody, Reason::NameInRecycleBin, None),
    ] {
        let mut tenant = Tenant::empty();
        let (plan, _) = plan(Goal::Present(&wanted), &tenant.observed, tenant.now);
        let taken = settle(plan.memory, &plan.step.unwrap(), &Ok(Effect::NameTaken));
        assert!(taken.api.writes.is_empty() && taken.api.name_taken);
        tenant.observed.memory = taken;
        tenant.observed.api.holder = holder;
        let (plan, _) = super::plan(Goal::Present(&wanted), &tenant.observed, tenant.now);
        assert_eq!(plan.reason, reason);
        assert_eq!(plan.step.as_ref().map(Step::name), step);
    }
}

#[test]
fn a_restored_application_gets_its_service_principal_back() {
    let wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    tenant.observed.memory.api.name_taken = true;
    tenant.observed.api.principal = None;
    tenant.observed.api.deleted_principal = Some("bin".to_owned());
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["RestoreServicePrincipal"]);
    assert!(!tenant.observed.memory.api.name_taken);
}
