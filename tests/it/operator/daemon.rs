//! The loop itself: what is noticed without a hint, when, and at what cost in reads.

use std::time::Duration;

use aci_operator::emulator::faults::Operation;
use aci_operator::emulator::model::Accident;
use aci_operator::ports::{Change, Clock as _, ObjectKey};
use aci_operator::reconcile::run;
use futures::StreamExt as _;
use futures::channel::mpsc;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::bench::Bench;
use super::manifests::{group_key, local_ca, object, registration, registration_key, sample};
use super::world::{GROUP, address};

/// Lets a daemon run over the bench's home while `script` goes on.
pub(crate) async fn with_daemon(
    bench: &mut Bench,
    script: impl AsyncFnOnce(&mut Bench, &mpsc::UnboundedSender<Change>),
) {
    let (changes, stream) = mpsc::unbounded();
    say_all(bench, &changes);
    changes.unbounded_send(Change::Listed).unwrap();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let daemon = run(bench.ctx.clone(), stream.boxed(), |_| {}, async {
        // Either the script ends, or the test has failed already.
        let _ = stopped.await;
    });
    let script = async {
        script(bench, &changes).await;
        stop.send(()).unwrap();
    };
    tokio::join!(daemon, script);
}

/// The source says what the ledger knows.
fn say_all(bench: &Bench, changes: &mpsc::UnboundedSender<Change>) {
    for entry in bench.home.kept().entries.values() {
        changes.unbounded_send(Change::Apply(Box::new(object(entry)))).unwrap();
    }
}

/// Waits until something holds; how long that took.
async fn until(bench: &Bench, holds: impl Fn(&Bench) -> bool) -> Duration {
    let begin = Instant::now();
    while !holds(bench) {
        let waited = begin.elapsed();
        assert!(waited < Duration::from_mins(10), "{}", bench.status());
        sleep(Duration::from_millis(100)).await;
    }
    begin.elapsed()
}

fn is_ready(bench: &Bench) -> bool {
    bench.condition("Ready").starts_with("True")
}

/// The served leaf names the present address.
fn names_the_address(bench: &Bench) -> bool {
    bench.leaf_pair() == bench.world.live()
        && address(&bench.world.shown(GROUP)).is_some_and(|ip| bench.leaf().names.ip.contains(&ip))
}

#[tokio::test(start_paused = true)]
async fn from_nothing_to_ready_with_one_put() {
    let mut bench = Bench::empty();
    bench.apply(sample());
    bench.apply_issuer(local_ca());
    with_daemon(&mut bench, async |bench, _| {
        let took = until(bench, is_ready).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
        sleep(Duration::from_hours(1)).await;
    })
    .await;
    bench.assert_ready();
    let mut writes = bench.writes();
    writes.sort_unstable();
    assert_eq!(
        writes,
        [
            "CreateResourceGroup",
            "CreateRoot",
            "Put",
            "StoreLeaf",
            "StoreLeaf",
            "SwapLeaf",
            "TryExec"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn at_rest_a_list_looks_and_not_a_get_a_group() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, _| {
        sleep(Duration::from_mins(1)).await;
        bench.world.state().requests.clear();
        sleep(Duration::from_hours(1)).await;
        let requests = bench.world.state().requests.clone();
        let lists = requests[&Operation::List];
        // Every 15 s to 25 s.
        assert!((144..=240).contains(&lists), "{requests:?}");
        assert!(requests[&Operation::Get] <= 7, "{requests:?}");
        assert_eq!(requests.len(), 2, "{requests:?}");
    })
    .await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn another_address_is_noticed_and_named_within_half_a_minute() {
    // By the probe, by the LIST alone, and where the group was stopped and started.
    for reachable in [true, false] {
        let mut bench = Bench::made().await;
        bench.world.state().engine.reachable = reachable;
        with_daemon(&mut bench, async |bench, _| {
            sleep(Duration::from_mins(20)).await;
            let mut worst = Duration::ZERO;
            for n in 0..20 {
                sleep(Duration::from_millis(1700 * n)).await;
                let accident = Accident::IpChange { group: GROUP.to_owned() };
                bench.world.azure(|azure, now| azure.happen(now, &accident).unwrap());
                worst = worst.max(until(bench, names_the_address).await);
            }
            assert!(worst <= Duration::from_secs(30), "{worst:?}");
        })
        .await;
        assert_eq!((bench.count("Put"), bench.count("StoreLeaf")), (0, 20));
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_of_the_host_is_followed_without_a_put() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, _| {
        for _ in 0..5 {
            sleep(Duration::from_mins(1)).await;
            let accident = Accident::MoveHost { group: GROUP.to_owned() };
            bench.world.azure(|azure, now| azure.happen(now, &accident).unwrap());
            sleep(Duration::from_secs(2)).await;
            let took = until(bench, |bench| names_the_address(bench) && is_ready(bench)).await;
            assert!(took <= Duration::from_secs(30), "{took:?}");
        }
    })
    .await;
    assert_eq!(bench.count("Put"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_edit_is_drift_within_one_check_and_repaired_by_one_put() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, _| {
        sleep(Duration::from_mins(5)).await;
        bench.world.foreign_put(|body| {
            body["properties"]["containers"][0]["properties"]["image"] = json!("theirs");
            body["tags"] = json!({});
        });
        let took = until(bench, |bench| bench.condition("Drifted").starts_with("True")).await;
        assert!(took <= Duration::from_secs(30), "{took:?}");
        until(bench, is_ready).await;
        sleep(Duration::from_hours(1)).await;
    })
    .await;
    assert_eq!(bench.count("Put"), 1);
    bench.assert_ready();
    let told: Vec<_> = bench.home.kept().events.iter().map(|e| e.event.reason).collect();
    assert!(told.contains(&aci_operator::core::Reason::Drifted), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_heeded_at_once() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, _| {
        sleep(Duration::from_mins(5)).await;
        let (old, now) = (bench.leaf().serial, bench.world.now());
        bench.home.ask(&group_key(), |requests| requests.renew = Some(now));
        let renewed =
            |bench: &Bench| bench.leaf().serial != old && bench.leaf_pair() == bench.world.live();
        let took = until(bench, renewed).await;
        assert!(took <= Duration::from_secs(1), "{took:?}");
    })
    .await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_released_and_leaves_the_loop() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, changes| {
        sleep(Duration::from_mins(5)).await;
        bench.delete();
        say_all(bench, changes);
        until(bench, |bench| !bench.home.kept().entries.contains_key(&group_key())).await;
        changes.unbounded_send(Change::Delete(group_key())).unwrap();
        sleep(Duration::from_hours(1)).await;
    })
    .await;
    bench.wrote(&["Delete"]);
    assert!(bench.world.shown(GROUP).is_null());
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_made_and_names_its_group() {
    let mut bench = Bench::made().await;
    bench.apply_registration(registration());
    with_daemon(&mut bench, async |bench, _| {
        let ready =
            |bench: &Bench| bench.condition_of(&registration_key(), "Ready").starts_with("True");
        let took = until(bench, ready).await;
        assert!(took < Duration::from_mins(1), "{took:?}");
        sleep(Duration::from_hours(1)).await;
    })
    .await;
    assert_eq!(bench.world.applications().len(), 2);
    assert_eq!(bench.count("applications.upsert"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_leaves_takes_no_namesake_of_another_kind_with_it() {
    let mut bench = Bench::made().await;
    with_daemon(&mut bench, async |bench, changes| {
        sleep(Duration::from_mins(5)).await;
        changes.unbounded_send(Change::Delete(ObjectKey::new("Issuer", GROUP))).unwrap();
        sleep(Duration::from_mins(5)).await;
        let (old, now) = (bench.leaf().serial, bench.world.now());
        bench.home.ask(&group_key(), |requests| requests.renew = Some(now));
        let took = until(bench, |bench| bench.leaf().serial != old).await;
        assert!(took <= Duration::from_secs(1), "{took:?}");
    })
    .await;
}
