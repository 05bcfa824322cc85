//! The process is killed at every call of a port: the next one goes on, with one pair and no more.

use super::*;
use crate::operator::gate::Moment;

/// What must be the same, wherever the process died.
fn outcome(bench: &Bench) -> Value {
    let mut apps = bench.world.applications();
    for app in &mut apps {
        // Ids and times are those of the moment.
        for moving in ["createdDateTime", "id", "appId"] {
            app[moving].take();
        }
    }
    let count = |write| bench.count(write);
    json!({
        "names": apps.iter().map(|app| app["uniqueName"].clone()).collect::<Vec<_>>(),
        "apps": apps.len(),
        "redirects": [bench.redirects("api"), bench.redirects("swagger")],
        "upserts": count("applications.upsert"),
        "updates": count("applications.update"),
        "principals": count("servicePrincipals.create"),
        "deletions": count("applications.delete"),
        "entries": bench.home.kept().entries.len(),
        "ready": bench.condition_of(&registration_key(), "Ready"),
        "origins": bench.origins(),
    })
}

async fn survives(prepare: impl AsyncFn() -> Bench, change: impl AsyncFn(&mut Bench)) {
    let mut bench = prepare().await;
    let calls = bench.world.gate.calls();
    change(&mut bench).await;
    bench.settle().await;
    let (calls, expected) = (bench.world.gate.calls() - calls, outcome(&bench));
    assert!(calls > 20, "only {calls} calls");
    for n in 1..=calls {
        for moment in moments(n) {
            let mut bench = prepare().await;
            bench.world.gate.kill_at(n, moment);
            change(&mut bench).await;
            bench.settle().await;
            assert_eq!(bench.kills, 1, "no kill {moment:?} call {n} of {calls}");
            let found = outcome(&bench);
            assert_eq!(found, expected, "killed {moment:?} call {n}\n{}", bench.history());
        }
    }
}

fn moments(n: usize) -> Vec<Moment> {
    let both = vec![Moment::Before, Moment::After];
    if std::env::var_os("ACI_OPERATOR_TEST_SEEDS").is_some() { both } else { vec![both[n % 2]] }
}

#[tokio::test(start_paused = true)]
async fn in_a_creation() {
    let create = async |bench: &mut Bench| {
        bench.serve(&[FQDN]);
        bench.apply_registration(registration());
    };
    survives(async || Bench::empty(), create).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_change_of_addresses() {
    let prepare = async || {
        let mut bench = Bench::registered().await;
        bench.serve(&[FQDN, IP]);
        bench.settle().await;
        bench
    };
    let change = async |bench: &mut Bench| bench.serve(&[FQDN, "https://20.1.2.4"]);
    survives(prepare, change).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_deletion() {
    let delete = async |bench: &mut Bench| bench.delete_registration();
    survives(Bench::registered, delete).await;
}
