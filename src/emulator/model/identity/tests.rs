//! What a group carries, driven by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};

use super::*;
use crate::emulator::faults::Fault;
use crate::emulator::model::{ManagedIdentity, Settings, Work};

/// An Azure with two identities, whose engine does at once what it is asked.
struct Bench {
    azure: Azure,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut azure = Azure::new(Settings::default());
        let place = json!({"location": "westeurope"});
        azure.put_resource_group(now, "Rg", &place).unwrap();
        for name in ["first", "second"] {
            azure.put_identity(now, "rg", name, &place).unwrap();
        }
        Self { azure, now }
    }

    fn id(&self, name: &str) -> String {
        self.azure.identity_id("rg", name)
    }

    fn ids(&mut self, name: &str) -> IdentityIds {
        let shown = self.azure.get_identity(self.now, "RG", name).unwrap().body.unwrap();
        let id = |name: &str| shown["properties"][name].as_str().unwrap().parse().unwrap();
        IdentityIds { principal: id("principalId"), client: id("clientId") }
    }

    fn try_put(&mut self, identity: &Value) -> Result<Value, Error> {
        let body = json!({
            "location": "westeurope",
            "identity": identity,
            "properties": {"osType": "Linux",
                "containers": [{"name": "app", "properties": {"image": "nginx"}}]},
        });
        let reply = self.azure.put(self.now, "rg", "web", body)?;
        self.work();
        Ok(reply.body.unwrap())
    }

    fn work(&mut self) {
        for work in self.azure.take_work() {
            if let Work::Start { group, operation, .. } | Work::Remove { group, operation } = work {
                self.azure.report(self.now, &group, &operation, Ok(BTreeMap::new()));
            }
        }
        self.now += TimeDelta::seconds(5);
    }

    fn put(&mut self, system: bool, assigned: &[&str]) -> Value {
        let kind = match (system, assigned.is_empty()) {
            (true, true) => "SystemAssigned",
            (false, false) => "UserAssigned",
            (true, false) => "SystemAssigned, UserAssigned",
            (false, true) => "None",
        };
        let mut identity = json!({"type": kind});
        for name in assigned {
            // As a client may spell it.
            identity["userAssignedIdentities"][self.id(name).to_lowercase()] = json!({});
        }
        self.try_put(&identity).unwrap()
    }

    fn key(&self) -> String {
        self.azure.keys().remove(0)
    }

    fn asked(&self, asked: Asked<'_>) -> Result<IdentityIds, NoIdentity> {
        self.azure.identity_in(&self.key(), asked)
    }
}

#[test]
fn which_identity_a_container_gets() {
    let mut bench = Bench::new();
    let (first, second) = (bench.ids("first"), bench.ids("second"));
    bench.put(false, &[]);
    assert_eq!(bench.asked(Asked::Any), Err(NoIdentity::NotFound));
    bench.put(false, &["first"]);
    assert_eq!(bench.asked(Asked::Any), Ok(first));
    assert_eq!(bench.asked(Asked::Client(&first.client.to_string())), Ok(first));
    assert_eq!(bench.asked(Asked::Principal(&first.principal.to_string())), Ok(first));
    assert_eq!(bench.asked(Asked::Resource(&bench.id("FIRST"))), Ok(first));
    assert_eq!(bench.asked(Asked::Client(&second.client.to_string())), Err(NoIdentity::NotFound));
    assert_eq!(bench.asked(Asked::Resource(&bench.id("second"))), Err(NoIdentity::NotFound));
    bench.put(false, &["first", "second"]);
    assert_eq!(bench.asked(Asked::Any), Err(NoIdentity::Several));
    assert_eq!(bench.asked(Asked::Resource(&bench.id("second"))), Ok(second));
    let shown = bench.put(true, &["first", "second"]);
    let own = bench.asked(Asked::Any).unwrap();
    assert_eq!(shown["identity"]["principalId"], json!(own.principal));
    assert!(![first, second].contains(&own));
    assert_eq!(bench.azure.identity_in("no such group", Asked::Any), Err(NoIdentity::NotFound));

    bench.azure.delete_identity(bench.now, "rg", "first").unwrap();
    assert_eq!(bench.asked(Asked::Client(&first.client.to_string())), Err(NoIdentity::NotFound));
}

#[test]
fn what_is_no_identity_is_refused() {
    let mut bench = Bench::new();
    let id = bench.id("first");
    let nobody = bench.id("nobody");
    for (identity, code) in [
        (json!({"type": "UserAssigned"}), "FailedIdentityOperation"),
        (json!({"type": "None", "userAssignedIdentities": {&id: {}}}), "FailedIdentityOperation"),
        (
            json!({"type": "UserAssigned", "userAssignedIdentities": {&nobody: {}}}),
            "FailedIdentityOperation",
        ),
        (
            json!({"type": "UserAssigned", "userAssignedIdentities": {"first": {}}}),
            "LinkedInvalidPropertyId",
        ),
        (json!({"type": "Own"}), "InvalidIdentityType"),
    ] {
        let refused = bench.try_put(&identity).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{identity}");
    }
    let body = json!({"identity": {"userAssignedIdentities": {&id: {}, "first": {}}}});
    assert_eq!(Azure::links(&body), [id]);
}

#[test]
fn the_directory_is_told_of_every_identity_once() {
    let mut bench = Bench::new();
    let names = |found: Option<Vec<ManagedIdentity>>| -> Option<Vec<(String, bool)>> {
        Some(found?.into_iter().map(|one| (one.name, one.user_assigned)).collect())
    };
    let all = |more: &[(&str, bool)]| -> Option<Vec<(String, bool)>> {
        let known = [("first", true), ("second", true)];
        Some(known.iter().chain(more).map(|(name, kind)| ((*name).to_owned(), *kind)).collect())
    };
    assert_eq!(names(bench.azure.take_principals()), all(&[]));
    assert_eq!(bench.azure.take_principals(), None);
    bench.put(false, &["first"]);
    assert_eq!(bench.azure.take_principals(), None);
    bench.put(true, &["first"]);
    let own = bench.asked(Asked::Any);
    assert_eq!(names(bench.azure.take_principals()), all(&[("web", false)]));
    bench.put(true, &[]);
    assert_eq!(bench.asked(Asked::Any), own, "a group keeps its own identity");
    assert_eq!(bench.azure.take_principals(), None);

    // A restart tells all of it again.
    let saved = serde_json::to_vec(&bench.azure).unwrap();
    bench.azure = Azure::restore(bench.azure.settings().clone(), &saved).unwrap();
    assert_eq!(bench.asked(Asked::Any), own);
    assert_eq!(names(bench.azure.take_principals()), all(&[("web", false)]));
    bench.azure.delete(bench.now, "rg", "web").unwrap();
    bench.work();
    bench.azure.get_resource_group(bench.now, "rg").unwrap();
    assert_eq!(names(bench.azure.take_principals()), all(&[]));
    bench.azure.delete_resource_group(bench.now, "rg").unwrap();
    assert_eq!(names(bench.azure.take_principals()), Some(Vec::new()));
}

#[test]
fn a_start_begins_anew_with_each_update() {
    let mut bench = Bench::new();
    bench.put(true, &[]);
    let first = bench.azure.started(&bench.key()).unwrap();
    let body = json!({"location": "westeurope", "properties": {"osType": "Linux",
        "containers": [{"name": "app", "properties": {"image": "nginx"}}]}});
    bench.azure.put(bench.now, "rg", "web", body).unwrap();
    assert_eq!(bench.azure.started(&bench.key()), None);
    bench.work();
    assert!(bench.azure.started(&bench.key()).unwrap() > first);

    // A fault that stands is not used up.
    let fault = json!({"fault": "identity-late", "seconds": 9, "group": "WEB", "times": 1});
    bench.azure.faults().add(serde_json::from_value::<Fault>(fault).unwrap());
    for _ in 0..2 {
        let standing = bench.azure.standing(Operation::Identity, &bench.key());
        assert_eq!(standing, [Effect::IdentityLate { seconds: 9 }]);
    }
    assert_eq!(bench.azure.standing(Operation::Identity, "other"), []);
}
