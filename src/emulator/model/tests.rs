//! The lifecycle, driven by hand.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::emulator::engine::ContainerState;
use crate::emulator::faults::Effect;

/// An Azure whose engine does at once what it is asked, and a clock that is set by hand.
struct Bench {
    azure: Azure,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let mut azure = Azure::new(Settings::default());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        azure.put_resource_group(now, "Rg", &json!({"location": "West Europe"})).unwrap();
        Self { azure, now }
    }

    fn pass(&mut self, seconds: i64) {
        let now = self.now;
        for work in self.azure.take_work() {
            match work {
                Work::Start { group, operation, run } => {
                    let states = run.containers.iter().map(|c| (c.name.clone(), running(now)));
                    self.azure.report(now, &group, &operation, Ok(states.collect()));
                }
                Work::Remove { group, operation } => {
                    self.azure.report(now, &group, &operation, Ok(BTreeMap::new()));
                }
                Work::Publish { .. } | Work::Kill { .. } => (),
            }
        }
        self.now += TimeDelta::seconds(seconds);
    }

    fn put(&mut self, change: impl Fn(&mut Value)) -> Result<Reply, Error> {
        let mut body = body();
        change(&mut body);
        self.azure.put(self.now, "rg", "web", body)
    }

    fn get(&mut self) -> Value {
        self.azure.get(self.now, "RG", "Web").unwrap().body.unwrap()
    }

    fn made() -> Self {
        let mut bench = Self::new();
        bench.put(|_| ()).unwrap();
        bench.pass(5);
        bench
    }
}

fn running(now: Now) -> ContainerState {
    ContainerState {
        running: true,
        started_at: Some(now),
        finished_at: None,
        exit_code: None,
        restart_count: 0,
        ready: true,
    }
}

fn body() -> Value {
    json!({
        "location": "westeurope",
        "tags": {"a": "1"},
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "app", "properties": {
                "image": "nginx", "ports": [{"port": 443}],
                "environmentVariables": [{"name": "S", "secureValue": "hunter2"}],
                "volumeMounts": [{"name": "v", "mountPath": "/s"}]}}],
            "imageRegistryCredentials": [{"server": "r", "username": "u", "password": "hunter2"}],
            "volumes": [{"name": "v", "secret": {"key": "aHVudGVyMg=="}}],
            "ipAddress": {"type": "Public", "ports": [{"port": 443}], "dnsNameLabel": "my-web"}
        }
    })
}

fn state(resource: &Value) -> (&str, &str) {
    let properties = &resource["properties"];
    (
        properties["provisioningState"].as_str().unwrap(),
        properties["instanceView"]["state"].as_str().unwrap(),
    )
}

#[test]
fn a_put_goes_from_pending_to_succeeded() {
    let mut bench = Bench::new();
    let reply = bench.put(|_| ()).unwrap();
    assert_eq!(reply.status, 201);
    let Some(Poll::AsyncOperation(operation)) = reply.poll else { panic!("no operation") };
    let shown = reply.body.unwrap();
    assert_eq!(shown["properties"]["provisioningState"], "Pending");
    assert_eq!(shown["properties"]["instanceView"], Value::Null);
    assert_eq!(shown["properties"]["ipAddress"]["ip"], Value::Null);
    for (seconds, states, status) in [
        (0, ("Pending", "Pending"), "InProgress"),
        (1, ("Pending", "Pending"), "InProgress"),
        (1, ("Creating", "Pending"), "InProgress"),
        (1, ("Succeeded", "Running"), "Succeeded"),
    ] {
        assert_eq!(state(&bench.get()), states);
        let poll = bench.azure.operation_status(bench.now, &operation).unwrap().body.unwrap();
        assert_eq!(poll["status"], status);
        bench.pass(seconds);
    }
    let shown = bench.get();
    assert_eq!(shown["id"].as_str().unwrap().split('/').nth(4), Some("Rg"));
    let address = &shown["properties"]["ipAddress"];
    assert_eq!(address["ip"], "127.10.0.1");
    assert_eq!(address["fqdn"], "my-web.westeurope.azurecontainer.io");
}

#[test]
fn without_a_report_nothing_ends() {
    let mut bench = Bench::new();
    bench.put(|_| ()).unwrap();
    bench.now += TimeDelta::hours(1);
    assert_eq!(state(&bench.get()), ("Creating", "Pending"));
    let (Err(put), Err(stop)) = (bench.put(|_| ()), bench.azure.stop(bench.now, "rg", "web"))
    else {
        panic!("a transition is going on")
    };
    for refusal in [put, stop] {
        assert_eq!((refusal.status, &*refusal.code), (409, "ContainerGroupTransitioning"));
    }
}

#[test]
fn a_failed_start_is_shown_and_can_be_repaired() {
    let mut bench = Bench::new();
    let Some(Poll::AsyncOperation(id)) = bench.put(|_| ()).unwrap().poll else { panic!("no poll") };
    for work in bench.azure.take_work() {
        let Work::Start { group, operation, .. } = work else { continue };
        let problem = Problem { code: "InaccessibleImage".into(), message: "no nginx".into() };
        bench.azure.report(bench.now, &group, &operation, Err(problem));
    }
    bench.pass(5);
    let shown = bench.get();
    assert_eq!(state(&shown), ("Failed", "Failed"));
    let view = &shown["properties"]["containers"][0]["properties"]["instanceView"];
    assert_eq!(view["currentState"]["state"], "Waiting");
    assert_eq!(shown["properties"]["instanceView"]["events"][0]["message"], "no nginx");
    let poll = bench.azure.operation_status(bench.now, &id).unwrap().body.unwrap();
    assert_eq!(poll["error"]["code"], "InaccessibleImage");
    assert_eq!(bench.put(|_| ()).unwrap().status, 200);
    bench.pass(5);
    assert_eq!(state(&bench.get()), ("Succeeded", "Running"));
}

#[test]
fn the_same_put_restarts_and_keeps_the_address() {
    let mut bench = Bench::made();
    let start_time = |shown: &Value| {
        shown["properties"]["containers"][0]["properties"]["instanceView"]["currentState"]
            ["startTime"]
            .clone()
    };
    let before = bench.get();
    bench.put(|_| ()).unwrap();
    bench.pass(5);
    let after = bench.get();
    assert!(start_time(&before).is_string());
    assert_ne!(start_time(&before), start_time(&after));
    assert_eq!(before["properties"]["ipAddress"], after["properties"]["ipAddress"]);
}

#[test]
fn stop_and_start_give_another_address() {
    let mut bench = Bench::made();
    assert_eq!(bench.azure.stop(bench.now, "rg", "web").unwrap().status, 204);
    bench.pass(5);
    let shown = bench.get();
    assert_eq!(state(&shown), ("Succeeded", "Stopped"));
    assert_eq!(shown["properties"]["ipAddress"]["ip"], "0.0.0.0");
    let reply = bench.azure.start(bench.now, "rg", "web").unwrap();
    let Some(Poll::Location(id)) = reply.poll else { panic!("no Location") };
    assert_eq!(bench.azure.operation_result(bench.now, &id).unwrap().status, 202);
    bench.pass(5);
    assert_eq!(bench.azure.operation_result(bench.now, &id).unwrap().status, 204);
    assert_eq!(bench.get()["properties"]["ipAddress"]["ip"], "127.10.0.2");
}

#[test]
fn no_answer_holds_a_secret() {
    let mut bench = Bench::made();
    let put = bench.put(|_| ()).unwrap();
    let list = bench.azure.list(bench.now, None, 0).unwrap();
    for text in [bench.get().to_string(), format!("{put:?}"), format!("{list:?}")] {
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }
    let properties = &bench.get()["properties"];
    assert_eq!(properties["volumes"][0]["secret"], json!({}));
    assert_eq!(
        properties["containers"][0]["properties"]["environmentVariables"],
        json!([{"name": "S"}])
    );
    assert_eq!(list.value[0]["properties"]["instanceView"], Value::Null);
}

#[test]
fn refusals() {
    type Change = fn(&mut Value);
    let cases: [(Change, u16, &str); 15] = [
        (|b| b["bogus"] = json!(1), 400, "InvalidRequestContent"),
        (|b| b["properties"]["containers"] = json!("x"), 400, "InvalidRequestContent"),
        (|b| b["properties"]["containers"] = json!([]), 400, "MissingContainers"),
        (|b| b["properties"]["osType"] = Value::Null, 400, "InvalidOsType"),
        (|b| b["location"] = json!("mars"), 400, "LocationNotAvailableForResourceType"),
        (|b| b["location"] = json!("eastus"), 409, "InvalidResourceLocation"),
        (|b| b["tags"] = json!({"a/b": "1"}), 400, "InvalidTagNameCharacters"),
        (|b| b["tags"] = json!({"a": "x".repeat(257)}), 400, "InvalidTagValueLength"),
        (|b| b["properties"]["ipAddress"]["ports"] = json!([{"port": 22}]), 400, "InvalidPort"),
        (
            |b| {
                let ports: Vec<_> = (1..7).map(|port| json!({"port": port})).collect();
                b["properties"]["ipAddress"]["ports"] = json!(ports);
            },
            400,
            "TooManyPorts",
        ),
        (|b| b["properties"]["containers"][0]["name"] = json!("A"), 400, "InvalidContainerName"),
        (|b| b["properties"]["volumes"] = json!([]), 400, "VolumeMountNotFound"),
        (
            |b| b["properties"]["volumes"][0]["secret"]["key"] = json!("no base64!"),
            400,
            "InvalidSecretVolume",
        ),
        (|b| b["properties"]["restartPolicy"] = json!("Never"), 400, "InvalidContainerGroupUpdate"),
        (
            |b| {
                b["properties"]["containers"][0]["properties"]["resources"] =
                    json!({"requests": {"cpu": 2}});
            },
            400,
            "InvalidContainerGroupUpdate",
        ),
    ];
    let mut bench = Bench::made();
    for (change, status, code) in cases {
        let refusal = bench.put(change).unwrap_err();
        assert_eq!((refusal.status, &*refusal.code), (status, code));
    }
    assert_eq!(state(&bench.get()), ("Succeeded", "Running"));
    assert!(bench.azure.take_work().is_empty());
}

#[test]
fn a_finished_job_cannot_be_updated() {
    let mut bench = Bench::new();
    let job = |b: &mut Value| b["properties"]["restartPolicy"] = json!("Never");
    bench.put(job).unwrap();
    bench.pass(5);
    let key = bench.azure.key_of(bench.now, "rg", "web").unwrap();
    for (code, expected) in [(0, "Succeeded"), (3, "Failed")] {
        let ended = ContainerState { running: false, exit_code: Some(code), ..running(bench.now) };
        bench.azure.observe(&key, BTreeMap::from([("app".to_owned(), ended)]));
        assert_eq!(state(&bench.get()), ("Succeeded", expected));
    }
    assert_eq!(bench.put(job).unwrap_err().code, "InvalidContainerGroupUpdate");
}

#[test]
fn deletions() {
    let mut bench = Bench::made();
    let reply = bench.azure.delete(bench.now, "rg", "web").unwrap();
    assert_eq!(reply.status, 202);
    assert_eq!(state(&bench.get()).0, "Deleting");
    bench.pass(5);
    assert_eq!(bench.azure.get(bench.now, "rg", "web").unwrap_err().code, "ResourceNotFound");
    assert_eq!(bench.azure.delete(bench.now, "rg", "web").unwrap().status, 204);

    bench.put(|_| ()).unwrap();
    bench.pass(5);
    bench.azure.stop(bench.now, "rg", "web").unwrap();
    bench.pass(5);
    let reply = bench.azure.delete(bench.now, "rg", "web").unwrap();
    assert_eq!((reply.status, &reply.body.unwrap()["name"]), (200, &json!("web")));
    bench.pass(5);

    bench.put(|_| ()).unwrap();
    bench.pass(5);
    let reply = bench.azure.delete_resource_group(bench.now, "rg").unwrap();
    assert_eq!(bench.put(|_| ()).unwrap_err().code, "ResourceGroupBeingDeleted");
    bench.pass(5);
    let Some(Poll::Location(id)) = reply.poll else { panic!("no Location") };
    assert_eq!(bench.azure.operation_result(bench.now, &id).unwrap().status, 204);
    assert_eq!(bench.azure.get(bench.now, "rg", "web").unwrap_err().code, "ResourceGroupNotFound");
}

#[test]
fn lists_come_in_pages() {
    let mut bench = Bench::new();
    bench.azure.settings.page = 2;
    for name in ["a", "b", "c"] {
        let mut body = body();
        body["properties"]["ipAddress"]["dnsNameLabel"] = json!(format!("web-{name}"));
        bench.azure.put(bench.now, "rg", name, body).unwrap();
    }
    let first = bench.azure.list(bench.now, Some("RG"), 0).unwrap();
    assert_eq!((first.value.len(), first.next), (2, Some(2)));
    let second = bench.azure.list(bench.now, Some("RG"), 2).unwrap();
    assert_eq!((second.value.len(), second.next), (1, None));
}

#[test]
fn dns_scopes_are_stable_and_distinct() {
    let mut names = BTreeSet::new();
    for scope in ["Unsecure", "TenantReuse", "SubscriptionReuse", "ResourceGroupReuse", "Noreuse"] {
        let mut seen = BTreeSet::new();
        for _ in 0..2 {
            let mut bench = Bench::new();
            bench
                .put(|b| {
                    b["properties"]["ipAddress"]["autoGeneratedDomainNameLabelScope"] =
                        json!(scope);
                })
                .unwrap();
            let fqdn = bench.get()["properties"]["ipAddress"]["fqdn"].as_str().unwrap().to_owned();
            seen.insert(fqdn);
        }
        assert_eq!(seen.len(), 1);
        names.extend(seen);
    }
    assert_eq!(names.len(), 5);
}

#[test]
fn faults_change_what_is_stored_and_read() {
    let mut bench = Bench::made();
    let image = |shown: &Value| shown["properties"]["containers"][0]["properties"]["image"].clone();
    let path = "properties.containers[0].properties.image".to_owned();
    let once = |effect| crate::emulator::faults::Fault {
        effect,
        operation: None,
        group: None,
        container: None,
        times: Some(1),
    };
    let other =
        |b: &mut Value| b["properties"]["containers"][0]["properties"]["image"] = json!("x");

    bench.azure.faults().add(once(Effect::IgnoreField { path: path.clone() }));
    bench.put(other).unwrap();
    bench.pass(5);
    assert_eq!(image(&bench.get()), "nginx");

    bench.azure.faults().add(once(Effect::NormaliseField { path, value: json!("library/x") }));
    bench.put(other).unwrap();
    bench.pass(5);
    assert_eq!(image(&bench.get()), "library/x");

    bench.azure.faults().add(once(Effect::ReadsLag { seconds: 3 }));
    bench.azure.faults().add(once(Effect::PolicyTag { name: "cost".into(), value: "9".into() }));
    bench.put(other).unwrap();
    assert_eq!(image(&bench.get()), "library/x");
    bench.pass(3);
    assert_eq!(image(&bench.get()), "x");
    assert_eq!(bench.get()["tags"], json!({"a": "1", "cost": "9"}));
}

#[test]
fn accidents() {
    let mut bench = Bench::made();
    let (now, group) = (bench.now, "web".to_owned());
    bench.azure.happen(now, &Accident::IpChange { group: group.clone() }).unwrap();
    assert!(matches!(bench.azure.take_work()[..], [Work::Publish { .. }]));
    assert_eq!(bench.get()["properties"]["ipAddress"]["ip"], "127.10.0.2");
    bench.azure.happen(now, &Accident::MoveHost { group: group.clone() }).unwrap();
    assert_eq!(state(&bench.get()), ("Repairing", "Pending"));
    bench.pass(5);
    assert_eq!(bench.get()["properties"]["ipAddress"]["ip"], "127.10.0.3");
    let crash = Accident::Crash { group: group.clone(), container: "app".into() };
    bench.azure.happen(bench.now, &crash).unwrap();
    assert!(matches!(bench.azure.take_work()[..], [Work::Kill { .. }]));
    let nobody = Accident::Crash { group, container: "b".into() };
    assert_eq!(bench.azure.happen(bench.now, &nobody).unwrap_err().status, 404);
}

#[test]
fn a_restart_of_local_azure_forgets_nothing() {
    let mut bench = Bench::made();
    bench.put(|_| ()).unwrap();
    let saved = serde_json::to_vec(&bench.azure).unwrap();
    let mut again = Azure::restore(Settings::default(), &saved).unwrap();
    assert!(again.resume(bench.now).is_empty());
    assert!(matches!(again.take_work()[..], [Work::Start { .. }]));
    bench.azure.take_work();
    let view = |azure: &mut Azure| azure.list(bench.now, None, 0).unwrap();
    assert_eq!(view(&mut again), view(&mut bench.azure));
}

#[test]
fn nothing_new_has_the_name_of_something_old() {
    let mut bench = Bench::new();
    bench.put(|_| ()).unwrap();
    let old = bench.azure.keys();
    bench.azure.wipe();
    assert!(!bench.azure.report(bench.now, &old[0], "operation", Ok(BTreeMap::new())));
    bench.azure.put_resource_group(bench.now, "rg", &json!({"location": "eastus"})).unwrap();
    bench.put(|_| ()).unwrap();
    assert_ne!(bench.azure.keys(), old);
}

#[test]
fn an_unregistered_provider_says_how() {
    let mut bench = Bench::new();
    bench.azure.register(NAMESPACE, false);
    let refusal = bench.put(|_| ()).unwrap_err();
    assert_eq!(refusal.status, 409);
    let detail = &refusal.body()["error"]["details"][0];
    assert_eq!(detail["target"], NAMESPACE);
    bench.azure.register(&NAMESPACE.to_lowercase(), true);
    assert!(bench.put(|_| ()).is_ok());
}
