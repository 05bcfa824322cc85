//! Many objects in a blob container: from the start until all were looked at, memory, and what is written
//! and asked at rest.

use std::fs;

use super::{Account, World, free_address, pause};
use crate::wire::many::{
    ISSUER, by_operation, manifest, memory, objects, puts, rest, until_looked_at, until_ready,
};
use crate::wire::measured;

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_written_but_a_heartbeat() {
    let world = World::new();
    let account = Account::new(&world).await;
    let count = objects();
    for index in 0..count {
        fs::write(world.file(&format!("g{index}.yaml")), manifest(index)).unwrap();
    }
    fs::write(world.file("issuer.yaml"), ISSUER).unwrap();
    account.run(&world, &["push", "-f", world.manifests().to_str().unwrap()]).done();
    let listen = free_address();
    let daemon = account.daemon_at(&world, "daemon.log", &listen);
    let took = until_ready(&listen, count + 1);
    measured(&format!("container, {count} objects: made in {:.1} s", took.as_secs_f64()));
    measured(&format!("container: asked of Azure for that {:?}", by_operation(&world.requests())));
    assert_eq!(world.count("put"), puts(count));
    assert_eq!(daemon.terminate(), Some(0));

    let before = world.requests().len();
    let daemon = account.daemon_at(&world, "daemon.log", &listen);
    let took = until_looked_at(&listen, count + 1);
    measured(&format!("container: start to all looked at {:.1} s", took.as_secs_f64()));
    measured(&format!("container: asked of Azure {:?}", by_operation(&world.requests()[before..])));

    let asked = world.requests().len();
    pause(rest());
    let asked = by_operation(&world.requests()[asked..]);
    measured(&format!(
        "container: at rest for {:?} asked of Azure {asked:?}, memory {}",
        rest(),
        memory(daemon.0.id())
    ));
    let beats = rest().as_secs() / 10 + 1;
    let written = asked.get("blob-write").copied().unwrap_or_default();
    assert!(written as u64 <= beats, "{written} blobs written, {beats} heartbeats");
    assert_eq!(world.writes(), (puts(count), 0, 0));
}
