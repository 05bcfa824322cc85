//! What happens to a running group by itself.

use std::time::Duration;

use aci_operator::api::container_group::{RestartPolicy, UpdatePolicy};
use aci_operator::core::sidecar;
use aci_operator::emulator::model::Accident;
use aci_operator::ports::Clock as _;
use serde_json::json;

use super::bench::Bench;
use super::manifests::sample;
use super::world::{GROUP, RESOURCE_GROUP, address};

async fn happens(bench: &mut Bench, accident: Accident) {
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.happen(now, &accident).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
}

fn crash(container: &str) -> Accident {
    Accident::Crash { group: GROUP.to_owned(), container: container.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_crash_of_the_application_is_none_of_ours() {
    let mut bench = Bench::made().await;
    happens(&mut bench, crash("my-api")).await;
    bench.wrote(&[]);
    bench.assert_ready();
    assert_eq!(bench.status()["containers"][0]["restartCount"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_of_the_sidecar_brings_no_old_certificate_back() {
    let mut bench = Bench::made().await;
    bench.renew().await;
    bench.settle().await;
    bench.forget_writes();
    happens(&mut bench, crash(sidecar::CONTAINER)).await;
    // The live pair outlived it; exec is tried anew.
    bench.wrote(&["TryExec"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_moved_gets_the_present_leaf() {
    let mut bench = Bench::made().await;
    let old = address(&bench.world.shown(GROUP));
    happens(&mut bench, Accident::MoveHost { group: GROUP.to_owned() }).await;
    assert_ne!(address(&bench.world.shown(GROUP)), old);
    bench.wrote(&["StoreLeaf", "TryExec", "SwapLeaf"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_others_gets_the_present_leaf_pushed() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.restart(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    bench.wrote(&["TryExec", "SwapLeaf"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_start_by_others_is_followed_without_a_put() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.stop(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.start(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    bench.wrote(&["StoreLeaf", "TryExec", "SwapLeaf"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_group_that_others_stopped_is_put_once() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.stop(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn the_policy_hot_leaves_a_stopped_group_stopped() {
    let mut bench = Bench::made_with(|spec| spec.update_policy = UpdatePolicy::Hot).await;
    bench.live_on(Duration::from_secs(5)).await;
    bench.world.azure(|azure, now| azure.stop(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    bench.wrote(&[]);
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.assert_condition("Drifted", "True Drifted");
}

/// A job: no TLS, no address, `restartPolicy` as given.
async fn job(policy: RestartPolicy) -> Bench {
    let mut bench = Bench::empty();
    let mut group = sample();
    (group.spec.tls, group.spec.ip_address) = (None, None);
    group.spec.restart_policy = policy;
    bench.apply(group);
    bench.settle().await;
    bench.assert_ready();
    bench.forget_writes();
    bench
}

fn ends(bench: &Bench, code: i32) {
    let now = bench.world.now();
    let mut state = bench.world.state();
    let key = state.azure.keys()[0].clone();
    let run = state.engine.run_mut(&key).unwrap();
    for container in ["my-api", "worker"] {
        run.end(container, code, now);
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_is_no_drift() {
    for (policy, code) in
        [(RestartPolicy::Never, 0), (RestartPolicy::Never, 3), (RestartPolicy::OnFailure, 0)]
    {
        let mut bench = job(policy).await;
        ends(&bench, code);
        bench.wake();
        bench.settle().await;
        bench.live_on(Duration::from_hours(1)).await;
        bench.wrote(&[]);
        bench.assert_condition("Ready", "True Finished");
        bench.assert_condition("Drifted", "False InSync");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_is_made_anew_for_an_edit() {
    let mut bench = job(RestartPolicy::Never).await;
    ends(&bench, 0);
    bench.wake();
    bench.settle().await;
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.wrote(&["Delete", "Put"]);
    bench.assert_condition("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again_with_back_off_and_then_stalls() {
    let mut bench = Bench::empty();
    bench.world.state().engine.no_images = true;
    bench.apply_issuer(super::manifests::local_ca());
    bench.apply(sample());
    bench.live_on(Duration::from_hours(5)).await;
    bench.assert_condition("Stalled", "True ProvisioningFailed");
    assert!(bench.message("Ready").contains("no such image"));
    let puts = bench.count("Put");
    assert!((5..=7).contains(&puts), "{puts}\n{}", bench.history());
    // Another manifest is tried at once.
    bench.world.state().engine.no_images = false;
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_group_that_others_deleted_is_made_anew() {
    let mut bench = Bench::made().await;
    bench.world.azure(|azure, now| azure.delete(now, RESOURCE_GROUP, GROUP).unwrap());
    bench.live_on(Duration::from_secs(5)).await;
    bench.wake();
    bench.settle().await;
    assert_eq!((bench.count("Put"), bench.count("Delete")), (1, 0));
    bench.assert_ready();
    let body = json!({"location": "westeurope"});
    bench.world.azure(|azure, now| azure.delete_resource_group(now, RESOURCE_GROUP).unwrap());
    bench.live_on(Duration::from_secs(10)).await;
    bench.world.azure(|azure, now| azure.put_resource_group(now, "other", &body).unwrap());
    bench.forget_writes();
    bench.wake();
    bench.settle().await;
    assert_eq!((bench.count("CreateResourceGroup"), bench.count("Put")), (1, 1));
    bench.assert_ready();
}
