//! How a new leaf reaches clients.

use std::time::Duration;

use aci_operator::api::container_group::{RefreshVolume, RotationMethod, UpdatePolicy};
use aci_operator::api::{ContainerGroupSpec, Issuer};
use aci_operator::core::certificate::{KeyAlgorithm, LeafRequest, Names, Pair, RootRequest};
use aci_operator::core::issuer::Constraints;
use aci_operator::emulator::faults::Effect;
use aci_operator::emulator::model::Accident;
use aci_operator::pki::LocalAuthority;
use aci_operator::ports::{Authority as _, Clock as _};
use serde_json::json;

use super::bench::Bench;
use super::engine::Exec;
use super::manifests::{local_ca, sample};
use super::world::{GROUP, address};

const HOUR: Duration = Duration::from_hours(1);

fn daily(spec: &mut ContainerGroupSpec) {
    spec.tls.as_mut().unwrap().duration = "24h".to_owned();
}

async fn change_address(bench: &mut Bench) {
    let group = GROUP.to_owned();
    bench.world.azure(|azure, now| azure.happen(now, &Accident::IpChange { group }).unwrap());
    bench.wake();
    bench.settle().await;
}

fn names_the_address(bench: &Bench) -> bool {
    let address = address(&bench.world.shown(GROUP)).unwrap();
    bench.leaf().names.ip.contains(&address)
}

#[tokio::test(start_paused = true)]
async fn a_leaf_is_renewed_at_its_time_and_no_container_restarts() {
    let mut bench = Bench::made_with(daily).await;
    let (started, first) = (bench.started(), bench.leaf());
    // Half of its life, less up to a twentieth.
    bench.live_on(HOUR * 10).await;
    bench.wrote(&[]);
    bench.live_on(HOUR * 3).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    assert_ne!(bench.leaf().serial, first.serial);
    assert_eq!(bench.started(), started);
    bench.assert_ready();
    // And again and again.
    bench.live_on(HOUR * 24 * 2).await;
    let swaps = bench.count("SwapLeaf");
    assert!((3..=5).contains(&swaps), "{swaps}");
    assert_eq!(bench.count("Put"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_asked_for_is_hot() {
    let mut bench = Bench::made().await;
    let started = bench.started();
    for _ in 0..3 {
        bench.renew().await;
        bench.settle().await;
        bench.wrote(&["StoreLeaf", "SwapLeaf"]);
        bench.assert_ready();
    }
    assert_eq!(bench.started(), started);
}

#[tokio::test(start_paused = true)]
async fn another_address_is_named_without_a_put() {
    let mut bench = Bench::made().await;
    for _ in 0..3 {
        change_address(&mut bench).await;
        bench.wrote(&["StoreLeaf", "SwapLeaf"]);
        assert!(names_the_address(&bench));
        bench.assert_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_without_addresses_names_none() {
    let mut bench = Bench::empty();
    let spec = json!({"localCA": {"ipAddresses": false}});
    bench.apply_issuer(Issuer::new("local-ca", serde_json::from_value(spec).unwrap()));
    bench.apply(sample());
    bench.settle().await;
    bench.forget_writes();
    bench.assert_ready();
    assert!(!names_the_address(&bench));
    change_address(&mut bench).await;
    bench.wrote(&[]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_root_may_not_sign_stalls_and_says_so() {
    let mut bench = Bench::empty();
    let spec = json!({"localCA": {"permittedDomains": ["mon-dns.com"]}});
    bench.apply_issuer(Issuer::new("local-ca", serde_json::from_value(spec).unwrap()));
    bench.apply(sample());
    bench.settle().await;
    bench.assert_condition("Stalled", "True RootMustBeReplaced");
    bench.assert_condition("CertificateReady", "False RootMustBeReplaced");
    // What can be served is served.
    bench.assert_condition("ServingCurrent", "True Serving");
    assert_eq!(bench.count("Put"), 1);
}

#[tokio::test(start_paused = true)]
async fn where_exec_is_refused_an_address_costs_one_restart() {
    let mut bench = Bench::empty();
    bench.world.fault(Effect::ExecRefused, None, 10_000);
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    bench.assert_condition("HotRotationAvailable", "False ExecFailed");
    assert!(bench.message("HotRotationAvailable").contains("403"));
    // The leaf with the assigned address came by the second PUT.
    assert_eq!(bench.count("Put"), 2, "\n{}", bench.history());
    bench.assert_ready();
    bench.live_on(HOUR * 25).await;
    bench.forget_writes();

    change_address(&mut bench).await;
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    assert!(names_the_address(&bench));
    // Addresses that change all day do not restart the group all day.
    for _ in 0..3 {
        bench.live_on(HOUR).await;
        change_address(&mut bench).await;
    }
    assert_eq!(bench.count("Put"), 1, "\n{}", bench.history());
    bench.assert_condition("CertificateReady", "False Issuing");
    bench.live_on(HOUR * 24).await;
    assert_eq!(bench.count("Put"), 2, "\n{}", bench.history());
    assert!(names_the_address(&bench));
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn exec_that_comes_back_is_used_again() {
    let mut bench = Bench::empty();
    bench.world.fault(Effect::ExecRefused, None, 10_000);
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    bench.forget_writes();
    bench.world.azure(|azure, _| azure.faults().clear());
    bench.live_on(HOUR).await;
    bench.assert_condition("HotRotationAvailable", "True ExecAvailable");
    bench.wrote(&["TryExec"]);
    change_address(&mut bench).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_swap_says_why() {
    for (exec, why) in [(Exec::Missing("stty"), "no `stty`"), (Exec::Lossy, "1.27.4")] {
        let mut bench = Bench::empty();
        bench.world.state().engine.exec = exec;
        bench.apply_issuer(local_ca());
        bench.apply(sample());
        bench.settle().await;
        bench.assert_condition("HotRotationAvailable", "False ExecFailed");
        assert!(bench.message("HotRotationAvailable").contains(why));
        bench.assert_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_fails_is_tried_again_and_then_a_put_comes() {
    let mut bench = Bench::made_with(daily).await;
    bench.world.state().engine.exec = Exec::Refuses;
    bench.live_on(HOUR * 20).await;
    // The old leaf is good for hours: no restart.
    bench.wrote(&["StoreLeaf"]);
    bench.assert_condition("ServingCurrent", "False ServingOther");
    bench.assert_condition("Ready", "False ExecFailed");
    bench.live_on(HOUR * 2).await;
    bench.wrote(&["Put", "TryExec"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn the_policy_wins_over_an_expiring_leaf() {
    let mut bench = Bench::made_with(|spec| {
        daily(spec);
        spec.update_policy = UpdatePolicy::Hot;
    })
    .await;
    bench.world.state().engine.exec = Exec::Refuses;
    bench.live_on(HOUR * 22).await;
    bench.wrote(&["StoreLeaf"]);
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.assert_condition("ServingCurrent", "False ServingOther");
    bench.approve();
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_dies_leaves_the_old_pair_whole() {
    let mut bench = Bench::made().await;
    let old = bench.world.live();
    for bytes in [0, 10, 500, 2000, 3500] {
        bench.world.fault(Effect::ExecDiesAfter { bytes }, None, 1);
    }
    bench.renew().await;
    bench.step().await;
    bench.step().await;
    bench.step().await;
    assert_eq!(bench.world.live(), old);
    bench.settle().await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_seen_the_read_back_counts() {
    let mut bench = Bench::empty();
    bench.world.state().engine.reachable = false;
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    bench.assert_ready();
    bench.assert_condition("ServingCurrent", "Unknown Unreachable");
    bench.forget_writes();
    change_address(&mut bench).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    bench.assert_ready();
    bench.live_on(HOUR * 2).await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_answered_before_is_an_outage() {
    let mut bench = Bench::made().await;
    bench.world.state().engine.reachable = false;
    bench.wake();
    bench.live_on(Duration::from_mins(5)).await;
    bench.assert_condition("Ready", "False Unreachable");
    bench.wrote(&[]);
    bench.world.state().engine.reachable = true;
    bench.settle().await;
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn the_method_restart_rotates_by_put() {
    let mut bench = Bench::made_with(|spec| {
        daily(spec);
        spec.tls.as_mut().unwrap().rotation.method = RotationMethod::Restart;
    })
    .await;
    bench.live_on(HOUR * 13).await;
    bench.wrote(&["StoreLeaf", "Put"]);
    bench.assert_condition("HotRotationAvailable", "Unknown Unknown");
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_must_stay_fresh_costs_one_restart_a_lifetime() {
    let mut bench = Bench::made_with(|spec| {
        daily(spec);
        spec.tls.as_mut().unwrap().rotation.refresh_volume = RefreshVolume::BeforeExpiry;
    })
    .await;
    bench.live_on(HOUR * 24 * 2).await;
    let puts = bench.count("Put");
    assert!((2..=4).contains(&puts), "{puts}\n{}", bench.history());
    bench.assert_ready();
}

/// A user's own pair for these names.
fn own_pair(bench: &Bench, names: &[&str]) -> Pair {
    let (now, life) = (bench.world.now(), HOUR * 48);
    let constraints = Constraints { permitted_domains: Vec::new(), ip_addresses: true };
    let common_name = "their CA".to_owned();
    let root = LocalAuthority.root(&RootRequest { common_name, constraints, now, life }).unwrap();
    let dns = names.iter().map(|&name| name.to_owned()).collect();
    let names = Names { dns, ..Names::default() };
    let algorithm = KeyAlgorithm::EcdsaP256;
    LocalAuthority.leaf(&root, &LeafRequest { names, algorithm, now, life }).unwrap()
}

fn provide(bench: &Bench, pair: &Pair) {
    bench.set_secret("own", "tls.crt", &pair.chain_pem);
    bench.set_secret("own", "tls.key", pair.key_pem.reveal());
}

async fn provided() -> Bench {
    let mut bench = Bench::empty();
    let spec = json!({"provided": {"secretRef": {"name": "own"}}});
    bench.apply_issuer(Issuer::new("local-ca", serde_json::from_value(spec).unwrap()));
    bench.apply(sample());
    bench.live_on(Duration::from_mins(5)).await;
    bench.assert_condition("Ready", "False ReferenceMissing");
    provide(&bench, &own_pair(&bench, &["mon-dns.com"]));
    bench.settle().await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_provided_certificate_rotates_hot() {
    let mut bench = provided().await;
    bench.assert_ready();
    assert_eq!(bench.count("Put"), 1);
    bench.forget_writes();
    let second = own_pair(&bench, &["mon-dns.com", "other.com"]);
    provide(&bench, &second);
    bench.live_on(Duration::from_mins(11)).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    assert_eq!(bench.world.live().unwrap().chain_pem, second.chain_pem);
    bench.assert_ready();
    // Another address is none of theirs.
    change_address(&mut bench).await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_provided_certificate_names_its_check_and_the_old_one_stays() {
    let mut bench = provided().await;
    let old = bench.world.live();
    bench.forget_writes();
    let good = own_pair(&bench, &["mon-dns.com"]);
    let key_of_other = Pair { key_pem: own_pair(&bench, &["x.y"]).key_pem, ..good };
    let cases = [
        ("KeyMatches", key_of_other),
        ("NamesCovered", own_pair(&bench, &["x.y"])),
        ("Readable", Pair { chain_pem: "nothing".to_owned(), ..own_pair(&bench, &["x.y"]) }),
    ];
    for (check, pair) in cases {
        provide(&bench, &pair);
        bench.wake();
        bench.settle().await;
        bench.assert_condition("CertificateReady", "False BadCertificate");
        assert!(bench.message("CertificateReady").contains(check), "{check}");
        bench.assert_condition("Stalled", "True BadCertificate");
        bench.wrote(&[]);
        assert_eq!(bench.world.live(), old);
    }
    provide(&bench, &own_pair(&bench, &["mon-dns.com"]));
    bench.wake();
    bench.settle().await;
    bench.assert_ready();
    bench.live_on(HOUR * 49).await;
    assert!(bench.message("CertificateReady").contains("NotExpired"));
}
