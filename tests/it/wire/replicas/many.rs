//! Many objects in a cluster: from the start until all were looked at, memory, bytes from the API server,
//! and what is written to it at rest.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;

use super::{ACCOUNT, Cluster, pause};
use crate::wire::many::{
    ISSUER, by_operation, manifest, memory, objects, puts, rest, until_looked_at, until_ready,
};
use crate::wire::measured;

impl Cluster {
    /// Makes `count` groups, by several users at once.
    fn make(&self, count: usize) {
        const USERS: usize = 4;
        self.apply(ISSUER);
        std::thread::scope(|scope| {
            for user in 0..USERS {
                scope.spawn(move || {
                    let text: Vec<_> = (user..count).step_by(USERS).map(manifest).collect();
                    let file = self.world.dir.path().join(format!("{user}.yaml"));
                    fs::write(&file, text.join("---\n")).unwrap();
                    let file = file.to_str().unwrap();
                    self.server.kubectl_done(&["create", "-n", "app", "-f", file]);
                });
            }
        });
    }

    /// What the operator has asked of the API server since the `from`th request: writes, by verb and
    /// resource, and how many requests there were so far.
    fn written(&self, from: usize) -> (BTreeMap<String, usize>, usize) {
        let events = self.audited();
        let mut written = BTreeMap::new();
        for event in &events[from..] {
            let verb = event["verb"].as_str().unwrap();
            let ours = event["user"]["username"] == ACCOUNT;
            if !ours || ["get", "list", "watch"].contains(&verb) {
                continue;
            }
            let text = |name: &str| event["objectRef"][name].as_str().unwrap_or_default();
            let what = format!("{verb} {}/{}", text("resource"), text("subresource"));
            *written.entry(what.trim_end_matches('/').to_owned()).or_default() += 1;
        }
        (written, events.len())
    }
}

#[test]
fn at_rest_nothing_is_written_but_the_lease() {
    let mut cluster = Cluster::new("--audit-log-maxsize=4096");
    cluster.level = "aci_operator=info";
    let count = objects();
    cluster.make(count);
    cluster.replica();
    let took = until_ready(&cluster.replicas[0].listen, count + 1);
    measured(&format!("cluster, {count} objects: made in {:.1} s", took.as_secs_f64()));
    let (written, _) = cluster.written(0);
    measured(&format!("cluster: written to the API server for that {written:?}"));
    let received = cluster.replicas[0].door.received();
    measured(&format!("cluster: bytes from the API server for that {received}"));
    assert_eq!(cluster.world.count("put"), puts(count));
    cluster.replicas[0].signal(Signal::TERM);
    assert_eq!(cluster.replicas[0].process.wait().unwrap().code(), Some(0));

    let (asked, received) = (cluster.world.requests().len(), cluster.replicas[0].door.received());
    cluster.restart(0);
    let took = until_looked_at(&cluster.replicas[0].listen, count + 1);
    measured(&format!("cluster: start to all looked at {:.1} s", took.as_secs_f64()));
    let arm = by_operation(&cluster.world.requests()[asked..]);
    measured(&format!("cluster: asked of ARM {arm:?}"));
    let bytes = cluster.replicas[0].door.received() - received;
    measured(&format!("cluster: bytes from the API server for that {bytes}"));
    measured(&format!("cluster: memory {}", memory(cluster.replicas[0].process.id())));

    at_rest(&cluster);
    assert_eq!(cluster.world.writes(), (puts(count), 0, 0));
}

fn at_rest(cluster: &Cluster) {
    let replica = &cluster.replicas[0];
    let (asked, received) = (cluster.world.requests().len(), replica.door.received());
    let (_, before) = cluster.written(0);
    pause(rest());
    let (written, _) = cluster.written(before);
    let (leases, others): (BTreeMap<_, _>, _) =
        written.into_iter().partition(|(what, _)| what == "update leases");
    assert_eq!(others, BTreeMap::new(), "written at rest");
    let renewals = leases.values().sum::<usize>();
    assert!(renewals > 0, "the lease is the heartbeat");
    let arm = by_operation(&cluster.world.requests()[asked..]);
    let bytes = replica.door.received() - received;
    measured(&format!(
        "cluster: at rest for {:?} {renewals} renewals of the lease, {bytes} bytes from the API server, \
         asked of ARM {arm:?}, memory {}",
        rest(),
        memory(replica.process.id())
    ));
}
