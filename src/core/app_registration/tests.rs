//! Plans over values: what is wanted, what was seen, the steps that follow.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::core::requests::Requests;
use crate::core::{ConditionType, Fault, Goal, Health, Plan, Reason, Truth, Wake};

const OWNER: &str = "home/uid";
const FQDN: &str = "https://mon-fqdn.westeurope.azurecontainer.io";
const HOST: &str = "https://mon-dns.com";
const IP: &str = "https://20.1.2.3";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}

fn scope(value: &str) -> ScopeWanted {
    let texts = || ("title".to_owned(), "text".to_owned());
    let (value, kind) = (value.to_owned(), "User".to_owned());
    ScopeWanted { value, kind, admin: texts(), user: texts() }
}

fn group(origins: &[&str]) -> GroupView {
    let (name, hosts) = ("app".to_owned(), set(&["mon-dns.com"]));
    GroupView { name, exists: true, origins: set(origins), hosts }
}

fn desired() -> Desired {
    Desired {
        display_name: "mon-API".to_owned(),
        scopes: vec![scope("user_impersonation")],
        roles: Vec::new(),
        redirect_uris: set(&["http://localhost:8000"]),
        swagger: Some(Swagger {
            pre_authorized: true,
            redirect_uris: set(&["http://localhost:8000/oauth2-redirect"]),
        }),
        admin_consent: false,
        group: Some(group(&[])),
        ip_redirect_uris: true,
        grace: Duration::from_hours(1),
        refuse_foreign: false,
    }
}

/// What a pass decided.
struct Done {
    plan: Plan<Step, Memory>,
    facts: Facts,
}

/// A tenant in which everything happens at once.
struct Tenant {
    observed: Observed,
    now: DateTime<Utc>,
    steps: Vec<&'static str>,
}

impl Tenant {
    fn empty() -> Self {
        let identity = Identity { tenant: "t".to_owned(), authority: "https://login/t".to_owned() };
        let observed = Observed {
            api: Seen::default(),
            swagger: Seen::default(),
            grant: Ok(None),
            identity,
            owner: OWNER.to_owned(),
            made: false,
            memory: Memory::default(),
            requests: Requests::default(),
        };
        Self { observed, now: at(1000), steps: Vec::new() }
    }

    /// The pair, made and at rest.
    fn made(desired: &Desired) -> Self {
        let mut tenant = Self::empty();
        tenant.settle(Goal::Present(desired));
        tenant.later(120);
        tenant.settle(Goal::Present(desired));
        tenant.steps.clear();
        tenant
    }

    fn later(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn seen(&mut self, which: Which) -> &mut Seen {
        match which {
            Which::Api => &mut self.observed.api,
            Which::Swagger => &mut self.observed.swagger,
        }
    }

    fn properties(&mut self, which: Which) -> &mut Properties {
        &mut self.seen(which).application.as_mut().expect("it is there").properties
    }

    /// One pass; the step is carried out.
    fn pass(&mut self, goal: Goal<&Desired>) -> Done {
        let (plan, facts) = plan(goal, &self.observed, self.now);
        self.observed.memory = plan.memory.clone();
        self.observed.made |= plan.made;
        if let Some(step) = &plan.step {
            self.steps.push(step.name());
            self.perform(step.clone());
            let memory = std::mem::take(&mut self.observed.memory);
            self.observed.memory = settle(memory, step, &Ok(Effect::Accepted));
        }
        self.later(1);
        Done { plan, facts }
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Create { which, properties, .. } => {
                let empty = Properties {
                    tags: Some(BTreeSet::new()),
                    identifier_uris: Some(BTreeSet::new()),
                    web_redirect_uris: Some(BTreeSet::new()),
                    spa_redirect_uris: Some(BTreeSet::new()),
                    scopes: Some(BTreeMap::new()),
                    app_roles: Some(BTreeMap::new()),
                    pre_authorized: Some(BTreeMap::new()),
                    required_access: Some(BTreeMap::new()),
                    ..Properties::default()
                };
                let (object_id, app_id) = (format!("object-{which:?}"), format!("app-{which:?}"));
                let properties = empty.with_write(&Properties::default(), &properties);
                let application = Application { object_id, app_id, properties };
                self.seen(which).application = Some(application);
            }
            Step::Update { which, properties, before, .. } => {
                let all = self.properties(which);
                *all = all.with_write(&before, &properties);
            }
            Step::CreatePrincipal { which, .. } | Step::RestorePrincipal { which, .. } => {
                self.seen(which).principal = Some(format!("principal-{which:?}"));
            }
            Step::Delete { which, .. } => *self.seen(which) = Seen::default(),
            Step::Restore { .. } => {}
            Step::Consent { scopes, .. } | Step::ChangeConsent { scopes, .. } => {
                self.observed.grant = Ok(Some(Grant { id: "grant".to_owned(), scopes }));
            }
            Step::RevokeConsent { .. } => self.observed.grant = Ok(None),
        }
    }

    /// Passes until nothing is left to do.
    fn settle(&mut self, goal: Goal<&Desired>) -> Done {
        for _ in 0..30 {
            let done = self.pass(goal);
            if done.plan.step.is_none() && done.plan.health != Health::Reconciling {
                return done;
            }
        }
        panic!("no rest: {:?}", self.steps);
    }

    #[track_caller]
    fn took(&mut self, steps: &[&str]) {
        assert_eq!(std::mem::take(&mut self.steps), steps);
    }

    fn uris(&mut self, which: Which) -> BTreeSet<String> {
        self.properties(which).redirect_uris()
    }
}

fn condition(plan: &Plan<Step, Memory>, kind: ConditionType) -> Option<(Truth, Reason)> {
    plan.conditions.iter().find(|c| c.kind == kind).map(|c| (c.status, c.reason))
}

const PAIR: [&str; 6] = [
    "CreateApplication",
    "UpdateApplication",
    "CreateServicePrincipal",
    "CreateApplication",
    "CreateServicePrincipal",
    "UpdateApplication",
];

#[test]
fn a_pair_is_made_in_six_writes() {
    let (mut tenant, desired) = (Tenant::empty(), desired());
    let Done { plan, .. } = tenant.settle(Goal::Present(&desired));
    assert_eq!((plan.health, plan.reason), (Health::Ready, Reason::InSync));
    tenant.took(&PAIR);
    let api = tenant.properties(Which::Api).clone();
    let id = derived_id(OWNER, "scope", "user_impersonation");
    assert_eq!(api.sign_in_audience.as_deref(), Some("AzureADMyOrg"));
    assert_eq!(api.token_version, Some(2));
    assert_eq!(api.identifier_uris, Some(set(&["api://app-Api"])));
    assert_eq!(api.tags, Some(set(&["aci-operator-owner:home/uid"])));
    let client = [("app-Swagger".to_owned(), set(&[id.as_str()]))];
    assert_eq!(api.pre_authorized, Some(client.into()));
    let swagger = tenant.properties(Which::Swagger).clone();
    assert_eq!(swagger.display_name.as_deref(), Some("mon-API - OpenAPI"));
    let access = [("app-Api".to_owned(), [(id, "Scope".to_owned())].into())];
    assert_eq!(swagger.required_access, Some(access.into()));
    tenant.later(3600);
    tenant.settle(Goal::Present(&desired));
    tenant.took(&[]);
}

#[test]
fn an_api_alone_takes_three() {
    let mut tenant = Tenant::empty();
    let desired = Desired { swagger: None, ..desired() };
    tenant.settle(Goal::Present(&desired));
    tenant.took(&PAIR[..3]);
}

#[test]
fn names_and_ids_are_the_same_for_life() {
    assert_eq!(Which::Api.unique_name(OWNER), "aci-operator-home-uid-api");
    let id = derived_id(OWNER, "scope", "a");
    assert_eq!(id, derived_id(OWNER, "scope", "a"));
    assert_ne!(id, derived_id(OWNER, "role", "a"));
    assert_ne!(id, derived_id("home/other", "scope", "a"));
}

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
fn what_was_stated_and_is_no_more_goes() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    wanted.redirect_uris.clear();
    tenant.settle(Goal::Present(&wanted));
    assert_eq!(tenant.uris(Which::Api), set(&[]));
}

#[test]
fn a_scope_is_disabled_in_one_pass_and_removed_in_a_later_one() {
    let mut wanted = desired();
    wanted.scopes.push(scope("more"));
    let mut tenant = Tenant::made(&wanted);
    let id = derived_id(OWNER, "scope", "more");
    assert!(
        tenant.properties(Which::Api).pre_authorized.as_ref().unwrap()["app-Swagger"].contains(&id)
    );
    wanted.scopes.pop();
    tenant.pass(Goal::Present(&wanted));
    let api = tenant.properties(Which::Api).clone();
    assert!(!api.scopes.as_ref().unwrap()[&id].is_enabled);
    assert!(!api.pre_authorized.as_ref().unwrap()["app-Swagger"].contains(&id));
    tenant.pass(Goal::Present(&wanted));
    assert!(!tenant.properties(Which::Api).scopes.as_ref().unwrap().contains_key(&id));
    tenant.settle(Goal::Present(&wanted));
    let access = tenant.properties(Which::Swagger).required_access.clone().unwrap();
    assert!(!access["app-Api"].contains_key(&id));
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
fn both_are_deleted_the_client_first() {
    let mut tenant = Tenant::made(&desired());
    let Done { plan, .. } = tenant.pass(Goal::Absent);
    assert!(matches!(&plan.step, Some(Step::Delete { which: Which::Swagger, .. })));
    let Done { plan, .. } = tenant.settle(Goal::Absent);
    assert_eq!((plan.health, plan.reason), (Health::Gone, Reason::Deleted));
    tenant.took(&["DeleteApplication", "DeleteApplication"]);
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
fn without_swagger_the_second_application_goes() {
    let mut wanted = desired();
    let mut tenant = Tenant::made(&wanted);
    wanted.swagger = None;
    tenant.settle(Goal::Present(&wanted));
    tenant.took(&["DeleteApplication", "UpdateApplication"]);
    assert!(tenant.properties(Which::Api).pre_authorized.as_ref().unwrap().is_empty());
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

#[test]
fn consent_is_given_and_taken_back() {
    let mut wanted = Desired { admin_consent: true, ..desired() };
    let mut tenant = Tenant::made(&wanted);
    let scopes = |tenant: &Tenant| {
        let grant = tenant.observed.grant.as_ref().unwrap();
        grant.as_ref().map(|grant| grant.scopes.clone())
    };
    assert_eq!(scopes(&tenant), Some(set(&["user_impersonation"])));
    wanted.scopes.push(scope("more"));
    tenant.settle(Goal::Present(&wanted));
    assert_eq!(scopes(&tenant), Some(set(&["more", "user_impersonation"])));
    wanted.admin_consent = false;
    tenant.later(120);
    tenant.settle(Goal::Present(&wanted));
    assert_eq!(scopes(&tenant), None);
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
