//! The daemon: what it serves about itself, how it logs, how it stops.

use std::fs;

use serde_json::Value;

use super::{World, group};

async fn fetch(world: &World, path: &str) -> Option<(u16, String)> {
    aci_operator::tls::install_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}{path}", world.listen)).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.unwrap()))
}

#[tokio::test]
async fn it_tells_how_it_is_and_stops_when_told() {
    let mut world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.start(&["--log-format", "json"]);
    world.ready("app");
    let answers = [("/healthz", "ok"), ("/readyz", "ok")];
    for (path, want) in answers {
        let (status, body) = fetch(&world, path).await.unwrap();
        assert_eq!((status, body.trim()), (200, want));
    }
    let (_, metrics) = fetch(&world, "/metrics").await.unwrap();
    for name in [
        "aci_operator_azure_requests_total{operation=\"",
        "aci_operator_reconcile_duration_seconds",
        "reason=\"InSync\"",
    ] {
        assert!(metrics.contains(name), "{name}:\n{metrics}");
    }

    world.write("app.yaml", &group("app", "2"));
    world.eventually("a second PUT", || (world.count("put") == 2).then_some(()));
    assert_eq!(world.terminate(), Some(0));
    assert_eq!(fetch(&world, "/readyz").await, None);
    let log = fs::read_to_string(world.log()).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |text: &str| lines.iter().any(|line| line["message"] == text);
    assert!(said("started") && said("stopped"), "{log}");
    // The write that was under way is known to the next one: it does not come twice.
    world.start(&[]);
    world.ready("app");
    assert_eq!(world.writes(), (2, 0, 0));
}

#[test]
fn a_taken_address_is_an_error_and_leaves_the_home_free() {
    let mut world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = super::text(&world.manifests());
    let refused = world.run(&["run", "-f", &path, "--listen", &address]).complaint(2);
    assert!(refused.contains(&address), "{refused}");
    world.write("app.yaml", &group("app", "1"));
    world.start(&[]);
    world.ready("app");
}
