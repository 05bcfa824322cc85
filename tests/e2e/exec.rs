//! A sidecar that nobody can reach by exec.

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
