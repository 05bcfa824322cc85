//! Containers that start anew: which certificate comes back?

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::address::address;
use super::arm::Arm;
use super::client::Endpoint;
use super::figures::{count, spread};
use super::home::{GROUP, HOST, Home, Status};

const SIDECAR: &str = "aci-operator-tls";

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_or_a_redeploy_brings_no_older_certificate_back() {
    let mut home = Home::applied().await;
    home.run_daemon().await;
    home.ok(&["renew", GROUP]).await;
    let arm = Arm::sign_in(&home).await;
    let endpoint = home.present_endpoint().await;
    let current = home.status().await.serial().to_owned();
    assert_ne!(home.status().await.baked(), current);

    let restarts = async || arm.runs().await.into_iter().find(|run| run.0 == SIDECAR).unwrap().1;
    let before = restarts().await;
    home.fault(&["crash", GROUP, SIDECAR]).await;
    home.until("the restart", async || (restarts().await > before).then_some(())).await;
    let mut seen = BTreeSet::new();
    home.until_status("ready after the crash", Status::ready).await;
    watch(&endpoint, Duration::from_secs(3), &mut seen).await;
    assert_eq!(seen, [current.clone()].into());

    let puts = home.puts().await;
    home.edit_manifest("value: \"1.0\"", "value: \"2.0\"");
    home.until("the PUT", async || (home.puts().await > puts).then_some(())).await;
    let mut seen = BTreeSet::new();
    home.until("the new message", async || {
        let mut connection = endpoint.connect().await.ok()?;
        seen.insert(connection.serial());
        let answer = connection.get("/", &format!("Host: {HOST}\r\n")).await.ok()?;
        assert!(answer.headers.contains("strict-transport-security: "), "{}", answer.headers);
        answer.body.contains("\"message\":\"2.0\"").then_some(())
    })
    .await;
    let status = home.until_status("ready after the redeploy", Status::ready).await;
    watch(&endpoint, Duration::from_secs(3), &mut seen).await;
    assert_eq!(seen, [current.clone()].into());
    assert_eq!((status.serial(), status.baked()), (current.as_str(), current.as_str()));
    assert_eq!(home.puts().await, puts + 1);
}

/// Collects the serial numbers that handshakes show for a while.
async fn watch(endpoint: &Endpoint, time: Duration, seen: &mut BTreeSet<String>) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if let Ok(connection) = endpoint.connect().await {
            seen.insert(connection.serial());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_new_start_the_older_leaf_of_the_volume_gives_way() {
    let mut home = Home::applied().await;
    home.run_daemon().await;
    let arm = Arm::sign_in(&home).await;
    let mut took = Vec::new();
    for round in 0..count("ACI_OPERATOR_TEST_STARTS", 2) {
        tokio::time::sleep(Duration::from_millis(round as u64 * 2900 % 15_000)).await;
        home.ok(&["renew", GROUP]).await;
        let baked = home.status().await.baked().to_owned();
        let (before, puts) = (address(&arm).await, home.puts().await);
        if round % 2 == 0 {
            arm.send(Method::POST, "/stop", None).await;
            home.until("stop", async || (arm.state().await == "Stopped").then_some(())).await;
            arm.send(Method::POST, "/start", None).await;
        } else {
            home.fault(&["move-host", GROUP]).await;
        }
        let after = home.until("another address", async || moved(&arm, before).await).await;
        let endpoint = home.endpoint(after, HOST).await;
        let first = home.until("an answer", async || endpoint.connect().await.ok()).await;
        let begun = Instant::now();
        let newest = home
            .until("the current leaf", async || {
                let serial = endpoint.connect().await.ok()?.serial();
                (serial != baked).then_some(serial)
            })
            .await;
        let older = if first.serial() == baked { begun.elapsed() } else { Duration::ZERO };
        let status = home.until_status("ready", |s| s.ready() && s.ip() == after).await;
        assert_eq!(status.serial(), newest);
        // A stop that the operator sees is repaired by one PUT; nothing else writes.
        assert!(home.puts().await <= puts + u64::from(round % 2 == 0));
        took.push(older);
    }
    spread("start.older_leaf_served", &took);
}

async fn moved(arm: &Arm, before: std::net::IpAddr) -> Option<std::net::IpAddr> {
    let group = arm.get().await;
    let ip = group["properties"]["ipAddress"]["ip"].as_str()?.parse().ok()?;
    (ip != before && arm.state().await == "Running").then_some(ip)
}
