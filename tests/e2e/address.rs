//! The public address changes, and nobody says so.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::arm::Arm;
use super::figures::{count, spread};
use super::home::{GROUP, Home};

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_with_the_new_address_follows_without_a_put() {
    let mut home = Home::applied().await;
    home.run_daemon().await;
    let arm = Arm::sign_in(&home).await;
    let (runs, puts) = (arm.runs().await, home.puts().await);
    let mut took = Vec::new();
    for round in 0..count("ACI_OPERATOR_TEST_IP_CHANGES", 2) {
        // Anywhere between two looks of the monitors.
        tokio::time::sleep(Duration::from_millis(round as u64 * 1700 % 15_000)).await;
        let before = address(&arm).await;
        let changed = Instant::now();
        home.fault(&["ip-change", GROUP]).await;
        let after = address(&arm).await;
        assert_ne!(after, before);
        // The certificate must name the address itself.
        let endpoint = home.endpoint(after, &after.to_string()).await;
        let answer = home.until("the new address", async || endpoint.connect().await.ok()).await;
        took.push(changed.elapsed());
        let status = home.until_status("ready", |status| status.ip() == after && status.ready());
        assert_eq!(status.await.serial(), answer.serial());
    }
    assert_eq!(home.puts().await, puts);
    assert_eq!(arm.runs().await, runs);
    spread("ip_change.to_served", &took);
}

pub(super) async fn address(arm: &Arm) -> IpAddr {
    arm.get().await["properties"]["ipAddress"]["ip"].as_str().unwrap().parse().unwrap()
}
