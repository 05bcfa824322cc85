//! One rotation after the other, while clients ask without a pause.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::arm::Arm;
use super::figures::{count, measured, spread};
use super::home::{GROUP, Home};
use super::load::{Load, Style};

const EVERY: Duration = Duration::from_secs(3);
const CLIENTS: [Style; 6] =
    [Style::Busy, Style::Idling, Style::Idling, Style::Fresh, Style::Slow, Style::Slow];

#[tokio::test(flavor = "multi_thread")]
async fn rotations_lose_no_request_and_restart_nothing() {
    let mut home = Home::applied().await;
    home.run_daemon().await;
    let arm = Arm::sign_in(&home).await;
    let (runs, puts) = (arm.runs().await, home.puts().await);
    let endpoint = home.present_endpoint().await;
    let load = Load::start(&endpoint, &CLIENTS);
    let begun = Instant::now();
    let end = begun + Duration::from_secs(count("ACI_OPERATOR_TEST_SECONDS", 20) as u64);
    let (mut next, mut took) = (begun, Vec::new());
    let mut last = home.status().await.serial().to_owned();
    while next < end {
        sleep_until(next).await;
        next += EVERY;
        let asked = Instant::now();
        home.ok(&["renew", GROUP]).await;
        took.push(asked.elapsed());
        let served = endpoint.connect().await.unwrap().serial();
        let status = home.status().await;
        assert_eq!(served, status.serial());
        assert_ne!(served, last);
        last = served;
    }
    let clients = load.stop().await;
    let failures: Vec<_> = clients.iter().filter(|(_, _, failures)| !failures.is_empty()).collect();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(arm.runs().await, runs);
    assert_eq!(home.puts().await, puts);
    measured("rotation.seconds", begun.elapsed().as_secs());
    spread("rotation.renew", &took);
    for style in [Style::Busy, Style::Idling, Style::Fresh, Style::Slow] {
        let requests = clients.iter().filter(|(s, ..)| *s == style).map(|(_, n, _)| n);
        let requests: usize = requests.sum();
        assert!(requests > 0, "{style:?}");
        measured(&format!("rotation.requests.{style:?}"), requests);
    }
    measured("rotation.failed_requests", 0);
    measured("rotation.container_restarts", 0);
}
