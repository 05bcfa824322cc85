//! The API server away, the watch expired, others writing to the same objects.

use std::time::Duration;

use super::{Cluster, number, pause};
use crate::wire::{TLS, group, is_ready};

/// Without the watch cache and with a compaction every few seconds, a watch that was away is told that
/// what it asks for is gone (410).
const FORGETFUL: &str = "--watch-cache=false --etcd-compaction-interval=3s";

#[test]
fn an_api_server_that_was_away_is_caught_up_with() {
    let mut cluster = Cluster::new(FORGETFUL);
    cluster.replica();
    cluster.replica();
    cluster.apply(&group("web", "0"));
    cluster.until("acg/web", "ready", is_ready);

    for replica in &cluster.replicas {
        replica.door.shut();
    }
    cluster.apply(&group("web", "1"));
    cluster.apply(&group("new", "0"));
    pause(Duration::from_secs(number("ACI_OPERATOR_TEST_OUTAGE_SECONDS", 20) as u64));
    // Nobody has leave, so nobody writes.
    assert_eq!(cluster.world.writes(), (1, 0, 0));
    for replica in &cluster.replicas {
        replica.door.open();
    }
    for name in ["acg/web", "acg/new"] {
        cluster.until(name, "ready after the outage", is_ready);
    }
    assert_eq!(cluster.world.writes(), (3, 0, 0));
    cluster.no_write_without_leave();
    cluster.no_two_writes_at_once();
    cluster.all_run();
}

#[test]
fn others_may_write_to_the_same_objects_all_the_time() {
    let mut cluster = Cluster::new("");
    cluster.replica();
    cluster
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: p}}");
    cluster.apply(TLS);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (labels, fields) = std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let label = format!("storm={written}");
                let words = ["label", "acg/tls", "aciissuer/local-ca", "-n", "app", "--overwrite"];
                cluster.server.kubectl_done(&[&words[..], &[&label]].concat());
                written += 1;
            }
            written
        });
        let object = cluster.until("acg/tls", "ready in the storm", is_ready);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (storm.join().unwrap(), object)
    });
    assert!(labels > 3, "{labels}");
    assert_eq!(fields["metadata"]["finalizers"][0], "aci-operator.io/azure");
    // One for the group, one for the leaf with its address.
    let (puts, patches, deletes) = cluster.world.writes();
    assert!(puts <= 2 && patches == 0 && deletes == 0, "{:?}", cluster.world.writes());
}
