//! The process is killed at every call of a port: the next one goes on, with one pair and no more.

use super::*;
use crate::operator::kills::killed_at_each_call;

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
    killed_at_each_call(prepare, change, outcome).await;
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
