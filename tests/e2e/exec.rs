//! Exec into the sidecar that is refused, or dies.

use super::arm::Arm;
use super::home::{GROUP, Home};

#[tokio::test(flavor = "multi_thread")]
async fn without_exec_a_rotation_is_an_update_in_place() {
    let home = Home::start().await;
    home.fault(&["exec-refused"]).await;
    home.apply().await;
    let status = home.status().await;
    let (available, why) = status.condition("HotRotationAvailable");
    assert_eq!(available, "False");
    assert!(why.contains("exec"), "{why}");
    assert_eq!(status.served(), Some(status.serial()));

    let arm = Arm::sign_in(&home).await;
    let (runs, puts) = (arm.runs().await, home.puts().await);
    home.ok(&["renew", GROUP]).await;
    let renewed = home.status().await;
    assert_ne!(renewed.serial(), status.serial());
    let endpoint = home.present_endpoint().await;
    home.until_served(&endpoint, renewed.serial()).await;
    assert_eq!(home.puts().await, puts + 1);
    assert_ne!(arm.runs().await, runs);

    // What the policy does not allow is not done.
    home.edit_manifest("spec:\n  resourceGroup", "spec:\n  updatePolicy: Hot\n  resourceGroup");
    home.apply().await;
    let refused = home.run(&["renew", GROUP]).await;
    assert!(!refused.status.success());
    let status = home.status().await;
    assert_eq!(status.condition("Stalled").0, "True");
    assert_eq!(status.condition("ServingCurrent").0, "False");
    assert_eq!(home.puts().await, puts + 1);
    assert_eq!(endpoint.connect().await.unwrap().serial(), renewed.serial());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_dies_is_tried_again_and_nothing_else_changes() {
    let home = Home::applied().await;
    let arm = Arm::sign_in(&home).await;
    let (runs, puts) = (arm.runs().await, home.puts().await);
    let before = home.status().await.serial().to_owned();
    // Amid the pair: the key is typed after the chain.
    home.fault(&["exec-dies", "--after", "1500", "--times", "1"]).await;
    let endpoint = home.present_endpoint().await;
    home.ok(&["renew", GROUP]).await;
    let served = endpoint.connect().await.unwrap().serial();
    assert_ne!(served, before);
    assert_eq!(served, home.status().await.serial());
    let faults = home.ok(&["local", "fault", "list", "-o", "json"]).await;
    assert_eq!(faults.trim(), "[]", "the fault has struck");
    assert_eq!(home.puts().await, puts);
    assert_eq!(arm.runs().await, runs);
}
