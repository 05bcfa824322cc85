//! From nothing to HTTPS, and back.

use std::collections::BTreeSet;
use std::time::Duration;

use aci_operator::core::certificate::LeafFacts;

use super::bench::Bench;
use super::manifests::{group_key, issuer_key, local_ca, sample};
use super::world::{GROUP, RESOURCE_GROUP, address};

#[tokio::test(start_paused = true)]
async fn a_group_is_made_with_one_put() {
    let mut bench = Bench::empty();
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    insta::assert_snapshot!(bench.history(), @r"
    0 s ContainerGroup Reconciling ReferenceMissing
    0 s Issuer Reconciling Creating CreateRoot
    0 s ContainerGroup Reconciling Issuing StoreLeaf
    0 s ContainerGroup Reconciling Creating CreateResourceGroup
    0 s Issuer Ready Available
    0 s ContainerGroup Reconciling Creating Put
    0 s ContainerGroup Reconciling Provisioning
    3 s ContainerGroup Reconciling Issuing StoreLeaf
    3 s ContainerGroup Reconciling Rotating TryExec
    3 s ContainerGroup Reconciling Rotating SwapLeaf
    3 s ContainerGroup Ready InSync
    ");
    bench.assert_ready();
    for (kind, expected) in [
        ("CertificateReady", "True CertificateValid"),
        ("EndpointAssigned", "True EndpointAssigned"),
        ("HotRotationAvailable", "True ExecAvailable"),
        ("ServingCurrent", "True Serving"),
        ("Drifted", "False InSync"),
        ("NotConverging", "False InSync"),
        ("Stalled", "False InSync"),
    ] {
        bench.assert_condition(kind, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_leaf_names_hosts_fqdn_address_and_this_machine() {
    let bench = Bench::made().await;
    let shown = bench.world.shown(GROUP);
    let leaf = bench.leaf();
    let fqdn = shown["properties"]["ipAddress"]["fqdn"].as_str().unwrap().to_owned();
    // TenantReuse puts a hash into the name.
    assert!(fqdn.starts_with("mon-fqdn.") && fqdn.matches('.').count() == 4, "{fqdn}");
    let dns = BTreeSet::from(["mon-dns.com".to_owned(), "localhost".to_owned(), fqdn]);
    assert_eq!(leaf.names.dns, dns);
    let ip: Vec<_> = ["127.0.0.1", "::1"].iter().map(|ip| ip.parse().unwrap()).collect();
    assert!(ip.iter().all(|ip| leaf.names.ip.contains(ip)));
    assert!(leaf.names.ip.contains(&address(&shown).unwrap()));
    let root = bench.home.kept().pairs[&issuer_key()].chain_pem.clone();
    let root = LeafFacts::from_pem(&root).unwrap().swap_remove(0);
    assert_eq!(leaf.authority_key, root.subject_key);
    let published = &shown["properties"]["ipAddress"]["ports"];
    assert_eq!(published.as_array().unwrap().len(), 1);
    assert_eq!(published[0]["port"], 443);
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written() {
    let mut bench = Bench::made().await;
    bench.live_on(Duration::from_hours(8)).await;
    bench.wrote(&[]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn another_process_writes_nothing() {
    let mut bench = Bench::made().await;
    bench.restart();
    bench.settle().await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_group_goes_with_its_key() {
    let mut bench = Bench::made().await;
    bench.delete();
    bench.settle().await;
    bench.wrote(&["Delete"]);
    assert!(bench.world.shown(GROUP).is_null());
    assert!(bench.leaf_pair().is_none() && bench.status().is_null());
    // Nobody deletes resource groups.
    let rest = bench.world.azure(|azure, now| azure.get_resource_group(now, RESOURCE_GROUP));
    assert!(rest.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_group_without_tls_is_made_and_is_ready() {
    let mut bench = Bench::empty();
    let mut group = sample();
    group.spec.tls = None;
    group.spec.ip_address.as_mut().unwrap().ports =
        serde_json::from_value(serde_json::json!([{"port": 80}])).unwrap();
    bench.apply(group);
    bench.settle().await;
    bench.wrote(&["CreateResourceGroup", "Put"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn suspend_blocks_every_step_and_deletion() {
    let mut bench =
        Bench::made_with(|spec| spec.tls.as_mut().unwrap().duration = "24h".to_owned()).await;
    bench.home.ask(&group_key(), |requests| requests.suspended = true);
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.assert_condition("Suspended", "True Suspended");
    bench.assert_condition("Stalled", "True Suspended");
    bench.renew().await;
    bench.live_on(Duration::from_hours(20)).await;
    bench.delete();
    bench.settle().await;
    bench.wrote(&[]);
    bench.assert_condition("Ready", "False Suspended");
    bench.home.ask(&group_key(), |requests| requests.suspended = false);
    bench.wake();
    bench.settle().await;
    bench.wrote(&["Delete"]);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_kept_and_says_so() {
    let mut bench = Bench::made().await;
    bench.mark(|entry| entry.orphaned = true);
    bench.settle().await;
    bench.wrote(&[]);
    bench.assert_condition("Ready", "True Orphaned");
    bench.mark(|entry| entry.orphaned = false);
    bench.settle().await;
    bench.assert_condition("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn a_broken_manifest_keeps_the_last_good_one_in_force() {
    let mut bench =
        Bench::made_with(|spec| spec.tls.as_mut().unwrap().duration = "24h".to_owned()).await;
    bench.mark(|entry| entry.invalid = Some("web.yaml:3:1: unknown field".to_owned()));
    bench.settle().await;
    bench.assert_condition("Stalled", "True Invalid");
    assert!(bench.message("Ready").contains("web.yaml:3:1"));
    bench.wrote(&[]);
    // Its certificate rotates all the same.
    bench.live_on(Duration::from_hours(13)).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_waited_for() {
    let mut bench = Bench::empty();
    bench.apply(sample());
    bench.live_on(Duration::from_mins(5)).await;
    bench.assert_condition("Ready", "False ReferenceMissing");
    assert!(bench.message("Ready").contains("local-ca"));
    bench.wrote(&[]);
    bench.home.kept().secrets.clear();
    bench.apply_issuer(local_ca());
    bench.live_on(Duration::from_mins(5)).await;
    assert!(bench.message("Ready").contains("secret set db password"));
    bench.set_secret("db", "password", "hunter2");
    bench.set_secret("db", "token", "letmein");
    bench.settle().await;
    bench.assert_ready();
}
