//! Plans over values: what is wanted, what was seen, the steps that follow.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::core::requests::Requests;
use crate::core::{ConditionType, Fault, Goal, Health, Plan, Reason, Truth, Wake};

mod addresses;
mod others;

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
    GroupView { name, exists: true, origins: set(origins), revision: 0, hosts }
}

fn desired() -> Desired {
    Desired {
        display_name: "mon-API".to_owned(),
        scopes: vec![scope("user_impersonation")],
        roles: Vec::new(),
        redirect_uris: set(&["http://localhost:8000"]),
        swagger: Some(Swagger {
            pre_authorized: true,
            device_code: false,
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
fn both_are_deleted_the_client_first() {
    let wanted = Desired { group: Some(group(&[IP])), ..desired() };
    let mut tenant = Tenant::made(&wanted);
    let Done { plan, facts } = tenant.pass(Goal::Absent);
    assert_eq!(facts.origins, set(&[IP]), "not before the applications are gone");
    assert!(matches!(&plan.step, Some(Step::Delete { which: Which::Swagger, .. })));
    let Done { plan, .. } = tenant.settle(Goal::Absent);
    assert_eq!((plan.health, plan.reason), (Health::Gone, Reason::Deleted));
    tenant.took(&["DeleteApplication", "DeleteApplication"]);
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
