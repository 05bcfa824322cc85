//! SIGKILL at any moment: the next daemon goes on where the last one was.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use aci_operator::ports::{OsRandom, Random as _};

use super::{TLS, World, group, is_ready, measured, number, pause};

/// A moment within the first second, in which all the work of a small change is done.
fn moment() -> Duration {
    let bytes = uuid::Uuid::parse_str(&OsRandom.uuid().unwrap()).unwrap().as_u128();
    Duration::from_millis(u64::try_from(bytes % 1000).unwrap())
}

/// Files below a directory, with their contents.
fn contents(dir: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut all = BTreeSet::new();
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert((super::text(&path), fs::read(&path).unwrap()));
        }
    }
    all
}

#[test]
fn a_killed_daemon_writes_no_change_twice() {
    let mut world = World::new();
    let kills = number("ACI_OPERATOR_TEST_KILLS", 5);
    let mut moments = Vec::new();
    for change in 0..kills {
        // The first is the making of the group, the others are edits.
        let wanted = change.to_string();
        world.write("app.yaml", &group("app", &wanted));
        world.start(&[]);
        moments.push(moment());
        pause(moments[change]);
        world.kill();
        world.start(&[]);
        world.until("app", "ready with this change", |object| {
            let value = &object["spec"]["containers"][0]["environmentVariables"][0]["value"];
            is_ready(object) && *value == wanted
        });
        world.kill();
        assert_eq!(world.writes(), (change + 1, 0, 0), "killed at {moments:?}");
    }
    let status = world.run(&["local", "status", "-o", "json"]).done();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["groups"], serde_json::json!(["rg/app"]));
    let puts = world.count("put");
    measured(&format!("{kills} SIGKILLs of a real daemon, {kills} changes, {puts} PUTs"));
}

#[test]
fn a_kill_during_a_renewal_loses_no_key() {
    let mut world = World::new();
    world.secret("db", "password", "kept-over-kills");
    world.write("tls.yaml", TLS);
    world.start(&[]);
    let known =
        |object: &serde_json::Value| object["status"]["certificate"]["serialNumber"].is_string();
    world.until("tls", "certified", |object| known(object) && object["status"]["ip"].is_string());
    let root = world.run(&["ca", "export", "local-ca"]).done();
    for _ in 0..number("ACI_OPERATOR_TEST_KILLS", 5).min(20) {
        let old = world.object("tls").unwrap()["status"]["certificate"]["serialNumber"].clone();
        world.run(&["renew", "tls", "--no-wait"]).done();
        pause(moment() / 10);
        world.kill();
        world.start(&[]);
        world.until("tls", "renewed", |object| {
            known(object) && object["status"]["certificate"]["serialNumber"] != old
        });
    }
    assert_eq!(world.run(&["ca", "export", "local-ca"]).done(), root);
    world.kill();
    let keys = contents(&world.home().join("pairs"));
    assert!(!keys.is_empty());
    for (file, content) in keys {
        assert!(!content.is_empty(), "{file}");
    }
    assert_eq!(world.count("delete"), 0);
}
