//! Redirect URIs follow the group, also where Graph lags or says no.

use super::*;

#[test]
fn origins_come_and_go_in_order() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    wanted.group = Some(group(&[FQDN, HOST, IP]));
    let Done { plan, facts } = tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
    assert_eq!(facts.origins, set(&[FQDN, HOST, IP]));
    let registered = Some((Truth::True, Reason::Registered));
    assert_eq!(condition(&plan, ConditionType::RedirectUrisCurrent), registered);
    assert!(tenant.uris(Which::Swagger).contains(&format!("{IP}/oauth2-redirect")));
    assert!(tenant.uris(Which::Api).contains(IP));

    // What Azure gave is lost at once, of both, before a new scope; the name that is the user's stays.
    tenant.later(600);
    wanted.group = Some(group(&[]));
    wanted.scopes.push(scope("more"));
    let Done { plan, facts } = tenant.pass(Goal::Present(&wanted));
    assert_eq!(plan.reason, Reason::AddressLost);
    assert_eq!(facts.origins, set(&[FQDN, HOST, IP]), "not before Graph shows it");
    tenant.pass(Goal::Present(&wanted));
    for which in Which::ALL {
        let uris = tenant.uris(which);
        assert!(!uris.iter().any(|u| u.contains("20.1.2.3") || u.contains("azurecontainer")));
        assert!(uris.iter().any(|uri| uri.starts_with(HOST)), "{uris:?}");
    }
    let Done { facts, .. } = tenant.settle(Goal::Present(&wanted));
    assert_eq!(facts.origins, set(&[HOST]));
    // After its grace the name leaves, too, and a pass is due then.
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert!(matches!(plan.wake, Wake::After(wait) if wait <= Duration::from_mins(10)));
    tenant.later(3600);
    tenant.steps.clear();
    let Done { facts, .. } = tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
    assert_eq!(facts.origins, set(&[]));
}

#[test]
fn a_name_that_comes_back_within_its_grace_is_not_touched() {
    let mut wanted = desired();
    wanted.group = Some(group(&[HOST]));
    let mut tenant = Tenant::made(&wanted);
    for origins in [&[][..], &[HOST], &[], &[HOST]] {
        wanted.group = Some(group(origins));
        tenant.settle(Goal::Present(&wanted));
        tenant.later(2400);
    }
    tenant.took(&[]);
}

#[test]
fn addresses_are_registered_only_where_that_is_wanted() {
    let wanted = Desired { ip_redirect_uris: false, group: Some(group(&[HOST, IP])), ..desired() };
    let mut tenant = Tenant::made(&wanted);
    assert!(!tenant.uris(Which::Api).contains(IP) && tenant.uris(Which::Api).contains(HOST));
}

#[test]
fn a_group_that_is_not_there_is_a_condition_and_no_wait() {
    let missing = GroupView { name: "app".to_owned(), ..GroupView::default() };
    let wanted = Desired { group: Some(missing), ..desired() };
    let mut tenant = Tenant::empty();
    for _ in 0..10 {
        tenant.pass(Goal::Present(&wanted));
    }
    tenant.took(&PAIR);
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Reconciling, Reason::ReferenceMissing));
}

#[test]
fn what_was_stated_and_is_no_more_goes() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    wanted.redirect_uris.clear();
    tenant.settle(Goal::Present(&wanted));
    assert_eq!(tenant.uris(Which::Api), set(&[]));
}

#[test]
fn an_old_read_is_a_wait_and_no_second_write() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    let old = tenant.observed.clone();
    wanted.group = Some(group(&[FQDN]));
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
    // Graph answers from a replica that lags.
    (tenant.observed.api, tenant.observed.swagger) = (old.api.clone(), old.swagger.clone());
    let Done { plan, facts } = tenant.pass(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Reconciling, Reason::Provisioning));
    assert_eq!(facts.origins, set(&[FQDN]));
    // An address that is lost meanwhile does not wait for the replica.
    wanted.group = Some(group(&[]));
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!(plan.reason, Reason::AddressLost);
    // What shows the old state for longer is no old read.
    tenant.steps.clear();
    wanted.group = Some(group(&[FQDN]));
    (tenant.observed.api, tenant.observed.swagger) = (old.api, old.swagger);
    tenant.observed.memory.api.writes.clear();
    tenant.observed.memory.swagger.writes.clear();
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
}

#[test]
fn consent_that_we_may_not_see_keeps_no_address() {
    let mut wanted = Desired { admin_consent: true, group: Some(group(&[IP])), ..desired() };
    let mut tenant = Tenant::made(&wanted);
    tenant.observed.grant = Err("denied".to_owned());
    wanted.group = Some(group(&[]));
    let Done { plan, .. } = tenant.settle(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Stalled, Reason::GraphNotGranted));
    tenant.took(&["UpdateApplication", "UpdateApplication"]);
}

#[test]
fn a_suspension_notes_no_write() {
    let (mut tenant, wanted) = (Tenant::empty(), desired());
    tenant.observed.requests.suspended = true;
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!((plan.health, plan.reason), (Health::Stalled, Reason::Suspended));
    assert!(plan.step.is_none() && plan.memory.api.writes.is_empty());
}

#[test]
fn a_refused_write_is_forgotten_and_a_lost_one_is_not() {
    let (mut tenant, wanted) = (Tenant::empty(), desired());
    let (plan, _) = plan(Goal::Present(&wanted), &tenant.observed, tenant.now);
    let step = plan.step.unwrap();
    let throttled = Err(Fault::Throttled { service: "Graph", retry_after: None });
    let after = settle(plan.memory.clone(), &step, &throttled);
    assert_eq!((after.api.made, after.api.writes.len()), (None, 0));
    let lost = Err(Fault::Unreachable { service: "Graph", problem: String::new() });
    tenant.observed.memory = settle(plan.memory, &step, &lost);
    let Done { plan, .. } = tenant.pass(Goal::Present(&wanted));
    assert_eq!((plan.step, plan.reason), (None, Reason::Provisioning));
}
