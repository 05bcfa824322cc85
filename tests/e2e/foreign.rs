//! Somebody else writes the group.

use reqwest::Method;
use serde_json::{Value, json};

use super::arm::Arm;
use super::figures::spread;
use super::home::{HOST, Home, Status};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_drops_our_tags_is_repaired_by_one_put() {
    let mut home = Home::applied().await;
    home.run_daemon().await;
    let arm = Arm::sign_in(&home).await;
    let tags = arm.get().await["tags"].clone();
    let puts = home.puts().await;

    // What `az container create --file` sends: the whole body, and no tag of ours.
    let manifests = home.manifests().display().to_string();
    let file = home.ok(&["render", "-f", &manifests, "--show-secrets"]).await;
    let mut body: Value = serde_saphyr::from_str(&file).unwrap();
    body["tags"] = json!({});
    let message = &mut body["properties"]["containers"][0]["properties"]["environmentVariables"][0];
    assert_eq!(message["value"], "1.0");
    message["value"] = json!("not ours");
    let edited = tokio::time::Instant::now();
    arm.send(Method::PUT, "", Some(&body)).await;

    home.until("the repair", async || (home.puts().await == puts + 2).then_some(())).await;
    spread("foreign_edit.to_repair", &[edited.elapsed()]);
    // A step is told when it is done.
    let told = async || home.ok(&["events"]).await.contains("Drifted").then_some(());
    home.until("the event", told).await;
    home.until_status("ready", Status::ready).await;
    let group = arm.get().await;
    for (name, _) in tags.as_object().unwrap() {
        assert!(group["tags"][name].is_string(), "{name}: {group}");
    }
    for own in ["aci-operator-owner", "aci-operator-digest"] {
        assert_eq!(group["tags"][own], tags[own]);
    }
    let endpoint = home.present_endpoint().await;
    let mut connection = endpoint.connect().await.unwrap();
    assert_eq!(connection.serial(), home.status().await.serial());
    let answer = connection.get("/", &format!("Host: {HOST}\r\n")).await.unwrap();
    assert!(answer.body.contains("\"message\":\"1.0\""), "{}", answer.body);
    assert_eq!(home.puts().await, puts + 2);
}
