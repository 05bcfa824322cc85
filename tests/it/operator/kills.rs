//! The process is killed at every call of a port: the next one goes on.
//!
//! Before and after the call in turn; both each time where `ACI_OPERATOR_TEST_SEEDS` is set.

use serde_json::{Value, json};

use aci_operator::api::container_group::UpdatePolicy;

use super::bench::Bench;
use super::gate::Moment;
use super::manifests::{group_key, issuer_key, local_ca, sample};
use super::world::GROUP;

/// What must be the same, wherever the process died.
fn outcome(bench: &Bench) -> Value {
    let mut shown = bench.world.shown(GROUP);
    let properties = &mut shown["properties"];
    for container in properties["containers"].as_array_mut().into_iter().flatten() {
        container["properties"]["instanceView"].take();
    }
    properties["instanceView"].take();
    let tags: Vec<_> = shown["tags"].as_object().into_iter().flatten().map(|(n, _)| n).collect();
    let kept = bench.home.kept();
    json!({
        "properties": shown["properties"],
        "tags": tags,
        "groups": bench.world.state().azure.names(),
        "roots": bench.count("CreateRoot"),
        "leaves": bench.count("StoreLeaf"),
        "resource groups": bench.count("CreateResourceGroup"),
        "puts": bench.count("Put"),
        "patches": bench.count("Tag"),
        "deletions": bench.count("Delete"),
        "entries": kept.entries.len(),
        "root": kept.pairs.contains_key(&issuer_key()),
        "leaf": kept.pairs.contains_key(&group_key()),
    })
}

/// Lets `change` happen to what `prepare` made, with no kill and with one at each call: `look`, which may
/// check as well, must find the same.
pub(crate) async fn killed_at_each_call(
    prepare: impl AsyncFn() -> Bench,
    change: impl AsyncFn(&mut Bench),
    look: impl Fn(&Bench) -> Value,
) {
    let mut bench = prepare().await;
    let calls = bench.world.gate.calls();
    change(&mut bench).await;
    bench.settle().await;
    let (calls, expected) = (bench.world.gate.calls() - calls, look(&bench));
    assert!(calls > 20, "only {calls} calls");
    for n in 1..=calls {
        for moment in moments(n) {
            let mut bench = prepare().await;
            bench.world.gate.kill_at(n, moment);
            change(&mut bench).await;
            bench.settle().await;
            assert_eq!(bench.kills, 1, "no kill {moment:?} call {n} of {calls}");
            let found = look(&bench);
            assert_eq!(found, expected, "killed {moment:?} call {n}\n{}", bench.history());
        }
    }
}

async fn survives(
    prepare: impl AsyncFn() -> Bench,
    change: impl AsyncFn(&mut Bench),
    check: impl Fn(&Bench),
) {
    let look = |bench: &Bench| {
        check(bench);
        outcome(bench)
    };
    killed_at_each_call(prepare, change, look).await;
}

/// When, around the `n`th call.
fn moments(n: usize) -> Vec<Moment> {
    let both = vec![Moment::Before, Moment::After];
    if std::env::var_os("ACI_OPERATOR_TEST_SEEDS").is_some() { both } else { vec![both[n % 2]] }
}

async fn made() -> Bench {
    Bench::made().await
}

#[tokio::test(start_paused = true)]
async fn in_a_creation() {
    let create = async |bench: &mut Bench| {
        bench.apply_issuer(local_ca());
        bench.apply(sample());
    };
    survives(async || Bench::empty(), create, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_an_edit() {
    let edit = async |bench: &mut Bench| {
        bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    };
    survives(made, edit, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_change_of_a_secret() {
    let change = async |bench: &mut Bench| {
        bench.set_secret("db", "password", "hunter3");
        bench.wake();
    };
    survives(made, change, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_change_of_a_tag() {
    let edit = async |bench: &mut Bench| {
        bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "api".to_owned())));
    };
    survives(made, edit, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_replacement() {
    let prepare =
        async || Bench::made_with(|spec| spec.update_policy = UpdatePolicy::Replace).await;
    let edit = async |bench: &mut Bench| {
        bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
    };
    survives(prepare, edit, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_an_approved_replacement() {
    let prepare = async || {
        let mut bench = Bench::made().await;
        bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
        bench.settle().await;
        bench.assert_condition("Stalled", "True ApprovalRequired");
        bench
    };
    survives(prepare, async |bench: &mut Bench| bench.approve(), Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_rotation() {
    let renew = async |bench: &mut Bench| bench.renew().await;
    survives(made, renew, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_deletion() {
    let gone = |bench: &Bench| {
        assert!(bench.world.state().azure.names().is_empty(), "\n{}", bench.history());
        assert!(!bench.home.kept().entries.contains_key(&group_key()));
    };
    survives(made, async |bench: &mut Bench| bench.delete(), gone).await;
}

#[tokio::test(start_paused = true)]
async fn in_an_adoption_by_a_new_home() {
    let prepare = async || {
        let mut bench = Bench::made().await;
        bench.move_house();
        bench
    };
    let adopt = async |bench: &mut Bench| {
        bench.apply_issuer(local_ca());
        let mut group = sample();
        group.spec.adopt = true;
        bench.apply(group);
    };
    survives(prepare, adopt, Bench::assert_ready).await;
}

#[tokio::test(start_paused = true)]
async fn in_a_rollout_of_its_own_image() {
    let prepare = async || {
        let mut bench = Bench::made().await;
        bench.move_in();
        bench.settle().await;
        bench
    };
    let edit = async |bench: &mut Bench| {
        bench.edit(|spec| spec.containers[0].image = "registry/operator@sha256:2".to_owned());
    };
    let check = |bench: &Bench| {
        bench.assert_ready();
        assert_eq!(bench.world.state().azure.names().len(), 1, "no trial is left");
    };
    survives(prepare, edit, check).await;
}
