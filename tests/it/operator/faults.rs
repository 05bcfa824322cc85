//! Each fault of local Azure, alone: recovered from without help, waited for as it asks.

use std::time::Duration;

use aci_operator::emulator::faults::{Effect, Operation};
use tokio::time::Instant;

use super::bench::Bench;
use super::manifests::{local_ca, sample};
use super::world::GROUP;

fn new_image(bench: &mut Bench) {
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
}

#[tokio::test(start_paused = true)]
async fn a_throttled_request_waits_as_it_is_asked() {
    for operation in [Operation::Put, Operation::Get] {
        let mut bench = Bench::made().await;
        bench.world.fault(Effect::Throttle { retry_after: 77 }, Some(operation), 1);
        let before = Instant::now();
        new_image(&mut bench);
        bench.step().await;
        bench.assert_condition("Ready", "False Throttled");
        let requests = bench.world.state().requests.clone();
        bench.live_on(Duration::from_secs(76)).await;
        assert_eq!(bench.world.state().requests.get(&operation), requests.get(&operation));
        bench.settle().await;
        assert!(before.elapsed() >= Duration::from_secs(77));
        assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
        bench.assert_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_waits_ten_seconds() {
    let mut bench = Bench::made().await;
    bench.world.fault(Effect::Conflict, Some(Operation::Put), 1);
    let before = Instant::now();
    new_image(&mut bench);
    bench.step().await;
    bench.assert_condition("Ready", "False Busy");
    bench.settle().await;
    assert!(before.elapsed() >= Duration::from_secs(10));
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn errors_and_resets_are_survived_wherever_they_come() {
    let operations = [
        Operation::Get,
        Operation::Put,
        Operation::Patch,
        Operation::Delete,
        Operation::Exec,
        Operation::ResourceGroup,
    ];
    for operation in operations {
        for effect in [Effect::Error, Effect::Reset, Effect::Latency { millis: 4000 }] {
            let mut bench = Bench::empty();
            bench.world.fault(effect, Some(operation), 2);
            bench.apply_issuer(local_ca());
            bench.apply(sample());
            bench.settle().await;
            bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "api".to_owned())));
            bench.live_on(Duration::from_mins(3)).await;
            assert_eq!(bench.count("Put"), 1, "{operation}\n{}", bench.history());
            bench.assert_ready();
            bench.delete();
            bench.live_on(Duration::from_mins(3)).await;
            assert!(bench.world.shown(GROUP).is_null());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_repeats_no_write() {
    // The edit's PUT, and that of the creation.
    let mut bench = Bench::made().await;
    bench.world.state().lost = Some(Operation::Put);
    new_image(&mut bench);
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();

    let mut bench = Bench::empty();
    bench.world.state().lost = Some(Operation::Put);
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn reads_that_lag_are_waited_for() {
    let lag = Effect::ReadsLag { seconds: 20 };
    // Of the creation.
    let mut bench = Bench::empty();
    bench.world.fault(lag.clone(), Some(Operation::Put), 100);
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
    bench.forget_writes();
    // Of an edit.
    new_image(&mut bench);
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    bench.assert_ready();
    // Of a secret that changed.
    bench.set_secret("db", "password", "hunter3");
    bench.wake();
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    // Of a tag.
    bench.world.fault(lag.clone(), Some(Operation::Patch), 100);
    bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "api".to_owned())));
    bench.settle().await;
    bench.wrote(&["Tag"]);
    // Of a replacement.
    bench.world.fault(lag, Some(Operation::Delete), 100);
    bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
    bench.settle().await;
    bench.approve();
    bench.settle().await;
    assert_eq!((bench.count("Delete"), bench.count("Put")), (1, 1), "\n{}", bench.history());
    bench.assert_ready();
    bench.forget_writes();
    // Of the end.
    bench.delete();
    bench.settle().await;
    bench.wrote(&["Delete"]);
    assert!(bench.world.shown(GROUP).is_null());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_not_shown_yet_is_deleted_all_the_same() {
    let mut bench = Bench::empty();
    bench.world.fault(Effect::ReadsLag { seconds: 20 }, Some(Operation::Put), 1);
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    while bench.count("Put") == 0 {
        bench.step().await;
    }
    bench.delete();
    bench.live_on(Duration::from_mins(2)).await;
    assert!(bench.world.shown(GROUP).is_null(), "an orphan\n{}", bench.history());
    assert!(bench.world.state().azure.names().is_empty());
    assert!(bench.status().is_null());
}

#[tokio::test(start_paused = true)]
async fn a_refused_body_stalls_without_a_storm() {
    let mut bench = Bench::made().await;
    // A shape that no file gets past, and that an API server with other definitions may let through.
    bench.edit(|spec| spec.containers[0].image.clear());
    bench.live_on(Duration::from_hours(1)).await;
    bench.assert_condition("Stalled", "True Refused");
    assert!(bench.message("Ready").contains("MissingContainerImage"), "{}", bench.message("Ready"));
    assert!(bench.count("Put") < 15, "{}", bench.count("Put"));
    bench.edit(|spec| "api:2".clone_into(&mut spec.containers[0].image));
    bench.settle().await;
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_in_a_storm_of_faults_comes_through() {
    let mut bench = Bench::made().await;
    for effect in [Effect::Error, Effect::ExecRefused, Effect::ExecDiesAfter { bytes: 900 }] {
        bench.world.fault(effect, Some(Operation::Exec), 2);
    }
    bench.renew().await;
    bench.settle().await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    bench.assert_ready();
}
