//! `check(spec, observed, at, expected)`: what one pass decides.

mod group;
mod own;

use chrono::TimeDelta;
use serde_json::json;

use super::memory::{PutRecord, Trial};
use super::*;
use crate::core::certificate::{KeyAlgorithm, LeafFacts, Names, Pair};
use crate::core::fields::Field;
use crate::core::issuer::Constraints;
use crate::core::requests::{Approval, Requests};
use crate::core::sidecar::{self, Sidecar};
use crate::core::{Cost, Goal, Health, Reason, Secret, Wake, certificate};

const OWNER: &str = "home/uid";
const DIGEST: &str = "1.key.same";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// The few fields that these tables need.
fn fields() -> &'static Field {
    static FIELDS: std::sync::LazyLock<Field> = std::sync::LazyLock::new(|| {
        Field::from_schema(&json!({"properties": {
            "containers": {"x-aci-key": ["name"], "items": {"properties": {
                "name": {}, "image": {}, "cpu": {"x-aci-cost": "Replace"},
                "key": {"x-aci-hidden": "key"},
            }}},
            "volumes": {"x-aci-key": ["name"], "items": {"properties": {"name": {}}}},
            "ipAddress": {"properties": {"type": {}}},
        }}))
    });
    &FIELDS
}

fn user() -> Value {
    json!({
        "containers": [{"name": "api", "image": "api:1", "cpu": 1}],
        "ipAddress": {"type": "Public"},
    })
}

fn desired() -> Desired {
    Desired {
        location: "westeurope".to_owned(),
        user: Hidden(user()),
        want: Hidden(user()),
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        fields: fields(),
        digest: DIGEST.to_owned(),
        frame: "frame".to_owned(),
        allowed: Cost::Restart,
        adopt: false,
        service: true,
        tls: Some(TlsDesired {
            sidecar: Sidecar::default(),
            hosts: ["mon-dns.com".to_owned()].into(),
            issuer: IssuerView::Local {
                constraints: Constraints { ip_addresses: true, ..Constraints::default() },
                key: None,
            },
            algorithm: KeyAlgorithm::EcdsaP256,
            life: std::time::Duration::from_hours(90 * 24),
            hot: true,
            refresh_volume: false,
        }),
        uid: "uid".to_owned(),
    }
}

fn leaf() -> StoredLeaf {
    let dns = ["localhost", "mon-dns.com", "web.azurecontainer.io"];
    let ip = ["127.0.0.1", "::1", "20.1.2.3"];
    StoredLeaf {
        pair: Pair { chain_pem: String::new(), key_pem: Secret::default(), generation: 7 },
        facts: certificate::Observed {
            leaf: LeafFacts {
                serial: "5e".to_owned(),
                fingerprint: "f1".to_owned(),
                names: Names {
                    dns: dns.map(str::to_owned).into(),
                    ip: ip.map(|ip| ip.parse().unwrap()).into(),
                },
                not_before: at(0),
                not_after: at(0) + TimeDelta::days(90),
                algorithm: Some(KeyAlgorithm::EcdsaP256),
                subject: String::new(),
                issuer: String::new(),
                is_ca: false,
                authority_key: None,
                subject_key: None,
                constraints: Constraints::default(),
            },
            key_matches: true,
            issued: at(0),
        },
    }
}

/// As wanted, in every respect.
fn observed() -> Observed {
    let container = |name: &str| ContainerFacts {
        name: name.to_owned(),
        state: Some("Running".to_owned()),
        started: Some(at(0)),
        restart_count: 0,
    };
    let tags = [
        (tags::OWNER, OWNER),
        (tags::DIGEST, DIGEST),
        (tags::SIDECAR, sidecar::template_version()),
        (tags::LEAF, "5e 1900000000"),
        ("team", "web"),
    ];
    Observed {
        group: Some(Group {
            id: "id".to_owned(),
            name: "web".to_owned(),
            tags: tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            properties: user(),
            provisioning: Provisioning::Succeeded,
            state: Some("Running".to_owned()),
            ip: Some("20.1.2.3".parse().unwrap()),
            fqdn: Some("web.azurecontainer.io".to_owned()),
            containers: vec![container("api"), container(sidecar::CONTAINER)],
            events: Vec::new(),
        }),
        resource_group: true,
        leaf: Some(leaf()),
        served: Served::Leaf {
            fingerprint: "f1".to_owned(),
            serial: "5e".to_owned(),
            not_after: at(0) + TimeDelta::days(90),
        },
        owner: OWNER.to_owned(),
        made: true,
        memory: Memory {
            trial: Some(Trial { start: Some(at(0)), failure: None, failures: 0, at: at(1) }),
            settled_start: Some(at(0)),
            reached: true,
            ..Memory::default()
        },
        requests: Requests::default(),
        own: false,
        trial: None,
        followers: Vec::new(),
    }
}

fn group(observed: &mut Observed) -> &mut Group {
    observed.group.as_mut().unwrap()
}

fn tag(observed: &mut Observed, name: &str, value: &str) {
    group(observed).tags.insert(name.to_owned(), value.to_owned());
}

fn put(observed: &mut Observed, seconds: i64, start: Option<DateTime<Utc>>) {
    observed.memory.put = Some(PutRecord {
        at: at(seconds),
        digest: DIGEST.to_owned(),
        previous: None,
        start,
        seen: false,
        settled: false,
    });
}

/// What a pass at `seconds` decides after a change of what is wanted or seen: health, reason, step.
#[track_caller]
fn check(
    change: impl FnOnce(&mut Desired, &mut Observed),
    seconds: i64,
    (health, reason, step): (Health, Reason, Option<&str>),
) {
    let (mut desired, mut observed) = (desired(), observed());
    change(&mut desired, &mut observed);
    let plan = plan(Goal::Present(&desired), &observed, at(seconds)).plan;
    let found = (plan.health, plan.reason, plan.step.as_ref().map(Step::name));
    assert_eq!(found, (health, reason, step), "{}", plan.message);
    assert!(plan.step.is_some() || plan.wake != Wake::After(std::time::Duration::ZERO));
}

const fn ready(reason: Reason) -> (Health, Reason, Option<&'static str>) {
    (Health::Ready, reason, None)
}

const fn does(reason: Reason, step: &str) -> (Health, Reason, Option<&str>) {
    (Health::Reconciling, reason, Some(step))
}

const fn waits(reason: Reason) -> (Health, Reason, Option<&'static str>) {
    (Health::Reconciling, reason, None)
}

const fn stalls(reason: Reason) -> (Health, Reason, Option<&'static str>) {
    (Health::Stalled, reason, None)
}

#[test]
fn whose_it_is() {
    let strange = |o: &mut Observed| {
        o.made = false;
        group(o).tags.clear();
    };
    check(|_, o| strange(o), 60, stalls(Reason::NotOwned));
    check(|_, o| tag(o, tags::OWNER, "another/uid"), 60, stalls(Reason::NotOwned));
    check(
        |d, o| {
            strange(o);
            d.adopt = true;
        },
        60,
        does(Reason::Changed, "Tag"),
    );
    // Made by us, and the tag is gone: ours all the same.
    check(|_, o| drop(group(o).tags.remove(tags::OWNER)), 60, ready(Reason::InSync));
}

#[test]
fn an_old_read_is_a_wait() {
    let lost = |_: &mut Desired, o: &mut Observed| {
        o.group = None;
        put(o, 60, None);
    };
    check(lost, 89, waits(Reason::Provisioning));
    check(lost, 90, does(Reason::Creating, "Put"));
    let edited = |d: &mut Desired, o: &mut Observed| {
        d.digest = "1.key.other".to_owned();
        put(o, 60, Some(at(0)));
    };
    check(edited, 89, waits(Reason::Provisioning));
    check(edited, 90, does(Reason::Changed, "Put"));
    check(
        |d, o| {
            edited(d, o);
            group(o).containers.iter_mut().for_each(|c| c.started = Some(at(62)));
        },
        63,
        does(Reason::Changed, "Put"),
    );
}

#[test]
fn what_azure_keeps_is_put_once() {
    let ignored = |_: &mut Desired, o: &mut Observed| {
        put(o, 60, None);
        group(o).properties["containers"][0]["image"] = json!("azures");
    };
    check(ignored, 70, ready(Reason::InSync));
    let (desired, mut observed) = (desired(), observed());
    put(&mut observed, 60, None);
    group(&mut observed).properties["containers"][0]["image"] = json!("azures");
    observed.memory = plan(Goal::Present(&desired), &observed, at(70)).plan.memory;
    assert!(observed.memory.azures.contains_key("containers[api].image"));
    assert_eq!(plan(Goal::Present(&desired), &observed, at(80)).plan.step, None);
    // Somebody changed it to something else again.
    group(&mut observed).properties["containers"][0]["image"] = json!("theirs");
    let again = plan(Goal::Present(&desired), &observed, at(90)).plan;
    assert_eq!(again.step.as_ref().map(Step::name), Some("Put"));
}

#[test]
fn the_leaf() {
    let other = |o: &mut Observed| {
        o.served = Served::Leaf {
            fingerprint: "f0".to_owned(),
            serial: "0".to_owned(),
            not_after: at(0) + TimeDelta::days(90),
        };
    };
    check(|_, o| other(o), 60, does(Reason::Rotating, "SwapLeaf"));
    check(|_, o| o.memory.trial = None, 60, does(Reason::Rotating, "TryExec"));
    let failed = |o: &mut Observed, failures| {
        let failure = Some("blocked".to_owned());
        o.memory.trial = Some(Trial { start: Some(at(0)), failure, failures, at: at(58) });
    };
    check(|_, o| failed(o, 1), 60, waits(Reason::ExecFailed));
    check(|_, o| failed(o, 1), 63, does(Reason::Rotating, "TryExec"));
    check(|_, o| failed(o, 3), 63, ready(Reason::InSync));
    check(|_, o| failed(o, 3), 660, (Health::Ready, Reason::InSync, Some("TryExec")));
    check(
        |_, o| {
            failed(o, 3);
            other(o);
        },
        63,
        does(Reason::Rotating, "Put"),
    );
    check(
        |_, o| group(o).ip = Some("20.9.9.9".parse().unwrap()),
        60,
        does(Reason::Issuing, "IssueLeaf"),
    );
    check(|_, o| o.requests.renew = Some(at(30)), 60, does(Reason::Issuing, "IssueLeaf"));
    check(|_, _| (), 60 * 86_400, does(Reason::Issuing, "IssueLeaf"));
    let gone = |o: &mut Observed| o.served = Served::Unreachable("refused".to_owned());
    check(|_, o| gone(o), 60, waits(Reason::Unreachable));
    check(
        |_, o| {
            gone(o);
            o.memory.reached = false;
        },
        60,
        ready(Reason::InSync),
    );
}

#[test]
fn an_approval_is_of_one_plan_and_used_up_when_it_is_done() {
    let (mut desired, mut observed) = (desired(), observed());
    desired.want.0["containers"][0]["cpu"] = json!(2);
    let decision = plan(Goal::Present(&desired), &observed, at(60));
    let digest = decision.pending.unwrap().digest;
    observed.requests.approve = Some(Approval { digest, at: at(61) });
    let approved = plan(Goal::Present(&desired), &observed, at(62)).plan;
    assert_eq!(approved.step, Some(Step::Delete));
    assert_eq!(approved.memory.approval_used, None);
    desired.want.0["containers"][0]["cpu"] = json!(1);
    let done = plan(Goal::Present(&desired), &observed, at(70)).plan;
    assert_eq!(done.memory.approval_used, Some(at(61)));
    observed.memory = done.memory;
    desired.want.0["containers"][0]["cpu"] = json!(2);
    let again = plan(Goal::Present(&desired), &observed, at(80)).plan;
    assert_eq!((again.reason, again.step), (Reason::ApprovalRequired, None));
}

#[test]
fn a_deletion() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Observed), expected: (Health, Option<&str>)) {
        let mut observed = observed();
        change(&mut observed);
        let plan = plan(Goal::Absent, &observed, at(70)).plan;
        assert_eq!((plan.health, plan.step.as_ref().map(Step::name)), expected);
    }
    check(|_| (), (Health::Reconciling, Some("Delete")));
    check(|o| o.requests.suspended = true, (Health::Stalled, None));
    check(|o| tag(o, tags::OWNER, "another/uid"), (Health::Gone, None));
    check(|o| o.group = None, (Health::Gone, None));
    check(
        |o| {
            o.group = None;
            put(o, 60, None);
        },
        (Health::Reconciling, None),
    );
    check(
        |o| group(o).provisioning = Provisioning::Busy("Deleting".to_owned()),
        (Health::Reconciling, None),
    );
}

#[test]
fn debug_shows_no_secret() {
    let mut desired = desired();
    desired.user.0["secret"] = json!("hunter2");
    let body = body(&desired, &observed());
    assert!(body.properties.to_string().contains("hunter2"));
    assert!(
        !format!("{desired:?} {body:?} {:?}", Step::Put(Box::new(body.clone())))
            .contains("hunter2")
    );
}
