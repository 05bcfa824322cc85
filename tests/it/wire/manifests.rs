//! Manifests that go away or break: nothing is deleted for it, and `get` says what is going on.

use std::fs;

use super::{World, condition, group, is_ready};

/// A daemon that has made two groups.
fn two(arguments: &[&str]) -> World {
    let mut world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.write("other.yaml", &group("other", "1"));
    world.start(arguments);
    world.ready("app");
    world.ready("other");
    world
}

/// Both groups are still there, as they were made, and further work is done.
#[track_caller]
fn nothing_was_lost(world: &World) {
    assert_eq!(world.writes(), (2, 0, 0));
}

#[test]
fn a_removed_manifest_leaves_an_orphan() {
    let world = two(&[]);
    fs::remove_file(world.file("app.yaml")).unwrap();
    let orphan =
        world.until("app", "orphaned", |object| condition(object, "Ready").1 == "Orphaned");
    assert!(condition(&orphan, "Ready").2.contains("nothing is deleted"), "{orphan:#}");
    let table = world.run(&["get"]).done();
    assert_eq!(table.matches("Orphaned").count(), 1, "{table}");
    nothing_was_lost(&world);
    world.write("app.yaml", &group("app", "1"));
    world.until("app", "back", |object| condition(object, "Ready").1 == "InSync");
    nothing_was_lost(&world);
}

#[test]
fn a_directory_that_goes_away_deletes_nothing_even_under_prune() {
    for arguments in [&[][..], &["--prune"]] {
        let world = two(arguments);
        let away = world.dir.path().join("away");
        fs::rename(world.manifests(), &away).unwrap();
        world.eventually("told that it cannot be read", || {
            let got = world.run(&["get"]);
            (got.code == 0 && got.err.contains(&super::text(&world.manifests()))).then_some(())
        });
        world.run(&["reconcile", "app"]).done();
        nothing_was_lost(&world);
        fs::rename(&away, world.manifests()).unwrap();
        world.write("app.yaml", &group("app", "2"));
        world.eventually("followed again", || (world.count("put") == 3).then_some(()));
        assert_eq!(world.count("delete"), 0);
    }
}

#[test]
fn an_empty_directory_deletes_nothing_even_under_prune() {
    for arguments in [&[][..], &["--prune"]] {
        let world = two(arguments);
        for name in ["app.yaml", "other.yaml"] {
            fs::remove_file(world.file(name)).unwrap();
        }
        world.eventually("told that all manifests are gone", || {
            world.run(&["get"]).err.contains("no manifest is left").then_some(())
        });
        world.run(&["reconcile", "app"]).done();
        nothing_was_lost(&world);
    }
}

#[test]
fn a_broken_file_keeps_its_objects_at_their_last_good_version() {
    let world = two(&[]);
    let good = group("app", "2");
    let half = &good[..good.len() / 2];
    let cases = [
        (good.replace("ipAddress", "ipAdress"), "app.yaml:7:3"),
        (format!("{good}  : ]"), "app.yaml:"),
        (half.to_owned(), "app.yaml"),
    ];
    for (broken, place) in cases {
        // In place, as a copy that is not done yet.
        fs::write(world.file("app.yaml"), broken).unwrap();
        let object =
            world.until("app", "invalid", |object| condition(object, "Stalled").1 == "Invalid");
        let message = condition(&object, "Stalled").2;
        assert!(message.contains(place), "{message}");
        assert!(is_ready(&world.object("other").unwrap()));
        nothing_was_lost(&world);
        world.write("app.yaml", &group("app", "1"));
        world.ready("app");
        nothing_was_lost(&world);
    }
    fs::write(world.file("app.yaml"), half).unwrap();
    fs::write(world.file("app.yaml"), &good).unwrap();
    world.eventually("the whole file applied", || (world.count("put") == 3).then_some(()));
    assert_eq!(world.writes(), (3, 0, 0));
}

#[test]
fn two_manifests_of_one_name_are_refused_naming_both() {
    let world = two(&[]);
    world.write("twin.yaml", &group("app", "3"));
    let object =
        world.until("app", "refused", |object| condition(object, "Stalled").1 == "Invalid");
    let message = condition(&object, "Stalled").2;
    assert!(message.contains("app.yaml") && message.contains("twin.yaml"), "{message}");
    nothing_was_lost(&world);
    fs::remove_file(world.file("twin.yaml")).unwrap();
    world.ready("app");
    nothing_was_lost(&world);
}

#[test]
fn prune_deletes_what_was_made_for_a_removed_manifest_and_nothing_else() {
    let world = two(&["--prune"]);
    fs::remove_file(world.file("app.yaml")).unwrap();
    world.eventually("deleted", || world.object("app").is_none().then_some(()));
    assert_eq!(world.writes(), (2, 0, 1));
    assert!(is_ready(&world.object("other").unwrap()));
}
