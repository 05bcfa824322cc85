//! Each fault that local Azure injects, alone: the operator comes through without help, and writes
//! no more than it must.

use serde_json::Value;

use super::{World, condition, group};

fn daemon() -> World {
    let mut world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.start(&[]);
    world.ready("app");
    assert_eq!(world.writes(), (1, 0, 0));
    world
}

fn inject(world: &World, fault: &str) {
    let words: Vec<_> = ["local", "fault"].into_iter().chain(fault.split(' ')).collect();
    world.run(&words).done();
}

fn edit(world: &World, value: &str) {
    world.write("app.yaml", &group("app", value));
    world.until("app", "seen with the edit", |object| {
        object["spec"]["containers"][0]["environmentVariables"][0]["value"] == value
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    });
}

/// Statuses of the PUTs so far, oldest first.
fn puts(world: &World) -> Vec<Value> {
    let requests = world.requests();
    requests.iter().filter(|r| r["operation"] == "put").map(|r| r["status"].clone()).collect()
}

#[test]
fn a_refused_write_is_made_again_when_azure_asks() {
    for (fault, status) in [
        ("throttle --retry-after 3s --operation put --times 1", 429),
        ("conflict --operation put --times 1", 409),
        ("error --operation put --times 1", 500),
    ] {
        let world = daemon();
        inject(&world, fault);
        edit(&world, "2");
        world.ready("app");
        assert_eq!(puts(&world), [201, status, 200], "{fault}");
        let listed = world.run(&["local", "fault", "list", "-o", "json"]).done();
        assert_eq!(listed.trim(), "[]", "{fault}");
        let stamps: Vec<chrono::DateTime<chrono::Utc>> = world
            .requests()
            .iter()
            .filter(|request| request["operation"] == "put")
            .map(|request| request["time"].as_str().unwrap().parse().unwrap())
            .collect();
        let asked = match status {
            429 => 3,
            409 => 10,
            _ => 0,
        };
        assert!((stamps[2] - stamps[1]).num_seconds() >= asked, "{fault}: {stamps:?}");
    }
}

#[test]
fn refused_reads_are_read_again() {
    for fault in [
        "throttle --retry-after 1s --operation get --times 3",
        "error --operation get --times 3",
        "reset --operation get --times 3",
        "conflict --operation get --times 1",
    ] {
        let world = daemon();
        inject(&world, fault);
        edit(&world, "2");
        world.ready("app");
        assert_eq!(world.writes(), (2, 0, 0), "{fault}");
    }
}

#[test]
fn a_late_answer_is_no_reason_to_ask_twice() {
    let world = daemon();
    inject(&world, "latency 2s --operation put --times 1");
    edit(&world, "2");
    world.ready("app");
    assert_eq!(puts(&world), [201, 200]);
}

#[test]
fn a_write_without_an_answer_is_looked_at_before_it_is_made_again() {
    let world = daemon();
    inject(&world, "reset --operation put --times 1");
    edit(&world, "2");
    world.ready("app");
    assert_eq!(puts(&world).last(), Some(&Value::from(200)), "{:?}", puts(&world));
    assert!(puts(&world).len() <= 3, "{:?}", puts(&world));
}

#[test]
fn a_lost_connection_while_it_is_polled_is_nothing() {
    let world = daemon();
    inject(&world, "reads-lag 4s");
    edit(&world, "2");
    world.ready("app");
    assert_eq!(world.writes(), (2, 0, 0));
}

#[test]
fn what_azure_spells_its_own_way_is_written_once() {
    for fault in [
        "ignore-field properties.containers[0].properties.image",
        "normalise-field properties.containers[0].properties.image registry.example.org/web@x",
    ] {
        let world = daemon();
        inject(&world, fault);
        let edited = group("app", "1").replace("web:1", "web:2");
        world.write("app.yaml", &edited);
        let object = world.until("app", "not converging", |object| {
            condition(object, "NotConverging").0 == "True"
        });
        assert!(condition(&object, "NotConverging").2.contains("image"), "{object:#}");
        let written = world.writes();
        assert!(written.0 <= 3 && written.1 == 0 && written.2 == 0, "{fault}: {written:?}");
        let gets = world.count("get");
        for _ in 0..3 {
            world.run(&["reconcile", "app"]).done();
        }
        world.eventually("looked at again", || (world.count("get") > gets).then_some(()));
        assert_eq!(world.writes(), written, "{fault}");
    }
}

#[test]
fn a_tag_of_a_policy_is_left_alone() {
    let world = daemon();
    inject(&world, "policy-tag cost-centre 4711");
    edit(&world, "2");
    world.ready("app");
    let gets = world.count("get");
    world.run(&["reconcile", "app"]).done();
    world.eventually("looked at again", || (world.count("get") > gets).then_some(()));
    assert_eq!(world.writes(), (2, 0, 0));
}

#[test]
fn another_address_is_followed_without_a_write() {
    let world = daemon();
    let old = world.object("app").unwrap()["status"]["ip"].clone();
    for fault in ["ip-change app", "move-host app"] {
        let before = world.object("app").unwrap()["status"]["ip"].clone();
        inject(&world, fault);
        world.until("app", "seen at its new address", |object| {
            let ip = &object["status"]["ip"];
            ip.is_string() && *ip != before
        });
    }
    assert_ne!(world.object("app").unwrap()["status"]["ip"], old);
    assert_eq!(world.writes(), (1, 0, 0));
}
