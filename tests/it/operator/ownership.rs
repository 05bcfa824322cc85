//! Whose a group is, and what others do to it.

use std::time::Duration;

use aci_operator::core::container_group::tags;
use aci_operator::emulator::faults::Operation;
use serde_json::{Value, json};

use super::bench::Bench;
use super::manifests::{local_ca, sample};
use super::world::{GROUP, RESOURCE_GROUP};

fn image(body: &mut Value) -> &mut Value {
    &mut body["properties"]["containers"][0]["properties"]["image"]
}

/// A group of that name that somebody else made, with these tags.
fn foreign(bench: &Bench, tags: &Value) {
    bench.world.azure(|azure, now| {
        azure.put_resource_group(now, RESOURCE_GROUP, &json!({"location": "westeurope"})).unwrap();
        let body = json!({
            "location": "westeurope",
            "tags": tags,
            "properties": {
                "osType": "Linux",
                "containers": [{"name": "theirs", "properties": {"image": "nginx"}}],
            },
        });
        azure.put(now, RESOURCE_GROUP, GROUP, body).unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_drops_our_tags_is_drift_and_one_put() {
    let mut bench = Bench::made().await;
    bench.world.foreign_put(|body| {
        *image(body) = json!("registry/theirs:1");
        body["tags"] = json!({"theirs": "1"});
    });
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.step().await;
    bench.step().await;
    bench.assert_condition("Drifted", "True Drifted");
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
    bench.assert_condition("Drifted", "False InSync");
    assert!(bench.tag(tags::OWNER).is_some() && bench.tag(tags::DIGEST).is_some());
    assert_eq!(bench.tag("theirs").as_deref(), Some("1"));
    assert_ne!(*image(&mut bench.world.shown(GROUP)), "registry/theirs:1");
}

#[tokio::test(start_paused = true)]
async fn a_put_by_others_that_shows_nothing_may_have_taken_our_secrets() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.foreign_put(|body| body["tags"] = json!({}));
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_keeps_our_tags_is_one_put() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.foreign_put(|body| *image(body) = json!("registry/theirs:1"));
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn tags_taken_away_right_after_ours_come_back() {
    let mut bench = Bench::made().await;
    let strip = |bench: &Bench| {
        let none = json!({"tags": {}});
        bench.world.azure(|azure, now| azure.patch(now, RESOURCE_GROUP, GROUP, none).unwrap());
    };
    strip(&bench);
    bench.wake();
    bench.step().await;
    assert_eq!(bench.count("Tag"), 1, "\n{}", bench.history());
    strip(&bench);
    bench.live_on(Duration::from_mins(10)).await;
    bench.assert_condition("NotConverging", "True NotConverging");
    bench.live_on(Duration::from_hours(1)).await;
    bench.settle().await;
    assert_eq!(bench.count("Tag"), 2, "\n{}", bench.history());
    assert!(bench.tag(tags::OWNER).is_some());
    bench.assert_condition("NotConverging", "False InSync");
}

#[tokio::test(start_paused = true)]
async fn lost_tags_alone_are_one_patch() {
    let mut bench = Bench::made().await;
    let started = bench.started();
    bench.world.foreign_tags(|tags| *tags = json!({"theirs": "1"}));
    bench.wake();
    bench.settle().await;
    bench.wrote(&["Tag"]);
    assert_eq!(bench.started(), started);
    assert_eq!(bench.tag("theirs").as_deref(), Some("1"));
    assert_eq!(bench.tag("team").as_deref(), Some("web"));
    assert!(bench.tag(tags::OWNER).is_some());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn tags_of_others_are_left_alone() {
    let mut bench = Bench::made().await;
    bench.world.foreign_tags(|tags| tags["theirs"] = json!("1"));
    bench.wake();
    bench.settle().await;
    bench.wrote(&[]);
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    assert_eq!(bench.tag("theirs").as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn names_of_tags_have_no_case() {
    let mut bench = Bench::made().await;
    bench.world.foreign_tags(|tags| {
        let all = tags.as_object().unwrap().clone();
        *tags = all.into_iter().map(|(name, value)| (name.to_uppercase(), value)).collect();
    });
    bench.wake();
    bench.settle().await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_group_of_others_is_not_touched() {
    for tags in [json!({}), json!({(tags::OWNER): "another-home/uid-9"})] {
        let mut bench = Bench::empty();
        foreign(&bench, &tags);
        bench.apply_issuer(local_ca());
        bench.apply(sample());
        bench.settle().await;
        bench.live_on(Duration::from_hours(1)).await;
        bench.assert_condition("Stalled", "True NotOwned");
        bench.wrote(&["CreateRoot"]);
        // Nor is it deleted.
        bench.delete();
        bench.settle().await;
        bench.wrote(&[]);
        assert_eq!(bench.world.shown(GROUP)["name"], GROUP);
    }
}

#[tokio::test(start_paused = true)]
async fn another_owner_takes_what_was_ours() {
    let mut bench = Bench::made().await;
    bench.world.foreign_tags(|all| all[tags::OWNER] = json!("another-home/uid-9"));
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.assert_condition("Stalled", "True NotOwned");
    bench.delete();
    bench.settle().await;
    bench.wrote(&[]);
    assert_eq!(bench.world.shown(GROUP)["name"], GROUP);
}

#[tokio::test(start_paused = true)]
async fn adoption_takes_a_group_over() {
    let mut bench = Bench::empty();
    foreign(&bench, &json!({"theirs": "1"}));
    bench.apply_issuer(local_ca());
    let mut group = sample();
    group.spec.adopt = true;
    bench.apply(group);
    bench.settle().await;
    // Other containers and an address: that is a replacement.
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.wrote(&["CreateRoot", "Tag", "StoreLeaf"]);
    bench.approve();
    bench.settle().await;
    assert_eq!((bench.count("Delete"), bench.count("Put")), (1, 1));
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_new_home_restarts_nobody() {
    let mut bench = Bench::made().await;
    let started = bench.started();
    bench.move_house();
    bench.apply_issuer(local_ca());
    let mut group = sample();
    group.spec.adopt = true;
    bench.apply(group);
    bench.settle().await;
    assert_eq!((bench.count("Put"), bench.count("Delete")), (0, 0), "\n{}", bench.history());
    assert_eq!(bench.started(), started);
    bench.assert_ready();
    bench.forget_writes();
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_no_absence() {
    for operation in [Operation::Get, Operation::Put, Operation::ResourceGroup] {
        let mut bench = Bench::made().await;
        bench.world.state().forbidden.insert(operation);
        bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
        bench.live_on(Duration::from_mins(10)).await;
        if operation != Operation::ResourceGroup {
            bench.assert_condition("Stalled", "True Forbidden");
        }
        assert_eq!(bench.count("CreateResourceGroup") + bench.count("Delete"), 0);
        bench.world.state().forbidden.clear();
        bench.settle().await;
        bench.live_on(Duration::from_mins(20)).await;
        assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
        bench.assert_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_without_rights_forgets_nothing() {
    let mut bench = Bench::made().await;
    bench.world.state().forbidden.insert(Operation::Get);
    bench.delete();
    bench.live_on(Duration::from_mins(10)).await;
    bench.assert_condition("Stalled", "True Forbidden");
    bench.wrote(&[]);
    bench.world.state().forbidden.clear();
    bench.live_on(Duration::from_mins(20)).await;
    bench.wrote(&["Delete"]);
    assert!(bench.world.shown(GROUP).is_null());
}
