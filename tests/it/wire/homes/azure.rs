//! A daemon whose home is a blob container, and the command line that reaches it from outside.

use serde_json::Value;

use super::{Account, Duration, TLS, World, condition, feed, group, is_ready, number, pause};

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_manifest_is_kept_true_over_kills_and_every_verb_reaches_the_daemon() {
    let world = World::new();
    let account = Account::new(&world).await;
    let manifests = world.manifests().display().to_string();
    feed(account.command(&world, &["secret", "set", "db", "password"]), "p");
    world.write("tls.yaml", TLS);
    world.write("app.yaml", &group("app", "0"));
    let push = || account.run(&world, &["push", "-f", &manifests]);
    assert_eq!(push().done(), "manifests/app.yaml pushed\nmanifests/tls.yaml pushed\n");
    assert_eq!(push().done(), "manifests/app.yaml unchanged\nmanifests/tls.yaml unchanged\n");
    world.write("app.yaml", &group("app", "0").replace("location", "loction"));
    let refused = push().complaint(1);
    assert!(refused.contains("did you mean `location`"), "{refused}");
    world.write("app.yaml", &group("app", "0"));

    let (mut working, mut waiting) =
        (account.daemon(&world, "one.log"), account.daemon(&world, "two.log"));
    for name in ["app", "tls"] {
        account.until(&world, name, "ready", is_ready);
    }
    let (puts, ..) = world.writes();
    // Killed while there is work, at another moment each time: the other goes on, a new one waits.
    for round in 1..=number("ACI_OPERATOR_TEST_HOME_KILLS", 5) {
        world.write("app.yaml", &group("app", &round.to_string()));
        push().done();
        pause(Duration::from_millis((round as u64 * 1900) % 6000));
        // One of the two works; which one is no matter.
        drop(std::mem::replace(&mut working, waiting));
        waiting = account.daemon(&world, "more.log");
        account.until(&world, "app", "ready after a kill", |object| {
            let value = &object["spec"]["containers"][0]["environmentVariables"][0]["value"];
            is_ready(object) && *value == *round.to_string()
        });
        assert_eq!(world.writes().0, puts + round, "one PUT an edit");
    }
    every_verb(&world, &account);
}

fn every_verb(world: &World, account: &Account) {
    let serial = || -> Value {
        account.object(world, "tls")["status"]["certificate"]["serialNumber"].clone()
    };
    let before = serial();
    account.run(world, &["suspend", "app"]).done();
    let suspended = |object: &Value| condition(object, "Suspended").0 == "True";
    account.until(world, "app", "suspended", suspended);
    account.run(world, &["resume", "app"]).done();
    account.run(world, &["renew", "tls", "--no-wait"]).done();
    world.eventually("a new leaf", || (serial() != before).then_some(()));
    let events = account.run(world, &["events", "tls"]).done();
    assert!(events.contains("Issuing"), "{events}");
}
